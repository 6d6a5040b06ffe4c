//! HTTL key FIELDS n field [field ...] — the time each field has left, in seconds; HPTTL in milliseconds. HEXPIRETIME and
//! HPEXPIRETIME answer the Unix time at which it is due. -1 for a field without deadline, -2 for none.
//!
//! Seconds are rounded up, so that a field which is still there never has 0 left.

use super::{fields, hash_of};
use crate::base::clock::NEVER;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;

pub(super) const SPECS: &[Spec] = &[
    HTTL,
    Spec {
        name: "hpttl",
        summary: "Returns how many milliseconds fields of a hash have left.",
        run: Run::Read(|args, entry, reply| ask(args, entry, reply, Unit::Millis, From::Now)),
        ..HTTL
    },
    Spec {
        name: "hexpiretime",
        summary: "Returns the Unix times in seconds at which fields of a hash expire.",
        run: Run::Read(|args, entry, reply| ask(args, entry, reply, Unit::Seconds, From::Epoch)),
        ..HTTL
    },
    Spec {
        name: "hpexpiretime",
        summary: "Returns the Unix times in milliseconds at which fields of a hash expire.",
        run: Run::Read(|args, entry, reply| ask(args, entry, reply, Unit::Millis, From::Epoch)),
        ..HTTL
    },
];

const HTTL: Spec = Spec {
    name: "httl",
    arity: -5,
    keys: &[KeySpec::first(key::RO | key::ACCESS)],
    flags: flag::READONLY | flag::FAST,
    acl: acl::HASH,
    since: "7.4.0",
    group: Group::Hash,
    summary: "Returns how many seconds fields of a hash have left.",
    complexity: "O(N) where N is the number of specified fields.",
    syntax: "key FIELDS numfields field [field ...]",
    run: Run::Read(|args, entry, reply| ask(args, entry, reply, Unit::Seconds, From::Now)),
    ..Spec::DEFAULT
};

/// What the answer counts.
#[derive(Clone, Copy)]
enum Unit {
    Seconds,
    Millis,
}

/// Where it counts from.
#[derive(Clone, Copy)]
enum From {
    Now,
    Epoch,
}

/// Answer for a field that is not there.
const NO_FIELD: i64 = -2;
/// Answer for a field without deadline.
const NO_DEADLINE: i64 = -1;

fn ask(
    args: &mut Args<'_>,
    entry: Option<&Entry>,
    reply: &mut Reply<'_>,
    unit: Unit,
    from: From,
) -> Result<(), Refusal> {
    let hash = hash_of(entry)?;
    let names = fields::read(args, fields::NOT_POSITIVE)?;
    reply.array(names.len());
    for name in names {
        reply.int(match hash.and_then(|hash| hash.field(name)) {
            None => NO_FIELD,
            Some(field) if field.deadline == NEVER => NO_DEADLINE,
            Some(field) => {
                let millis = match from {
                    From::Now => field.deadline.saturating_sub(args.now()),
                    From::Epoch => field.deadline,
                };
                match unit {
                    Unit::Seconds => millis.saturating_add(999) / 1000,
                    Unit::Millis => millis,
                }
            }
        });
    }
    Ok(())
}
