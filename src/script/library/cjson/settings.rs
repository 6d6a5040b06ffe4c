//! What a script can set: how deep, how exact, what to do with numbers that JSON does not have.

use std::sync::Arc;

use mlua::{IntoLua, Lua, MultiValue, Result, Table, Value};
use parking_lot::Mutex;

use crate::script::library::argument::Arguments;

/// The settings of an instance.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) sparse_to_object: bool,
    pub(super) sparse_ratio: i64,
    pub(super) sparse_safe: i64,
    pub(super) encode_depth: i64,
    pub(super) decode_depth: i64,
    pub(super) precision: i64,
    pub(super) encode_invalid: Invalid,
    pub(super) decode_invalid: bool,
    /// Has no meaning here: every text has a buffer of its own.
    keep_buffer: bool,
}

/// What becomes of a number that JSON does not have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Invalid {
    Refused,
    Written,
    Null,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            sparse_to_object: false,
            sparse_ratio: 2,
            sparse_safe: 10,
            encode_depth: 1000,
            decode_depth: 1000,
            precision: 14,
            encode_invalid: Invalid::Refused,
            decode_invalid: true,
            keep_buffer: true,
        }
    }
}

type Shared = Arc<Mutex<Settings>>;

/// Adds the functions that read and change settings.
pub(super) fn add(lua: &Lua, table: &Table, shared: &Shared) -> Result<()> {
    let depth = |arguments: &Arguments<'_>| within(arguments, 1, (1, i64::from(i32::MAX)));
    setting(lua, table, shared, "encode_max_depth", depth, |settings| &mut settings.encode_depth)?;
    setting(lua, table, shared, "decode_max_depth", depth, |settings| &mut settings.decode_depth)?;
    let digits = |arguments: &Arguments<'_>| within(arguments, 1, (1, 14));
    setting(lua, table, shared, "encode_number_precision", digits, |settings| &mut settings.precision)?;
    setting(lua, table, shared, "encode_keep_buffer", truth, |settings| &mut settings.keep_buffer)?;
    setting(lua, table, shared, "decode_invalid_numbers", truth, |settings| &mut settings.decode_invalid)?;
    let own = shared.clone();
    table.raw_set(
        "encode_invalid_numbers",
        lua.create_function(move |lua, values: MultiValue| {
            let arguments = Arguments::new(lua, "encode_invalid_numbers", &values);
            arguments.at_most(1)?;
            let mut settings = own.lock();
            if let Some(value) = arguments.given(1) {
                settings.encode_invalid = match value {
                    Value::Boolean(true) => Invalid::Written,
                    Value::Boolean(false) => Invalid::Refused,
                    _ => match &*arguments.text(1)?.as_bytes() {
                        b"on" => Invalid::Written,
                        b"off" => Invalid::Refused,
                        b"null" => Invalid::Null,
                        other => return Err(invalid_option(&arguments, other)),
                    },
                };
            }
            Ok(match settings.encode_invalid {
                Invalid::Refused => Value::Boolean(false),
                Invalid::Written => Value::Boolean(true),
                Invalid::Null => Value::String(lua.create_string("null")?),
            })
        })?,
    )?;
    let own = shared.clone();
    table.raw_set(
        "encode_sparse_array",
        lua.create_function(move |lua, values: MultiValue| {
            let arguments = Arguments::new(lua, "encode_sparse_array", &values);
            arguments.at_most(3)?;
            let mut settings = own.lock();
            if arguments.given(1).is_some() {
                settings.sparse_to_object = truth(&arguments)?;
            }
            for position in [2, 3] {
                if arguments.given(position).is_some() {
                    let number = within(&arguments, position, (0, i64::from(i32::MAX)))?;
                    *(if position == 2 { &mut settings.sparse_ratio } else { &mut settings.sparse_safe }) =
                        number;
                }
            }
            Ok((settings.sparse_to_object, settings.sparse_ratio, settings.sparse_safe))
        })?,
    )
}

/// Adds the function that tells what a field is, and changes it where it is given an argument.
fn setting<V: IntoLua + Copy + 'static>(
    lua: &Lua,
    table: &Table,
    shared: &Shared,
    name: &'static str,
    read: fn(&Arguments<'_>) -> Result<V>,
    field: fn(&mut Settings) -> &mut V,
) -> Result<()> {
    let own = shared.clone();
    table.raw_set(
        name,
        lua.create_function(move |lua, values: MultiValue| {
            let arguments = Arguments::new(lua, name, &values);
            arguments.at_most(1)?;
            let mut settings = own.lock();
            if arguments.given(1).is_some() {
                *field(&mut settings) = read(&arguments)?;
            }
            Ok(*field(&mut settings))
        })?,
    )
}

/// The first argument as true or false, which may be spelt on and off.
fn truth(arguments: &Arguments<'_>) -> Result<bool> {
    if let Some(Value::Boolean(truth)) = arguments.value(1) {
        return Ok(*truth);
    }
    match &*arguments.text(1)?.as_bytes() {
        b"on" => Ok(true),
        b"off" => Ok(false),
        other => Err(invalid_option(arguments, other)),
    }
}

fn invalid_option(arguments: &Arguments<'_>, word: &[u8]) -> mlua::Error {
    arguments.bad(1, &format!("invalid option '{}'", String::from_utf8_lossy(word)))
}

fn within(arguments: &Arguments<'_>, position: usize, (low, high): (i64, i64)) -> Result<i64> {
    let number = i64::from(arguments.int(position)?);
    match (low..=high).contains(&number) {
        true => Ok(number),
        false => Err(arguments.bad(position, &format!("expected integer between {low} and {high}"))),
    }
}
