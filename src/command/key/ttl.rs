//! TTL key — how long a key has left, in seconds; PTTL in milliseconds. EXPIRETIME and PEXPIRETIME answer its deadline
//! as Unix time. All answer -1 for a key without one and -2 where there is no key.

use crate::base::clock::Millis;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;

pub(super) const SPECS: &[Spec] = &[
    TTL,
    Spec {
        name: "pttl",
        since: "2.6.0",
        summary: "Tells how many milliseconds a key has left.",
        run: Run::Read(pttl),
        ..TTL
    },
    Spec {
        name: "expiretime",
        since: "7.0.0",
        summary: "Tells the Unix time in seconds at which a key will expire.",
        run: Run::Read(expire_time),
        ..TTL
    },
    Spec {
        name: "pexpiretime",
        since: "7.0.0",
        summary: "Tells the Unix time in milliseconds at which a key will expire.",
        run: Run::Read(pexpire_time),
        ..TTL
    },
];

const TTL: Spec = Spec {
    name: "ttl",
    arity: 2,
    keys: &[KeySpec::first(key::RO | key::ACCESS)],
    flags: flag::READONLY | flag::FAST | flag::NO_TOUCH_KEY | flag::BRIEF,
    acl: acl::KEYSPACE,
    group: Group::Generic,
    summary: "Tells how many seconds a key has left.",
    syntax: "key",
    run: Run::Read(ttl),
    ..Spec::DEFAULT
};

const NO_KEY: i64 = -2;
const NO_DEADLINE: i64 = -1;

fn ttl(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let now = args.now();
    answer(entry, reply, |at| seconds(at.saturating_sub(now).max(0)))
}

fn pttl(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let now = args.now();
    answer(entry, reply, |at| at.saturating_sub(now).max(0))
}

fn expire_time(_: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    answer(entry, reply, seconds)
}

fn pexpire_time(_: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    answer(entry, reply, |at| at)
}

fn answer(entry: Option<&Entry>, reply: &mut Reply<'_>, show: impl Fn(Millis) -> i64) -> Result<(), Refusal> {
    reply.int(entry.map_or(NO_KEY, |entry| entry.deadline().map_or(NO_DEADLINE, show)));
    Ok(())
}

/// To the nearest second, as Redis rounds.
fn seconds(ms: Millis) -> i64 {
    ms.saturating_add(500) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded_to_the_nearest() {
        assert_eq!([0, 499, 500, 1_499, 1_500].map(seconds), [0, 0, 1, 1, 2]);
        assert_eq!(seconds(i64::MAX - 1), i64::MAX / 1000);
    }
}
