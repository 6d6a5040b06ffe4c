//! The libraries that scripts find beside Lua's own.
//!
//! A function refuses by an error of plain text, worded as Redis words it; the sandbox puts the script's line before it.
//! The word for the function in "bad argument" is the function's own name, however the script has come by it.

mod argument;
mod bit;
mod cjson;

use mlua::{Lua, Result, Table};

/// Sets the libraries' tables in `globals`.
pub(super) fn install(lua: &Lua, globals: &Table) -> Result<()> {
    globals.raw_set("bit", bit::table(lua)?)?;
    globals.raw_set("cjson", cjson::table(lua)?)
}
