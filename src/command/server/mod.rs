//! The server itself: what it is doing, how it is set, what it can do, and the orders to save, wait and end.

mod bgrewriteaof;
mod command;
mod config;
mod debug;
mod docs;
mod hints;
mod info;
mod latency;
mod lolwut;
mod memory;
mod monitor;
mod replconf;
mod replicaof;
mod role;
mod save;
mod shutdown;
mod slowlog;
mod sparkline;
mod sync;
mod syntax;
mod time;
mod wait;

use crate::exec::Spec;

pub(super) const FAMILY: &[&[Spec]] = &[
    bgrewriteaof::SPECS,
    command::SPECS,
    config::SPECS,
    debug::SPECS,
    info::SPECS,
    latency::SPECS,
    lolwut::SPECS,
    memory::SPECS,
    monitor::SPECS,
    replconf::SPECS,
    replicaof::SPECS,
    role::SPECS,
    save::SPECS,
    shutdown::SPECS,
    slowlog::SPECS,
    sync::SPECS,
    time::SPECS,
    wait::SPECS,
];
