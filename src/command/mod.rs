//! The commands, and nothing else: one verb, one file, one row in the table.
//!
//! A family is a folder; its `mod.rs` lists the rows of its files. [`FAMILIES`] lists the families, and `boot` makes the
//! registry of it. What can be said of all rows at once — that names are unique, that arity and key positions agree, that
//! only what is given the means to write is flagged as writing — is tested here.

mod bitmap;
mod connection;
mod cursor;
mod geo;
mod hash;
mod help;
mod key;
mod list;
mod mpop;
mod pubsub;
mod script;
mod server;
mod set;
mod stream;
mod string;
mod transaction;
mod zset;

use crate::exec::Spec;

/// The rows of all commands, by family and file.
pub const FAMILIES: &[&[&[Spec]]] = &[
    string::FAMILY,
    list::FAMILY,
    set::FAMILY,
    hash::FAMILY,
    zset::FAMILY,
    stream::FAMILY,
    bitmap::FAMILY,
    geo::FAMILY,
    key::FAMILY,
    connection::FAMILY,
    transaction::FAMILY,
    pubsub::FAMILY,
    script::FAMILY,
    server::FAMILY,
];

#[cfg(test)]
mod tests;
