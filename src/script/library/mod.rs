//! The libraries that scripts find beside Lua's own.
//!
//! A function refuses by an error of plain text, worded as Redis words it; the sandbox puts the script's line before it.
//! The word for the function in "bad argument" is the function's own name, however the script has come by it.

mod argument;
mod bit;
mod cjson;
mod cmsgpack;
mod structure;

use mlua::{Lua, Result, Table};

/// Sets the libraries' tables in `globals`.
pub(super) fn install(lua: &Lua, globals: &Table) -> Result<()> {
    globals.raw_set("bit", bit::table(lua)?)?;
    globals.raw_set("cjson", cjson::table(lua)?)?;
    globals.raw_set("cmsgpack", cmsgpack::table(lua)?)?;
    globals.raw_set("struct", structure::table(lua)?)
}

#[cfg(test)]
mod tests {
    use mlua::{Lua, Value};

    /// What a snippet returns, or the text of its error.
    pub(super) fn run(code: &str) -> String {
        let lua = Lua::new();
        super::install(&lua, &lua.globals()).unwrap();
        match lua.load(code).eval::<Value>() {
            Ok(value) => value.to_string().unwrap(),
            Err(error) => crate::script::engine::message(&error),
        }
    }
}
