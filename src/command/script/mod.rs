//! Scripts and functions. None can be loaded yet, so all that is here is what can be said of having none.

mod function;

use crate::exec::Spec;

pub(super) const FAMILY: &[&[Spec]] = &[function::SPECS];
