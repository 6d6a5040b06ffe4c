//! Arguments of a library's function: read and refused as Lua's own functions do it.

use mlua::{Error, Lua, LuaString, MultiValue, Result, Value};

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

    /// The argument at `position`; nil counts as one.
    pub(super) fn value(&self, position: usize) -> Option<&'a Value> {
        position.checked_sub(1).and_then(|index| self.values.get(index))
    }

    /// The argument at `position`, where it is there and not nil.
    pub(super) fn given(&self, position: usize) -> Option<&'a Value> {
        self.value(position).filter(|value| !value.is_nil())
    }

    /// Refuses more arguments than this.
    pub(super) fn at_most(&self, count: usize) -> Result<()> {
        if self.len() > count { Err(self.bad(count + 1, "found too many arguments")) } else { Ok(()) }
    }

    /// The argument at `position` as text. A number is text as Lua writes it.
    pub(super) fn text(&self, position: usize) -> Result<LuaString> {
        let value = self.value(position);
        let text = match value {
            Some(value @ (Value::Integer(_) | Value::Number(_) | Value::String(_))) => {
                self.lua.coerce_string(value.clone())?
            }
            _ => None,
        };
        text.ok_or_else(|| {
            let found = value.map_or("no value", kind);
            self.bad(position, &format!("string expected, got {found}"))
        })
    }

    /// The argument at `position` as a C int: what does not fit is cut off at the top.
    #[expect(clippy::cast_possible_truncation, reason = "as in C")]
    pub(super) fn int(&self, position: usize) -> Result<i32> {
        Ok(self.number(position)? as i64 as i32)
    }

    /// The argument at `position` as a number. Text that spells one is one.
    pub(super) fn number(&self, position: usize) -> Result<f64> {
        let value = self.value(position);
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
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) | Value::Number(_) => "number",
        Value::LightUserData(_) | Value::UserData(_) | Value::Error(_) => "userdata",
        _ => value.type_name(),
    }
}
