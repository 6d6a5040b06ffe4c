//! Scripts of Lua. Of functions, which cannot be loaded yet, all that is here is what can be said of having none.

mod eval;
mod function;
#[expect(clippy::module_inception, reason = "a file has the name of its verb, and this one is SCRIPT")]
mod script;

use crate::exec::Spec;

pub(super) const FAMILY: &[&[Spec]] = &[eval::SPECS, function::SPECS, script::SPECS];
