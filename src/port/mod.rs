//! `pinstripe import` and `pinstripe export`: keys from files and servers into a directory or a server, and back out.
//!
//! ```text
//! source                                        sink
//! line      JSON Lines                 ─┐    ┌─ a directory: an annex to its log       (import --dir)
//! object    the ancestors' JSON file    │    │
//! snapshot  an RDB file                 ├─►──┼─ a running server: RESTORE, pipelined   (import --to)
//! replay    an append-only log          │    │
//! server    SCAN and DUMP              ─┘    └─ JSON Lines, or a JSON object           (export)
//! ```
//!
//! A source hands its keys on one by one, so memory stays flat, but for a log: that is replayed first, since only its end
//! tells what the keys are.
//!
//! **Bad input changes nothing.** What goes into a directory becomes a part of its log in one step, after the last byte was
//! read. What goes into a server is read twice: first to see that it is good, then to be sent.

mod export;
mod import;
mod line;
mod link;
mod notes;
mod source;
mod stream;

use crate::boot::Failure;
use crate::value::{Value, ValueRef};

pub use export::export;
pub use import::import;

/// One key.
#[derive(Debug, Clone, Copy)]
struct Entry<'a> {
    db: u32,
    key: &'a [u8],
    value: ValueRef<'a>,
    /// Unix time in milliseconds; none where it stays.
    expire_at_ms: Option<i64>,
}

/// One key, owned.
#[derive(Debug, Clone, PartialEq)]
struct OwnedEntry {
    db: u32,
    key: Vec<u8>,
    value: Value,
    expire_at_ms: Option<i64>,
}

impl OwnedEntry {
    fn as_ref(&self) -> Entry<'_> {
        Entry { db: self.db, key: &self.key, value: self.value.as_ref(), expire_at_ms: self.expire_at_ms }
    }
}

/// Takes one key after the other.
type Sink<'s> = dyn FnMut(Entry<'_>) -> Result<(), Failure> + 's;
