//! HRANDFIELD key [count [WITHVALUES]] — fields picked by chance. A negative count may pick one more than once.

use super::{answer, hash_of};
use crate::base::limits;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Proto;
use crate::resp::reply::Reply;
use crate::table::Entry;
use crate::value::hash::Field;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "hrandfield",
    arity: -2,
    keys: &[KeySpec::first(key::RO | key::ACCESS)],
    flags: flag::READONLY,
    acl: acl::HASH,
    since: "6.2.0",
    group: Group::Hash,
    summary: "Returns fields of a hash, picked by chance.",
    complexity: "O(N) where N is the number of fields returned.",
    syntax: "key [count [WITHVALUES]]",
    run: Run::Read(hrandfield),
    ..Spec::DEFAULT
}];

/// The longest answer to a negative count, in bytes. Such a count asks for any multiple of what is there, so that one
/// short request could fill all memory; with the longest string that may be returned, it cannot.
const REPLY_BYTES_MAX: usize = limits::STRING_BYTES_MAX;

fn hrandfield(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let mut random = args.random();
    if args.is_done() {
        let field = hash_of(entry)?.and_then(|hash| hash.random(&mut random));
        answer(field.map(|field| field.name), reply);
        return Ok(());
    }
    let count = args.int_within(
        -i64::MAX..=i64::MAX,
        "value is out of range, value must between -9223372036854775807 and 9223372036854775807",
    )?;
    let with_values = !args.is_done();
    if with_values && !args.accept("WITHVALUES") {
        return Err(Refusal::Syntax);
    }
    args.end()?;
    // As many entries as a reply of pairs would have must be countable.
    if with_values && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(Refusal::line("ERR value is out of range"));
    }
    let Some(hash) = hash_of(entry)? else {
        reply.array(0);
        return Ok(());
    };
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if count >= 0 {
        let fields = hash.sample(wanted, &mut random);
        begin(fields.len(), with_values, reply);
        fields.into_iter().for_each(|field| write(field, with_values, reply));
        return Ok(());
    }
    let before = reply.len();
    begin(wanted, with_values, reply);
    for field in (0..wanted).map_while(|_| hash.random(&mut random)) {
        write(field, with_values, reply);
        if reply.len() - before > REPLY_BYTES_MAX {
            return Err(Refusal::line("ERR value is out of range, the reply would be too long"));
        }
    }
    Ok(())
}

/// Begins an answer of so many fields: in RESP3 each with its value is an array of its own.
fn begin(count: usize, with_values: bool, reply: &mut Reply<'_>) {
    let is_flat = with_values && reply.proto() == Proto::Resp2;
    reply.array(if is_flat { count.saturating_mul(2) } else { count });
}

fn write(field: Field<'_>, with_values: bool, reply: &mut Reply<'_>) {
    if with_values && reply.proto() == Proto::Resp3 {
        reply.array(2);
    }
    answer(Some(field.name), reply);
    if with_values {
        answer(Some(field.value), reply);
    }
}
