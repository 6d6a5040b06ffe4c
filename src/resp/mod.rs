//! The wire without sockets: bytes in, commands out; results in, bytes out.
//!
//! - [`request`] cuts a read buffer into commands, without copying them.
//! - [`inline`] reads the commands of somebody who talks to the server by telnet.
//! - [`reply`] writes replies, and is the only place that tells RESP2 from RESP3.

mod inline;
mod parser;
pub mod reply;
pub mod request;
