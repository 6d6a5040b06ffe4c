//! Transactions: MULTI … EXEC, and WATCH, which makes EXEC depend on what it has seen.

mod discard;
mod exec;
mod multi;
mod watch;

use crate::exec::Spec;

pub(super) const FAMILY: &[&[Spec]] = &[discard::SPECS, exec::SPECS, multi::SPECS, watch::SPECS];
