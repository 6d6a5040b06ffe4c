//! Strings: bytes under a key, counted with where they spell a number.

mod append;
mod deadline;
mod get;
mod getdel;
mod getex;
mod getrange;
mod getset;
mod incr;
mod incrbyfloat;
mod lcs;
mod mget;
mod mset;
mod set;
mod setex;
mod setnx;
mod setrange;
mod strlen;
mod subsequence;

use crate::base::limits;
use crate::base::refusal::Refusal;
use crate::exec::Spec;
use crate::resp::reply::Reply;
use crate::value::TextRef;

pub(super) const FAMILY: &[&[Spec]] = &[
    append::SPECS,
    get::SPECS,
    getdel::SPECS,
    getex::SPECS,
    getrange::SPECS,
    getset::SPECS,
    incr::SPECS,
    incrbyfloat::SPECS,
    lcs::SPECS,
    mget::SPECS,
    mset::SPECS,
    set::SPECS,
    setex::SPECS,
    setnx::SPECS,
    setrange::SPECS,
    strlen::SPECS,
];

/// Answers with the string, or with null where there is none.
#[inline]
fn answer(text: Option<TextRef<'_>>, reply: &mut Reply<'_>) {
    match text {
        Some(TextRef::Bytes(bytes)) => reply.bulk(bytes),
        Some(TextRef::Int(integer)) => reply.bulk_int(integer),
        None => reply.null(),
    }
}

/// Refuses a string of `length` and `more` bytes together if no string may be that long.
fn check_length(length: usize, more: usize) -> Result<(), Refusal> {
    match length.checked_add(more) {
        Some(total) if total <= limits::STRING_BYTES_MAX => Ok(()),
        _ => Err(Refusal::line("ERR string exceeds maximum allowed size (proto-max-bulk-len)")),
    }
}
