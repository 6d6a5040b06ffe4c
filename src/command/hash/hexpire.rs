//! HEXPIRE key seconds [NX | XX | GT | LT] FIELDS n field [field ...] — gives fields a deadline. HPEXPIRE counts in
//! milliseconds; HEXPIREAT and HPEXPIREAT name the time itself.
//!
//! For each field: 1 if it was done, 0 if the condition did not hold, 2 if the time had passed and the field was
//! removed at once, -2 if there is no such field. The log gets HPEXPIREAT of the fields to which it was done, or HDEL.

use super::deadline::{self, Unit};
use super::{change, fields, hash_of};
use crate::base::clock::{Millis, NEVER};
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Slot;
use crate::value::Hash;

pub(super) const SPECS: &[Spec] = &[
    HEXPIRE,
    Spec {
        name: "hpexpire",
        summary: "Lets fields of a hash expire after a number of milliseconds.",
        syntax: "key milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
        run: Run::Write(|args, slot, reply| expire(args, slot, reply, Unit::PX, "hpexpire")),
        ..HEXPIRE
    },
    Spec {
        name: "hexpireat",
        summary: "Lets fields of a hash expire at a Unix time in seconds.",
        syntax: "key unix-time-seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
        run: Run::Write(|args, slot, reply| expire(args, slot, reply, Unit::EXAT, "hexpireat")),
        ..HEXPIRE
    },
    Spec {
        name: "hpexpireat",
        summary: "Lets fields of a hash expire at a Unix time in milliseconds.",
        syntax: "key unix-time-milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
        run: Run::Write(|args, slot, reply| expire(args, slot, reply, Unit::PXAT, "hpexpireat")),
        ..HEXPIRE
    },
];

const HEXPIRE: Spec = Spec {
    name: "hexpire",
    arity: -6,
    keys: &[KeySpec::first(key::RW | key::UPDATE)],
    flags: flag::WRITE | flag::DENYOOM | flag::FAST,
    acl: acl::HASH,
    since: "7.4.0",
    group: Group::Hash,
    summary: "Lets fields of a hash expire after a number of seconds.",
    complexity: "O(N) where N is the number of specified fields.",
    syntax: "key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    event: Some(event::hash("hexpire")),
    run: Run::Write(|args, slot, reply| expire(args, slot, reply, Unit::EX, "hexpire")),
    ..Spec::DEFAULT
};

/// When the deadline is to be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Always,
    /// Only where there is none.
    Nx,
    /// Only where there is one.
    Xx,
    /// Only where it becomes later; none is the latest of all.
    Gt,
    /// Only where it becomes earlier.
    Lt,
}

impl Condition {
    fn read(args: &mut Args<'_>) -> Condition {
        let words =
            [("NX", Condition::Nx), ("XX", Condition::Xx), ("GT", Condition::Gt), ("LT", Condition::Lt)];
        words
            .into_iter()
            .find(|(word, _)| args.accept(word))
            .map_or(Condition::Always, |(_, condition)| condition)
    }

    /// [`NEVER`] as the present deadline is later than any that can be set.
    fn allows(self, present: Millis, at: Millis) -> bool {
        match self {
            Condition::Always => true,
            Condition::Nx => present == NEVER,
            Condition::Xx => present != NEVER,
            Condition::Gt => at > present,
            Condition::Lt => at < present,
        }
    }
}

const NO_FIELD: i64 = -2;
const NOT_ALLOWED: i64 = 0;
const SET: i64 = 1;
const REMOVED: i64 = 2;

fn expire(
    args: &mut Args<'_>,
    slot: &mut Slot<'_>,
    reply: &mut Reply<'_>,
    unit: Unit,
    command: &'static str,
) -> Result<Effect, Refusal> {
    let hash = hash_of(slot.entry())?;
    let at = unit.moment(args.word()?, args.now(), command)?;
    let condition = Condition::read(args);
    let names = fields::read(args, fields::NOT_GREATER)?;
    let is_past = deadline::is_past(at, args.now());
    let outcome = |hash: &Hash, name: &[u8]| match hash.field(name) {
        None => NO_FIELD,
        Some(field) if !condition.allows(field.deadline, at) => NOT_ALLOWED,
        Some(_) if is_past => REMOVED,
        Some(_) => SET,
    };
    reply.array(names.len());
    if !hash.is_some_and(|hash| names.iter().any(|name| outcome(hash, name) > 0)) {
        names.iter().for_each(|name| reply.int(hash.map_or(NO_FIELD, |hash| outcome(hash, name))));
        return Ok(Effect::None);
    }
    if is_past {
        slot.tell(event::HDEL);
    }
    let mut done = Vec::new();
    change(slot, |hash| {
        for name in names {
            // Asked again for each: a field may be named twice.
            let outcome = outcome(hash, name);
            match outcome {
                SET => hash.set_deadline(name, Some(at)),
                REMOVED => hash.remove(name),
                _ => false,
            };
            if outcome > 0 {
                done.push(name);
            }
            reply.int(outcome);
        }
    })?;
    Ok(if is_past {
        fields::removed(slot, &done)
    } else {
        fields::effect(&[b"HPEXPIREAT", slot.key(), itoa::Buffer::new().format(at).as_bytes()], &done)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_deadline_counts_as_later_than_any() {
        assert!(!Condition::Gt.allows(NEVER, 5) && Condition::Lt.allows(NEVER, 5));
        assert!(Condition::Gt.allows(4, 5) && !Condition::Gt.allows(5, 5));
        assert!(Condition::Lt.allows(6, 5) && !Condition::Lt.allows(5, 5));
        assert!(Condition::Nx.allows(NEVER, 5) && !Condition::Nx.allows(4, 5));
        assert!(!Condition::Xx.allows(NEVER, 5) && Condition::Xx.allows(4, 5));
    }
}
