-- What scripts find in the interpreter. Run once, with the table of functions that Rust gives, the globals, and the table
-- that scripts take for their globals.
--
-- Nothing that one script does may be seen by the next, so all tables that live longer than a script are shown through
-- proxies that cannot be written.
--
-- What Rust raises is an object, not text. bridge.plain makes text or a table of it; whatever hands an error to a script
-- goes through it. A function that may refuse something returns nil and the reason, and bridge.shield makes a function of
-- Rust of it, which raises the reason: a call of that keeps the caller's line on the stack, even as the last thing that a
-- script does.

local bridge, globals, shown = ...

local error, type, rawget, rawset, select = error, type, rawget, rawset, select
local getmetatable, setmetatable, next, pairs, ipairs = getmetatable, setmetatable, next, pairs, ipairs
local pcall, xpcall, tostring, tonumber = pcall, xpcall, tostring, tonumber
local concat, floor = table.concat, math.floor

-- The tables behind the proxies.
local hidden = setmetatable({}, { __mode = "k" })

local function read_only()
  error("Attempt to modify a readonly table", 2)
end

local function proxy(table)
  local front = setmetatable({}, { __index = table, __newindex = read_only, __metatable = false })
  hidden[front] = table
  return front
end

-- Globals ------------------------------------------------------------------------------------------------------------

function globals.pairs(table)
  local behind = hidden[table]
  if behind then
    return next, behind, nil
  end
  return pairs(table)
end

function globals.next(table, key)
  return next(hidden[table] or table, key)
end

function globals.rawget(table, key)
  return rawget(hidden[table] or table, key)
end

local function unless_hidden(change)
  return function(table, ...)
    if hidden[table] then
      return nil, "Attempt to modify a readonly table"
    end
    return (change(table, ...))
  end
end

globals.rawset = bridge.shield(unless_hidden(rawset))
globals.setmetatable = bridge.shield(unless_hidden(setmetatable))

local function text_of(problem)
  if type(problem) == "table" then
    local text = rawget(problem, "err")
    if type(text) == "string" then
      return text
    end
  end
  return problem
end

-- Passes on what a protected call gave. A script that is being ended must not catch that.
local function outcome(ok, ...)
  if bridge.ended then
    error({ err = "ERR " .. bridge.ended }, 0)
  end
  if ok then
    return true, ...
  end
  return false, text_of(bridge.plain((...)))
end

function globals.pcall(...)
  return outcome(pcall(...))
end

function globals.xpcall(body, handler)
  return outcome(xpcall(body, function(problem)
    return handler(bridge.plain(problem))
  end))
end

local resume = coroutine.resume

local function resumed(ok, ...)
  if ok then
    return true, ...
  end
  return false, bridge.plain((...))
end

function coroutine.resume(...)
  return resumed(resume(...))
end

globals.loadstring = function(text, name)
  local ok, chunk = bridge.compile(text, name)
  if ok then
    return chunk
  end
  return nil, chunk
end

globals.load = function(pieces, name)
  local parts = {}
  while true do
    local piece = pieces()
    if piece == nil or piece == "" then
      break
    end
    parts[#parts + 1] = piece
  end
  return globals.loadstring(concat(parts), name or "=(load)")
end

-- redis --------------------------------------------------------------------------------------------------------------

local redis = {
  LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3,
  REPL_NONE = 0, REPL_AOF = 1, REPL_SLAVE = 2, REPL_REPLICA = 2, REPL_ALL = 3,
  REDIS_VERSION = bridge.version, REDIS_VERSION_NUM = bridge.version_number,
}

local function one_string(name, ...)
  if select("#", ...) ~= 1 or type((...)) ~= "string" then
    return { err = "ERR wrong number or type of arguments" }
  end
  local text = ...
  if name == "ok" then
    return { ok = text }
  end
  -- Up to the first zero byte, without the protocol's marks at the ends; one word alone is no code but what went wrong.
  text = text:match("^%-?([^%z]*)"):gsub("[\r\n]+$", "")
  if not text:find(" ", 1, true) then
    text = "ERR " .. text
  end
  return { err = text }
end

function redis.error_reply(...)
  return one_string("err", ...)
end

function redis.status_reply(...)
  return one_string("ok", ...)
end

function redis.sha1hex(...)
  if select("#", ...) ~= 1 then
    return nil, "wrong number of arguments"
  end
  return bridge.sha1hex(tostring((...)))
end

function redis.setresp(...)
  if select("#", ...) ~= 1 then
    return nil, "redis.setresp() requires one argument."
  end
  local version = tonumber((...))
  version = version and floor(version)
  if version ~= 2 and version ~= 3 then
    return nil, "RESP version must be 2 or 3."
  end
  bridge.resp = version
end

function redis.log(...)
  if select("#", ...) < 2 then
    return nil, "redis.log() requires two arguments or more."
  end
  local level = ...
  if type(level) ~= "number" then
    return nil, "First argument must be a number (log level)."
  end
  if level < 0 or level > 3 then
    return nil, "Invalid debug level."
  end
  local parts = { select(2, ...) }
  for index = 1, #parts do
    parts[index] = tostring(parts[index])
  end
  bridge.log(level, concat(parts, " "))
end

-- All that a script changes goes into the log, whatever it wishes here.
function redis.set_repl(...)
  if select("#", ...) ~= 1 then
    return nil, "redis.set_repl() requires two arguments."
  end
  local flags = ...
  if type(flags) ~= "number" or flags < 0 or flags > 3 then
    return nil, "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE."
  end
end

function redis.replicate_commands()
  return true
end

-- There is no debugger.
function redis.breakpoint()
  return false
end

function redis.debug()
end

-- Without users, what exists may be run.
function redis.acl_check_cmd(...)
  if select("#", ...) == 0 then
    return nil, "Please specify at least one argument for this redis.acl_check_cmd() call"
  end
  if not bridge.knows(tostring((...))) then
    return nil, "Invalid command passed to redis.acl_check_cmd()"
  end
  return true
end

-- Running ------------------------------------------------------------------------------------------------------------

-- Makes a table of whatever a script raises: text, and the line that did it.
local function raised(problem)
  problem = bridge.plain(problem)
  if type(problem) ~= "table" then
    problem = { err = "ERR " .. tostring(problem) }
  elseif type(problem.err) ~= "string" then
    problem = { err = "ERR unknown error" }
  end
  problem.source, problem.line = bridge.place()
  return problem
end

function bridge.run(body)
  return xpcall(body, raised)
end

-- Closing the doors --------------------------------------------------------------------------------------------------

for name, member in pairs(redis) do
  if type(member) == "function" then
    redis[name] = bridge.shield(member)
  end
end
bridge.redis = redis
globals.redis = redis
for _, name in ipairs({
  "dofile", "loadfile", "print", "newproxy", "getfenv", "setfenv", "require", "module", "package", "io", "os", "debug",
}) do
  globals[name] = nil
end
for _, name in ipairs({ "string", "table", "math", "coroutine", "redis", "cjson", "cmsgpack", "struct", "bit" }) do
  if globals[name] then
    globals[name] = proxy(globals[name])
  end
end
local of_strings = getmetatable("")
of_strings.__index = globals.string
of_strings.__metatable = proxy(of_strings)

hidden[shown] = globals
setmetatable(globals, {
  __index = function(_, name)
    error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
  end,
})
setmetatable(shown, { __index = globals, __newindex = read_only, __metatable = false })
globals._G = shown
