//! The interpreter: scripts as functions, and what runs one.

use std::cell::RefCell;
use std::sync::Arc;

use mlua::chunk::ChunkMode;
use mlua::{Error, Function, HookTriggers, Lua, MultiValue, Result, Table, Value, VmState};

use super::convert::Answer;
use super::pulse::Pulse;
use super::sandbox::{self, Refused, Sandbox};
use super::{Host, Name, Raised, convert};
use crate::resp::reply::{Proto, Reply};
use crate::resp::request::OwnedRequest;

/// The name of scripts in the interpreter's messages.
const CHUNK: &str = "@user_script";

/// Instructions between two looks at how long a script runs.
const BEAT: u32 = 100_000;

/// An interpreter, and the scripts that it has compiled.
pub(super) struct Engine {
    lua: Lua,
    sandbox: Sandbox,
    /// Functions by name. They are held by the interpreter and not from here: every handle of ours takes one of the 8,000
    /// places that a stack of Lua has, and scripts may be more.
    compiled: Table,
}

impl Engine {
    pub(super) fn new(pulse: Arc<Pulse>) -> Result<Self> {
        let (lua, sandbox) = sandbox::open()?;
        let bridge = sandbox.bridge.clone();
        lua.set_global_hook(HookTriggers::new().every_nth_instruction(BEAT), move |_, _| {
            match pulse.beat() {
                None => Ok(VmState::Continue),
                Some(why) => {
                    // The prelude's pcall does not catch what ends a script.
                    bridge.raw_set("ended", why)?;
                    Err(Error::external(Refused { line: format!("ERR {why}"), counted: false }))
                }
            }
        })?;
        let compiled = lua.create_table()?;
        Ok(Engine { lua, sandbox, compiled })
    }

    /// Compiles a script, to be run under this name.
    pub(super) fn compile(&mut self, name: Name, text: &[u8]) -> Result<()> {
        let function = compile(&self.lua, &self.sandbox.shown, text, CHUNK)?;
        self.compiled.raw_set(self.lua.create_string(name)?, function)
    }

    /// Bytes that the interpreter uses.
    pub(super) fn used(&self) -> usize {
        self.lua.used_memory()
    }

    /// Runs a script and writes what it returns.
    pub(super) fn run(
        &mut self,
        name: &Name,
        keys: &[&[u8]],
        args: &[&[u8]],
        host: &mut dyn Host,
        reply: &mut Reply<'_>,
    ) -> std::result::Result<(), Raised> {
        let ours = |error: Error| Raised::new(format!("ERR {}", message(&error)));
        let Some(function) = self.compiled(name).map_err(ours)? else {
            return Err(Raised::new("NOSCRIPT No matching script."));
        };
        let mark = reply.mark();
        let ended = self.scripted(&function, keys, args, host).map_err(ours)?;
        match ended {
            Ended::Returned(value, proto) => {
                let mut on_error = |line: &[u8], counted| host.answers_error(line, counted);
                let to = &mut Answer { proto, reply, on_error: &mut on_error };
                convert::write(&value, to).map_err(|error| {
                    reply.rollback(mark);
                    ours(error)
                })
            }
            Ended::Raised(problem) => Err(raised(name, &problem).map_err(ours)?),
        }
    }

    fn compiled(&self, name: &Name) -> Result<Option<Function>> {
        self.compiled.raw_get(self.lua.create_string(name)?)
    }

    fn scripted(
        &self,
        function: &Function,
        keys: &[&[u8]],
        args: &[&[u8]],
        host: &mut dyn Host,
    ) -> Result<Ended> {
        let (lua, Sandbox { globals, bridge, redis, run, .. }) = (&self.lua, &self.sandbox);
        globals.raw_set("KEYS", words(lua, keys)?)?;
        globals.raw_set("ARGV", words(lua, args)?)?;
        bridge.raw_set("resp", 2)?;
        bridge.raw_set("ended", mlua::Nil)?;
        let host = RefCell::new(host);
        lua.scope(|scope| {
            let ask = |lua: &Lua, words: MultiValue| {
                let proto = chosen(bridge)?;
                match host.try_borrow_mut() {
                    Ok(mut host) => call(lua, *host, proto, &words),
                    // A command that ran a script of its own.
                    Err(_) => convert::error(lua, "ERR This Redis command is not allowed from script", false),
                }
            };
            redis.raw_set("pcall", scope.create_function(ask)?)?;
            let call = scope.create_function(move |lua, words: MultiValue| {
                let value = ask(lua, words)?;
                match convert::error_line(&value)? {
                    None => Ok(value),
                    Some(line) => {
                        Err(Error::external(Refused { line: line.to_string_lossy(), counted: true }))
                    }
                }
            })?;
            redis.raw_set("call", call)?;
            let knows = scope.create_function(|_, name: mlua::LuaString| {
                Ok(host.try_borrow().is_ok_and(|host| host.knows(&name.as_bytes())))
            })?;
            bridge.raw_set("knows", knows)?;
            let (ok, value): (bool, Value) = run.call(function)?;
            if !ok {
                return Ok(Ended::Raised(value));
            }
            Ok(Ended::Returned(value, chosen(bridge)?))
        })
    }
}

/// The protocol that the script has chosen.
fn chosen(bridge: &Table) -> Result<Proto> {
    Ok(if bridge.raw_get::<u8>("resp")? == 3 { Proto::Resp3 } else { Proto::Resp2 })
}

enum Ended {
    Returned(Value, Proto),
    Raised(Value),
}

/// Runs a command for a script. What is wrong with its words is an error reply, too.
fn call(lua: &Lua, host: &mut dyn Host, proto: Proto, words: &MultiValue) -> Result<Value> {
    if words.is_empty() {
        return convert::error(
            lua,
            "ERR Please specify at least one argument for this redis lib call",
            false,
        );
    }
    let mut request = OwnedRequest::default();
    for word in words {
        match word {
            Value::String(text) => request.push(&text.as_bytes()),
            Value::Integer(number) => request.push(itoa::Buffer::new().format(*number).as_bytes()),
            Value::Number(number) => {
                let mut text = Vec::new();
                crate::base::number::write_double(&mut text, *number);
                request.push(&text);
            }
            _ => {
                return convert::error(
                    lua,
                    "ERR Lua redis lib command arguments must be strings or integers",
                    false,
                );
            }
        }
    }
    if request.as_request().len() != words.len() {
        return convert::error(lua, "ERR the arguments are too long", false);
    }
    let mut out = Vec::new();
    host.call(&request.as_request(), proto, &mut out);
    convert::read(lua, &out, proto)
}

/// The error line for what a script raised: what, by which script, and where.
fn raised(name: &Name, problem: &Value) -> Result<Raised> {
    let Value::Table(problem) = problem else { return Ok(Raised::new("ERR unknown error")) };
    let text: mlua::LuaString = problem.raw_get("err")?;
    let mut line = format!("{} script: {}", text.to_string_lossy(), String::from_utf8_lossy(name));
    if let Some(source) = problem.raw_get::<Option<String>>("source")? {
        let number: Option<i64> = problem.raw_get("line")?;
        line.push_str(&format!(", on {source}:{}.", number.unwrap_or(-1)));
    }
    Ok(Raised { line, counted: problem.raw_get::<Option<bool>>(convert::COUNTED)?.unwrap_or(false) })
}

/// Text as a function whose globals are those that scripts see. Compiled code is not taken: it could do anything.
pub(super) fn compile(lua: &Lua, shown: &Table, text: &[u8], name: &str) -> Result<Function> {
    lua.load(text).set_name(name).set_mode(ChunkMode::Text).set_environment(shown.clone()).into_function()
}

fn words(lua: &Lua, words: &[&[u8]]) -> Result<Table> {
    lua.create_sequence_from(words.iter().map(|word| mlua::BString::from(*word)))
}

/// What an error says, without the trace that is of no use to a client.
pub(super) fn message(error: &Error) -> String {
    match error {
        Error::RuntimeError(text) | Error::MemoryError(text) => text.clone(),
        Error::SyntaxError { message, .. } => message.clone(),
        Error::CallbackError { cause, .. } => message(cause),
        Error::BadArgument { cause, .. } => message(cause),
        _ => error.to_string(),
    }
}
