//! An interpreter as scripts find it: the libraries that are there, and no door to what outlives them.
//!
//! `prelude.lua` does what is easier said in Lua. It gets functions that only Rust can give, in a table that no script
//! sees.

use std::fmt;

use mlua::{Error, Function, Lua, LuaOptions, MultiValue, Result, StdLib, Table, Value};

use super::convert;
use super::engine::{compile, message};
use super::{library, patterns};
use crate::base::version;

/// The parts of an interpreter that running a script needs.
pub(super) struct Sandbox {
    /// What scripts can read as globals.
    pub(super) globals: Table,
    /// What stands in for it as the scripts' environment: it cannot be written.
    pub(super) shown: Table,
    /// Functions between the prelude and Rust.
    pub(super) bridge: Table,
    /// What scripts see as `redis`.
    pub(super) redis: Table,
    /// Runs a function; true and its result, or false and what it raised.
    pub(super) run: Function,
}

/// A new interpreter.
pub(super) fn open() -> Result<(Lua, Sandbox)> {
    let lua = Lua::new_with(StdLib::TABLE | StdLib::STRING | StdLib::MATH, LuaOptions::default())?;
    let (globals, shown, bridge) = (lua.globals(), lua.create_table()?, lua.create_table()?);
    library::install(&lua, &globals)?;
    patterns::bound(&lua, &globals.raw_get("string")?)?;
    for library in ["cjson", "cmsgpack", "struct", "bit"] {
        if let Some(table) = globals.raw_get::<Option<Table>>(library)? {
            place_errors(&lua, &table)?;
        }
    }
    bridge.raw_set("plain", lua.create_function(plain)?)?;
    bridge.raw_set("shield", lua.create_function(shield)?)?;
    bridge.raw_set("version", version::REDIS_VERSION)?;
    bridge.raw_set("version_number", version::REDIS_VERSION_NUMBER)?;
    bridge.raw_set(
        "sha1hex",
        lua.create_function(|_, text: mlua::LuaString| {
            Ok(String::from_utf8_lossy(&super::name_of(&text.as_bytes())).into_owned())
        })?,
    )?;
    bridge.raw_set("log", lua.create_function(log)?)?;
    bridge.raw_set("place", lua.create_function(place)?)?;
    let environment = shown.clone();
    bridge.raw_set(
        "compile",
        lua.create_function(move |lua, (text, name): (mlua::LuaString, Option<mlua::LuaString>)| {
            // Lua names a chunk by its text where it has no name.
            let name = name.as_ref().unwrap_or(&text).to_string_lossy();
            Ok(match compile(lua, &environment, &text.as_bytes(), &name) {
                Ok(function) => (true, Value::Function(function)),
                Err(error) => (false, Value::String(lua.create_string(message(&error))?)),
            })
        })?,
    )?;
    lua.load(include_str!("prelude.lua")).set_name("=prelude").call::<()>((&bridge, &globals, &shown))?;
    let (redis, run) = (bridge.raw_get("redis")?, bridge.raw_get("run")?);
    Ok((lua, Sandbox { globals, shown, bridge, redis, run }))
}

/// Makes the functions of a library say in which line of the script they refused something, as Lua's own do.
fn place_errors(lua: &Lua, library: &Table) -> Result<()> {
    let mut functions = Vec::new();
    for pair in library.pairs::<Value, Value>() {
        if let (name, Value::Function(function)) = pair? {
            functions.push((name, function));
        }
    }
    for (name, function) in functions {
        let placed = lua.create_function(move |lua, args: MultiValue| {
            function.call::<MultiValue>(args).map_err(|error| {
                let line = lua.inspect_stack(1, |frame| {
                    let name = frame.source().short_src.map(|name| name.into_owned());
                    name.zip(frame.current_line())
                });
                match line.flatten() {
                    Some((name, line)) => Error::RuntimeError(format!("{name}:{line}: {}", message(&error))),
                    None => error,
                }
            })
        })?;
        library.raw_set(name, placed)?;
    }
    Ok(())
}

/// What a script is refused: an error whose whole line is given.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) line: String,
    /// It has been counted, because a command was refused.
    pub(super) counted: bool,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

impl std::error::Error for Refused {}

/// A function that raises the reason which another returns behind nil.
fn shield(lua: &Lua, inner: Function) -> Result<Function> {
    lua.create_function(move |_, args: MultiValue| {
        let (value, reason): (Value, Option<String>) = inner.call(args)?;
        match reason {
            None => Ok(value),
            Some(text) => Err(Error::external(Refused { line: format!("ERR {text}"), counted: false })),
        }
    })
}

/// An error as scripts know them: a table for what they were refused, text for the rest.
fn plain(lua: &Lua, problem: Value) -> Result<Value> {
    let Value::Error(error) = &problem else { return Ok(problem) };
    match error.downcast_ref::<Refused>() {
        Some(refused) => convert::error(lua, &refused.line, refused.counted),
        None => Ok(Value::String(lua.create_string(message(error))?)),
    }
}

/// redis.log: into the server's log.
fn log(_: &Lua, (level, text): (f64, mlua::LuaString)) -> Result<()> {
    let text = text.to_string_lossy();
    match level as i64 {
        0 => tracing::trace!(target: "script", "{text}"),
        1 => tracing::debug!(target: "script", "{text}"),
        2 => tracing::info!(target: "script", "{text}"),
        _ => tracing::warn!(target: "script", "{text}"),
    }
    Ok(())
}

/// The innermost line of a script that is being run: chunk and number.
fn place(lua: &Lua, _: ()) -> Result<(Option<String>, Option<usize>)> {
    for level in 0.. {
        let found = lua.inspect_stack(level, |frame| {
            let source = frame.source();
            let name = source.source.map(|name| name.into_owned());
            (source.what != "C" && name.as_deref() != Some("=prelude")).then(|| (name, frame.current_line()))
        });
        match found {
            None => break,
            Some(None) => {}
            Some(Some(place)) => return Ok(place),
        }
    }
    Ok((None, None))
}
