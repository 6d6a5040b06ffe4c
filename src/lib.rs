//! Pinstripe: a durable, multi-core, Redis-compatible server.
//!
//! A write's way through the house:
//!
//! ```text
//! socket -> turn -> request codec -> batch -> lookup -> gates -> locks -> handler -> effect -> log -> reply -> socket
//!           server  resp             exec     exec      exec     table    command    exec      log    resp     server
//! ```
//!
//! The floors. A folder uses only floors below its own, never a sibling; `tests/tidy.rs` checks every path.
//!
//! ```text
//! F7  boot cli logging port main        wiring only; import and export
//! F6  server                            sockets: listener, connection, worker, cron; the steward of snapshots
//! F5  gateway                           HTTP: the key API, REST for every command, metrics, health, the console
//! F4  command                           the commands: one verb, one file, one row in the table
//! F3  exec                              how any command is run: spec, registry, args, session, gate, run, commit, multi
//! F2  table log config observe clients  keys and locks | bytes on disk | settings | counters | who is connected
//!     pubsub                            who listens to which channel
//!     tracking                          who has read what
//!     script                            Lua: the interpreter, and what scripts may call
//! F1  resp value                        the wire without sockets | data types without keys, locks or protocol
//! F0  base                              bytes, numbers, glob, clock, random, hash, limits, refusal
//! ```

pub mod base;

pub mod resp;
pub mod value;

pub mod clients;
pub mod config;
pub mod log;
pub mod observe;
pub mod pubsub;
pub mod script;
pub mod table;
pub mod tracking;

pub mod exec;

pub mod command;

pub mod gateway;

pub mod server;

pub mod boot;
pub mod cli;
pub mod logging;
pub mod port;

pub use base::version::{REDIS_VERSION, VERSION};
