//! From Lua to JSON. What is nested lies on a stack of its own, so depth costs no thread's stack.

use mlua::{Error, Function, Result, Table, Value};

use super::settings::{Invalid, Settings};
use crate::base::number::write_significant;
use crate::script::library::argument::kind;

/// Deeper than this nothing is written, whatever is set.
const DEPTH_MAX: usize = 1000;

/// Indices without an element that an array may have, whatever is set. Redis has no such limit: there one element at the
/// last index that counts makes a text of 10 GB, and nobody is served until it is written.
const GAPS_MAX: i64 = 1 << 20;

/// A table that is being written.
enum Open {
    Array { table: Table, index: i64, last: i64 },
    Object { table: Table, key: Value },
}

/// A value as text. `next` is Lua's function of that name: the interpreter keeps only so many values at hand for us, so the
/// pairs of a table are taken one at a time.
pub(super) fn encode(value: &Value, settings: &Settings, next: &Function) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    begin(value, settings, &mut open, &mut out)?;
    while let Some(innermost) = open.last_mut() {
        match innermost {
            Open::Array { table, index, last } => {
                if *index > *last {
                    out.push(b']');
                    open.pop();
                    continue;
                }
                if *index > 1 {
                    out.push(b',');
                }
                let item: Value = table.raw_get(*index)?;
                *index += 1;
                begin(&item, settings, &mut open, &mut out)?;
            }
            Open::Object { table, key } => {
                let is_first = key.is_nil();
                let (found, item): (Value, Value) = next.call((&*table, &*key))?;
                if found.is_nil() {
                    out.push(b'}');
                    open.pop();
                    continue;
                }
                if !is_first {
                    out.push(b',');
                }
                write_key(&found, settings, &mut out)?;
                *key = found;
                out.push(b':');
                begin(&item, settings, &mut open, &mut out)?;
            }
        }
    }
    Ok(out)
}

/// Writes a value, or as much of a table as stands before its first element.
fn begin(value: &Value, settings: &Settings, open: &mut Vec<Open>, out: &mut Vec<u8>) -> Result<()> {
    match value {
        Value::String(text) => write_text(&text.as_bytes(), out),
        Value::Integer(number) => write_number(*number as f64, settings, out)?,
        Value::Number(number) => write_number(*number, settings, out)?,
        Value::Boolean(truth) => out.extend_from_slice(if *truth { b"true" } else { b"false" }),
        Value::Nil => out.extend_from_slice(b"null"),
        Value::Table(table) => {
            let depth = open.len() + 1;
            if depth as i64 > settings.encode_depth || depth > DEPTH_MAX {
                return Err(refused(format!("Cannot serialise, excessive nesting ({depth})")));
            }
            let last = array_length(table, settings)?;
            if last > 0 {
                out.push(b'[');
                open.push(Open::Array { table: table.clone(), index: 1, last });
            } else {
                out.push(b'{');
                open.push(Open::Object { table: table.clone(), key: Value::Nil });
            }
        }
        Value::LightUserData(pointer) if pointer.0.is_null() => out.extend_from_slice(b"null"),
        other => return Err(refused(format!("Cannot serialise {}: type not supported", kind(other)))),
    }
    Ok(())
}

/// The last index of a table that is an array; 0 of one that is none.
fn array_length(table: &Table, settings: &Settings) -> Result<i64> {
    let (mut last, mut items) = (0, 0i64);
    for pair in table.pairs::<Value, Value>() {
        let index = match pair?.0 {
            Value::Integer(index) => index,
            Value::Number(number) if number.fract() == 0.0 && number.abs() < 2e9 => number as i64,
            _ => return Ok(0),
        };
        if index < 1 {
            return Ok(0);
        }
        // The type that indices are counted in has 32 bits.
        if i32::try_from(index).is_ok() {
            last = last.max(index);
        }
        items += 1;
    }
    let (ratio, safe) = (settings.sparse_ratio, settings.sparse_safe);
    let is_sparse = ratio > 0 && last > items.saturating_mul(ratio) && last > safe;
    if is_sparse || last - items > GAPS_MAX {
        return match settings.sparse_to_object {
            true => Ok(0),
            false => Err(refused("Cannot serialise table: excessively sparse array".to_owned())),
        };
    }
    Ok(last)
}

fn write_key(key: &Value, settings: &Settings, out: &mut Vec<u8>) -> Result<()> {
    match key {
        Value::String(text) => write_text(&text.as_bytes(), out),
        Value::Integer(_) | Value::Number(_) => {
            let number =
                if let Value::Number(number) = key { *number } else { key.as_integer().unwrap_or(0) as f64 };
            out.push(b'"');
            write_number(number, settings, out)?;
            out.push(b'"');
        }
        other => {
            let text = format!("Cannot serialise {}: table key must be a number or string", kind(other));
            return Err(refused(text));
        }
    }
    Ok(())
}

fn write_number(number: f64, settings: &Settings, out: &mut Vec<u8>) -> Result<()> {
    if number.is_finite() {
        write_significant(out, number, settings.precision as usize);
        return Ok(());
    }
    match settings.encode_invalid {
        Invalid::Refused => {
            return Err(refused("Cannot serialise number: must not be NaN or Inf".to_owned()));
        }
        Invalid::Null => out.extend_from_slice(b"null"),
        Invalid::Written if number.is_nan() => out.extend_from_slice(b"nan"),
        Invalid::Written => out.extend_from_slice(if number > 0.0 { b"inf" } else { b"-inf" }),
    }
    Ok(())
}

fn write_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' | b'/' => out.extend_from_slice(&[b'\\', byte]),
            0x08 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0..32 | 127 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

fn refused(text: String) -> Error {
    Error::RuntimeError(text)
}
