//! Arguments of a library's function: read and refused as Lua's own functions do it.

use mlua::{Error, Lua, MultiValue, Result, Value};

/// What a call has brought.
pub(super) struct Arguments<'a> {
    pub(super) lua: &'a Lua,
    /// Name of the function, for refusals.
    function: &'static str,
    values: &'a MultiValue,
}

impl<'a> Arguments<'a> {
    pub(super) fn new(lua: &'a Lua, function: &'static str, values: &'a MultiValue) -> Self {
        Arguments { lua, function, values }
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// The refusal of the argument at `position`, counted from 1.
    pub(super) fn bad(&self, position: usize, why: &str) -> Error {
        Error::RuntimeError(format!("bad argument #{position} to '{}' ({why})", self.function))
    }

    /// The argument at `position` as a number. Text that spells one is one.
    pub(super) fn number(&self, position: usize) -> Result<f64> {
        let value = position.checked_sub(1).and_then(|index| self.values.get(index));
        let number = match value {
            Some(value @ (Value::Integer(_) | Value::Number(_) | Value::String(_))) => {
                self.lua.coerce_number(value.clone())?
            }
            _ => None,
        };
        number.ok_or_else(|| {
            let found = value.map_or("no value", kind);
            self.bad(position, &format!("number expected, got {found}"))
        })
    }
}

/// What Lua calls the type of a value.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) | Value::Number(_) => "number",
        Value::LightUserData(_) | Value::UserData(_) | Value::Error(_) => "userdata",
        _ => value.type_name(),
    }
}
