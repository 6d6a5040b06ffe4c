//! Between the protocol and Lua.
//!
//! ```text
//! reply                 Lua                                  reply
//! integer               number                               integer, cut off
//! bulk                  string                               bulk
//! status, error         {ok = …}, {err = …}                  status, error
//! array                 array                                array, up to the first nil
//! null                  false; nil in RESP3                  null (false too)
//! true, false           true, false                          in RESP2: 1, null
//! double                {double = …}                         double
//! map, set              {map = {…}}, {set = {member = true}} map, set
//! big number            {big_number = …}                     big number
//! verbatim              {verbatim_string = {string, format}} verbatim
//! ```
//!
//! Which protocol a script sees, and answers in as far as booleans go, is its own choice by redis.setresp; how the client
//! sees the reply is the client's.

use mlua::{Error, Lua, LuaString, Result, Table, Value};
use redis_protocol::resp2::decode::decode as decode2;
use redis_protocol::resp2::types::OwnedFrame as Frame2;
use redis_protocol::resp3::decode::complete::decode as decode3;
use redis_protocol::resp3::types::{OwnedFrame as Frame3, VerbatimStringFormat};

use crate::resp::reply::{Proto, Reply};

/// Tables in tables that a reply may have: more are a table that holds itself.
const DEPTH_MAX: usize = 200;

/// Bytes that a reply may have: what grows on is a table that holds itself more than once.
const BYTES_MAX: usize = 512 << 20;

/// The field of an error that was counted already. Scripts of Redis know it.
pub(super) const COUNTED: &str = "ignore_error_stats_update";

/// A command's reply as a value.
pub(super) fn read(lua: &Lua, reply: &[u8], proto: Proto) -> Result<Value> {
    let value = match proto {
        Proto::Resp2 => match decode2(reply) {
            Ok(Some((frame, _))) => Some(from_frame2(lua, frame)?),
            _ => None,
        },
        Proto::Resp3 => match decode3(reply) {
            Ok(Some((frame, _))) => Some(from_frame3(lua, frame)?),
            _ => None,
        },
    };
    match value {
        Some(value) => Ok(value),
        None => error(lua, "ERR the command gave no reply", true),
    }
}

/// An error as a value.
pub(super) fn error(lua: &Lua, line: &str, counted: bool) -> Result<Value> {
    let table = lua.create_table_with_capacity(0, 2)?;
    table.raw_set("err", line)?;
    if counted {
        table.raw_set(COUNTED, true)?;
    }
    Ok(Value::Table(table))
}

/// The line of a value that is an error.
pub(super) fn error_line(value: &Value) -> Result<Option<LuaString>> {
    match value {
        Value::Table(table) => table.raw_get("err"),
        _ => Ok(None),
    }
}

fn from_frame2(lua: &Lua, frame: Frame2) -> Result<Value> {
    Ok(match frame {
        Frame2::SimpleString(text) => tagged(lua, "ok", string(lua, &text)?)?,
        Frame2::Error(line) => error(lua, &line, true)?,
        Frame2::Integer(number) => Value::Number(number as f64),
        Frame2::BulkString(text) => string(lua, &text)?,
        Frame2::Array(items) => array(lua, items, from_frame2)?,
        Frame2::Null => Value::Boolean(false),
    })
}

fn from_frame3(lua: &Lua, frame: Frame3) -> Result<Value> {
    Ok(match frame {
        Frame3::SimpleString { data, .. } => tagged(lua, "ok", string(lua, &data)?)?,
        Frame3::SimpleError { data, .. } => error(lua, &data, true)?,
        Frame3::BlobError { data, .. } => error(lua, &String::from_utf8_lossy(&data), true)?,
        Frame3::Number { data, .. } => Value::Number(data as f64),
        Frame3::BlobString { data, .. } | Frame3::ChunkedString(data) => string(lua, &data)?,
        Frame3::Array { data, .. } | Frame3::Push { data, .. } => array(lua, data, from_frame3)?,
        Frame3::Boolean { data, .. } => Value::Boolean(data),
        Frame3::Null => Value::Nil,
        Frame3::Double { data, .. } => tagged(lua, "double", Value::Number(data))?,
        Frame3::BigNumber { data, .. } => tagged(lua, "big_number", string(lua, &data)?)?,
        Frame3::VerbatimString { data, format, .. } => {
            let table = lua.create_table()?;
            table.raw_set("string", string(lua, &data)?)?;
            table.raw_set(
                "format",
                match format {
                    VerbatimStringFormat::Text => "txt",
                    VerbatimStringFormat::Markdown => "mkd",
                },
            )?;
            tagged(lua, "verbatim_string", Value::Table(table))?
        }
        Frame3::Map { data, .. } => {
            let table = lua.create_table()?;
            for (key, value) in data {
                table.raw_set(from_frame3(lua, key)?, from_frame3(lua, value)?)?;
            }
            tagged(lua, "map", Value::Table(table))?
        }
        Frame3::Set { data, .. } => {
            let table = lua.create_table()?;
            for member in data {
                table.raw_set(from_frame3(lua, member)?, true)?;
            }
            tagged(lua, "set", Value::Table(table))?
        }
        Frame3::Hello { .. } => Value::Nil,
    })
}

fn string(lua: &Lua, text: &[u8]) -> Result<Value> {
    lua.create_string(text).map(Value::String)
}

fn tagged(lua: &Lua, tag: &str, value: Value) -> Result<Value> {
    let table = lua.create_table_with_capacity(0, 1)?;
    table.raw_set(tag, value)?;
    Ok(Value::Table(table))
}

fn array<F>(lua: &Lua, items: Vec<F>, convert: fn(&Lua, F) -> Result<Value>) -> Result<Value> {
    let table = lua.create_table_with_capacity(items.len(), 0)?;
    for (index, item) in items.into_iter().enumerate() {
        table.raw_set(index + 1, convert(lua, item)?)?;
    }
    Ok(Value::Table(table))
}

/// Where what a script returned is written.
pub(super) struct Answer<'a, 'r> {
    /// What it has chosen by redis.setresp.
    pub(super) proto: Proto,
    /// The reply.
    pub(super) reply: &'a mut Reply<'r>,
    /// Is told of each error in it, and whether that says that it was counted already.
    pub(super) on_error: &'a mut dyn FnMut(&[u8], bool),
}

/// Writes what a script returned.
///
/// # Errors
/// When the value goes on without end. What is written by then must be taken back.
pub(super) fn write(value: &Value, to: &mut Answer<'_, '_>) -> Result<()> {
    write_nested(value, to, 0)
}

fn write_nested(value: &Value, to: &mut Answer<'_, '_>, depth: usize) -> Result<()> {
    if depth > DEPTH_MAX || to.reply.len() > BYTES_MAX {
        return Err(Error::RuntimeError("reached lua stack limit".to_owned()));
    }
    match value {
        Value::String(text) => to.reply.bulk(&text.as_bytes()),
        Value::Integer(number) => to.reply.int(*number),
        Value::Number(number) => to.reply.int(*number as i64),
        Value::Boolean(truth) if to.proto == Proto::Resp3 => to.reply.bool(*truth),
        Value::Boolean(true) => to.reply.int(1),
        Value::Table(table) => write_table(table, to, depth)?,
        _ => to.reply.null(),
    }
    Ok(())
}

fn write_table(table: &Table, to: &mut Answer<'_, '_>, depth: usize) -> Result<()> {
    // What a tag means depends on the type of what it names; anything else is an array. Of several tags the first one
    // counts, in the order that Redis has.
    if let Value::String(line) = table.raw_get("err")? {
        let counted = matches!(table.raw_get(COUNTED)?, Value::Boolean(true));
        (to.on_error)(&line.as_bytes(), counted);
        to.reply.error(&*line.as_bytes());
    } else if let Value::String(text) = table.raw_get("ok")? {
        to.reply.simple(&*text.as_bytes());
    } else if let Some(number) = number(&table.raw_get("double")?) {
        to.reply.double(number);
    } else if let Value::String(digits) = table.raw_get("big_number")? {
        let digits: Vec<u8> =
            digits.as_bytes().iter().map(|byte| if byte.is_ascii_control() { b' ' } else { *byte }).collect();
        to.reply.big_number(&String::from_utf8_lossy(&digits));
    } else if let Some((text, format)) = verbatim(&table.raw_get("verbatim_string")?)? {
        to.reply.verbatim(&format, &text.as_bytes());
    } else if let Value::Table(map) = table.raw_get("map")? {
        let place = to.reply.defer();
        let mut count = 0;
        for pair in map.pairs::<Value, Value>() {
            let (key, value) = pair?;
            write_nested(&key, to, depth + 1)?;
            write_nested(&value, to, depth + 1)?;
            count += 1;
        }
        to.reply.close_map(place, count);
    } else if let Value::Table(set) = table.raw_get("set")? {
        let place = to.reply.defer();
        let mut count = 0;
        for pair in set.pairs::<Value, Value>() {
            write_nested(&pair?.0, to, depth + 1)?;
            count += 1;
        }
        to.reply.close_set(place, count);
    } else {
        let place = to.reply.defer();
        let mut count = 0;
        loop {
            let item: Value = table.raw_get(count + 1)?;
            if item.is_nil() {
                break;
            }
            write_nested(&item, to, depth + 1)?;
            count += 1;
        }
        to.reply.close_array(place, count);
    }
    Ok(())
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Number(number) => Some(*number),
        _ => None,
    }
}

fn verbatim(value: &Value) -> Result<Option<(LuaString, [u8; 3])>> {
    let Value::Table(table) = value else { return Ok(None) };
    let (Value::String(text), Value::String(format)) = (table.raw_get("string")?, table.raw_get("format")?)
    else {
        return Ok(None);
    };
    let mut three = *b"   ";
    three.iter_mut().zip(format.as_bytes().iter()).for_each(|(to, from)| *to = *from);
    Ok(Some((text, three)))
}
