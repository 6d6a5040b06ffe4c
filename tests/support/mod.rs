//! What the tests over a running server share: the process, a client of its own, and transcripts.
//!
//! The client is not the `redis` crate on purpose: that one turns replies into Rust values, while a test of the wire must
//! see which of the wire's types came. (`tests/clients.rs` is where that crate has its say.)

#![allow(dead_code, reason = "each test program compiles this folder and uses its own part of it")]

pub(crate) mod client;
pub(crate) mod http;
pub(crate) mod server;
pub(crate) mod transcript;
