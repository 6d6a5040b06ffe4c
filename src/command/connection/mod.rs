//! Connections: who is speaking, in which protocol, to which database, and how it takes leave.

mod auth;
mod client;
mod echo;
mod hello;
mod ping;
mod quit;
mod reset;
mod select;

use crate::exec::Spec;

pub(super) const FAMILY: &[&[Spec]] = &[
    auth::SPECS,
    client::SPECS,
    echo::SPECS,
    hello::SPECS,
    ping::SPECS,
    quit::SPECS,
    reset::SPECS,
    select::SPECS,
];
