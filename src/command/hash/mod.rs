//! Hashes: fields with values under one key, each of which may have a deadline of its own.
//!
//! A field whose time has come is removed when its key's slot is opened (see the table), so no command here ever meets
//! one. A hash without fields does not exist: whoever removes the last one removes the key.

mod deadline;
mod fields;
mod hdel;
mod hexists;
mod hexpire;
mod hget;
mod hgetall;
mod hgetdel;
mod hgetex;
mod hincrby;
mod hincrbyfloat;
mod hlen;
mod hmget;
mod hpersist;
mod hrandfield;
mod hscan;
mod hset;
mod hsetex;
mod hsetnx;
mod hstrlen;
mod httl;

use crate::base::refusal::Refusal;
use crate::exec::Spec;
use crate::resp::reply::Reply;
use crate::table::{Entry, Expiry, Slot};
use crate::value::{Hash, TextRef};

pub(super) const FAMILY: &[&[Spec]] = &[
    hdel::SPECS,
    hexists::SPECS,
    hexpire::SPECS,
    hget::SPECS,
    hgetall::SPECS,
    hgetdel::SPECS,
    hgetex::SPECS,
    hincrby::SPECS,
    hincrbyfloat::SPECS,
    hlen::SPECS,
    hmget::SPECS,
    hpersist::SPECS,
    hrandfield::SPECS,
    hscan::SPECS,
    hset::SPECS,
    hsetex::SPECS,
    hsetnx::SPECS,
    hstrlen::SPECS,
    httl::SPECS,
];

/// The hash at a key: none where there is no key, which counts as an empty one.
#[inline]
fn hash_of(entry: Option<&Entry>) -> Result<Option<&Hash>, Refusal> {
    entry.map(|entry| entry.value().hash()).transpose()
}

/// Answers with a field's name or value, or with null where there is none.
#[inline]
fn answer(text: Option<TextRef<'_>>, reply: &mut Reply<'_>) {
    match text {
        Some(TextRef::Bytes(bytes)) => reply.bulk(bytes),
        Some(TextRef::Int(integer)) => reply.bulk_int(integer),
        None => reply.null(),
    }
}

/// Changes the hash at a key, which is made where there is no key and removed when its last field is. It counts as a
/// change of the key whatever `change` does.
fn change<R>(slot: &mut Slot<'_>, change: impl FnOnce(&mut Hash) -> R) -> Result<R, Refusal> {
    if hash_of(slot.entry())?.is_none() {
        let mut hash = Hash::new();
        let result = change(&mut hash);
        if !hash.is_empty() {
            slot.put(hash, Expiry::Clear);
        }
        return Ok(result);
    }
    let changed = slot.change(|value| {
        let result = value.hash_mut().map(change);
        (result, value.is_void())
    });
    // There is a key, and it holds a hash.
    let (result, is_void) = changed.ok_or(Refusal::NoSuchKey)?;
    if is_void {
        slot.remove();
    }
    result
}
