//! EXPIRE key seconds [NX | XX | GT | LT] — gives a key a deadline. PEXPIRE counts in milliseconds; EXPIREAT and
//! PEXPIREAT name the time itself.
//!
//! The log gets the time itself, whichever was asked for, because it is read at another time. A deadline that has passed
//! removes the key at once and is logged as that; in replay none has passed.

use crate::base::clock::{Millis, NEVER};
use crate::base::event;
use crate::base::number;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Slot;

pub(super) const SPECS: &[Spec] = &[
    EXPIRE,
    Spec {
        name: "pexpire",
        since: "2.6.0",
        summary: "Lets a key expire after a number of milliseconds.",
        syntax: "key milliseconds [NX | XX | GT | LT]",
        run: Run::Write(|args, slot, reply| expire(args, slot, reply, PEXPIRE)),
        ..EXPIRE
    },
    Spec {
        name: "expireat",
        since: "1.2.0",
        summary: "Lets a key expire at a Unix time in seconds.",
        syntax: "key unix-time-seconds [NX | XX | GT | LT]",
        run: Run::Write(|args, slot, reply| expire(args, slot, reply, EXPIREAT)),
        ..EXPIRE
    },
    Spec {
        name: "pexpireat",
        since: "2.6.0",
        summary: "Lets a key expire at a Unix time in milliseconds.",
        syntax: "key unix-time-milliseconds [NX | XX | GT | LT]",
        run: Run::Write(|args, slot, reply| expire(args, slot, reply, PEXPIREAT)),
        ..EXPIRE
    },
];

const EXPIRE: Spec = Spec {
    name: "expire",
    arity: -3,
    keys: &[KeySpec::first(key::RW | key::UPDATE)],
    flags: flag::WRITE | flag::FAST | flag::BRIEF,
    acl: acl::KEYSPACE,
    group: Group::Generic,
    summary: "Lets a key expire after a number of seconds.",
    syntax: "key seconds [NX | XX | GT | LT]",
    run: Run::Write(|args, slot, reply| expire(args, slot, reply, IN_SECONDS)),
    ..Spec::DEFAULT
};

/// How a verb counts time.
#[derive(Clone, Copy)]
struct Verb {
    /// As the refusal of a time out of range names it.
    name: &'static str,
    /// Milliseconds in one unit.
    unit: i64,
    /// Counted from now, or from the epoch.
    from_now: bool,
}

const IN_SECONDS: Verb = Verb { name: "expire", unit: 1000, from_now: true };
const PEXPIRE: Verb = Verb { name: "pexpire", unit: 1, from_now: true };
const EXPIREAT: Verb = Verb { name: "expireat", unit: 1000, from_now: false };
const PEXPIREAT: Verb = Verb { name: "pexpireat", unit: 1, from_now: false };

fn expire(
    args: &mut Args<'_>,
    slot: &mut Slot<'_>,
    reply: &mut Reply<'_>,
    verb: Verb,
) -> Result<Effect, Refusal> {
    let time = args.word()?;
    let condition = Condition::parse(args)?;
    let at = verb.deadline(time, args.now())?;
    if !slot.entry().is_some_and(|entry| condition.allows(entry.deadline(), at)) {
        reply.int(0);
        return Ok(Effect::None);
    }
    reply.int(1);
    let key = slot.key();
    let is_replay = args.now() == 0;
    if at <= args.now() && !is_replay {
        slot.remove();
        return Ok(Effect::instead([b"DEL", key]));
    }
    slot.tell(event::EXPIRE);
    if !slot.set_deadline(Some(at)) {
        // The same deadline again is a change all the same to those who watch the key.
        slot.touch();
    }
    Ok(Effect::instead([b"PEXPIREAT", key, itoa::Buffer::new().format(at).as_bytes()]))
}

impl Verb {
    fn deadline(self, time: &[u8], now: Millis) -> Result<Millis, Refusal> {
        let time = number::parse_i64(time).ok_or(Refusal::NotInteger)?;
        let start = if self.from_now { now } else { 0 };
        let at = time.checked_mul(self.unit).and_then(|ms| ms.checked_add(start));
        // The last millisecond that can be counted means "never" here, so that whoever asks for it gets the one before.
        at.map(|at| at.min(NEVER - 1))
            .ok_or_else(|| Refusal::err(format!("invalid expire time in '{}' command", self.name)))
    }
}

/// When the deadline is to be set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Condition {
    /// Only where there is none.
    nx: bool,
    /// Only where there is one.
    xx: bool,
    /// Only where it becomes later; none is the latest of all.
    gt: bool,
    /// Only where it becomes earlier.
    lt: bool,
}

impl Condition {
    fn parse(args: &mut Args<'_>) -> Result<Condition, Refusal> {
        let mut condition = Condition::default();
        while let Some(option) = args.peek() {
            let flag = if args.accept("NX") {
                &mut condition.nx
            } else if args.accept("XX") {
                &mut condition.xx
            } else if args.accept("GT") {
                &mut condition.gt
            } else if args.accept("LT") {
                &mut condition.lt
            } else {
                return Err(Refusal::err(format!("Unsupported option {}", String::from_utf8_lossy(option))));
            };
            *flag = true;
        }
        let Condition { nx, xx, gt, lt } = condition;
        if nx && (xx || gt || lt) {
            return Err(Refusal::err("NX and XX, GT or LT options at the same time are not compatible"));
        }
        if gt && lt {
            return Err(Refusal::err("GT and LT options at the same time are not compatible"));
        }
        Ok(condition)
    }

    fn allows(self, present: Option<Millis>, at: Millis) -> bool {
        match present {
            // Nothing is later than no deadline, and everything is earlier.
            None => !self.xx && !self.gt,
            Some(present) => !self.nx && (!self.gt || at > present) && (!self.lt || at < present),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overflow_in_either_step_is_refused_by_the_name_of_the_verb() {
        let refused = |verb: Verb, time: &[u8]| {
            verb.deadline(time, 1_000)
                .is_err_and(|refusal| refusal.text().ends_with(&format!("'{}' command", verb.name)))
        };
        assert!(refused(IN_SECONDS, b"9223372036854775807"));
        assert!(refused(IN_SECONDS, b"-9223372036854776"));
        assert!(refused(PEXPIRE, b"9223372036854774808"));
        assert!(refused(EXPIREAT, b"9223372036854776"));
        assert_eq!(PEXPIRE.deadline(b"9223372036854774800", 1_000), Ok(i64::MAX - 7));
        assert_eq!(EXPIREAT.deadline(b"-5", 1_000), Ok(-5_000));
    }

    #[test]
    fn the_greatest_time_is_still_a_deadline() {
        assert_eq!(PEXPIREAT.deadline(b"9223372036854775807", 1_000), Ok(NEVER - 1));
    }

    #[test]
    fn no_deadline_counts_as_later_than_any() {
        let gt = Condition { gt: true, ..Condition::default() };
        let lt = Condition { lt: true, ..Condition::default() };
        assert!(!gt.allows(None, 5) && lt.allows(None, 5));
        assert!(gt.allows(Some(4), 5) && !gt.allows(Some(5), 5));
        assert!(lt.allows(Some(6), 5) && !lt.allows(Some(5), 5));
    }
}
