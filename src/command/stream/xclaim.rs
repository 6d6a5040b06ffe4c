//! XCLAIM key group consumer min-idle-time id [id ...] [option ...] — gives a consumer what is pending with others for long.
//!
//! ```text
//! IDLE ms | TIME unix-time-ms   the time of the delivery; now, where none is given
//! RETRYCOUNT count              how often it was delivered; once more than before, where none is given
//! FORCE                         also what is not pending
//! JUSTID                        answers with ids only, and counts no delivery
//! LASTID id                     the group has read at least up to this id
//! ```
//!
//! What is pending of entries that were deleted since is forgotten. The log gets the outcome: XCLAIM with time and count for what
//! was given, XACK for what was forgotten, XGROUP SETID for the last id.

use super::{
    answer_entry, answer_id, change_group, exact_id, no_group, record_delivery, record_position, stream_of,
    tell_if_missed,
};
use crate::base::clock::Millis;
use crate::base::event;
use crate::base::number;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Record, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Slot;
use crate::value::stream::{self, Id, Log, Pending};

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "xclaim",
    arity: -6,
    keys: &[KeySpec::first(key::RW | key::UPDATE)],
    flags: flag::WRITE | flag::FAST,
    acl: acl::STREAM,
    since: "5.0.0",
    group: Group::Stream,
    summary: "Gives a consumer of a group entries that are pending with others.",
    complexity: "O(log N) with N being the number of messages in the PEL of the consumer group.",
    syntax: "key group consumer min-idle-time id [id ...] [IDLE ms:integer] [TIME unix-time-milliseconds] [RETRYCOUNT count] \
             [FORCE] [JUSTID] [LASTID lastid]",
    run: Run::Write(xclaim),
    ..Spec::DEFAULT
}];

/// What XCLAIM and XAUTOCLAIM do with one entry.
pub(super) struct Claim<'a> {
    pub(super) key: &'a [u8],
    pub(super) group: &'a [u8],
    pub(super) consumer: &'a [u8],
    pub(super) min_idle: i64,
    pub(super) now: Millis,
    pub(super) delivered: Millis,
    pub(super) times: Option<u64>,
    pub(super) force: bool,
    pub(super) just_id: bool,
}

/// What came of it.
#[derive(PartialEq, Eq)]
pub(super) enum Claimed {
    /// It was given, and answered.
    Yes,
    /// It is not pending, or not for long enough.
    No,
    /// It was deleted; if it was pending, that is forgotten.
    Gone,
}

/// What changed besides: told and recorded by the caller.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) record: Record,
    pub(super) made_consumer: bool,
}

impl Outcome {
    /// Tells what was made, and hands over the record.
    pub(super) fn effect(self, slot: &mut Slot<'_>) -> Effect {
        if self.made_consumer {
            slot.tell(event::stream("xgroup-createconsumer"));
        }
        Effect::instead_if_any(self.record)
    }
}

impl<'a> Claim<'a> {
    /// A claim without options, made now.
    pub(super) fn new(
        (key, group, consumer): (&'a [u8], &'a [u8], &'a [u8]),
        min_idle: i64,
        now: Millis,
    ) -> Self {
        Claim {
            key,
            group,
            consumer,
            min_idle,
            now,
            delivered: now,
            times: None,
            force: false,
            just_id: false,
        }
    }

    /// True when there is something to be done with an entry that is pending, or not.
    pub(super) fn applies(&self, id: Id, pending: Option<&Pending>, log: &Log) -> bool {
        match pending {
            None => self.force && log.contains(id),
            Some(pending) => {
                let idle = self.now.saturating_sub(pending.delivered);
                self.min_idle == 0 || idle >= self.min_idle || !log.contains(id)
            }
        }
    }

    /// Gives an entry to the consumer, if it is to be given.
    pub(super) fn take(
        &self,
        id: Id,
        group: &mut stream::Group,
        log: &Log,
        outcome: &mut Outcome,
        reply: &mut Reply<'_>,
    ) -> Claimed {
        let Some(entry) = log.get(id) else {
            if group.acknowledge(id) {
                outcome.record.push([b"XACK", self.key, self.group, &id.text()]);
            }
            return Claimed::Gone;
        };
        let pending = group.pending().get(id);
        if !self.applies(id, pending.as_ref(), log) {
            return Claimed::No;
        }
        if group.add_consumer(self.consumer, self.now) {
            outcome.made_consumer = true;
            outcome.record.push([b"XGROUP", b"CREATECONSUMER", self.key, self.group, self.consumer]);
        }
        // In replay there is no now, and the delivery is the latest that is known of the consumer.
        group.consumer(self.consumer).into_iter().for_each(|consumer| {
            consumer.see(if self.now > 0 { self.now } else { self.delivered });
        });
        let before = pending.map_or(1, |pending| pending.count);
        let times = self.times.unwrap_or(before.saturating_add(u64::from(!self.just_id)));
        group.assign(id, self.consumer, self.delivered, times);
        let whose = (self.key, self.group, self.consumer);
        record_delivery(&mut outcome.record, whose, &[id], (self.delivered, times));
        if self.just_id {
            answer_id(id, reply)
        } else {
            answer_entry(&entry, reply)
        }
        Claimed::Yes
    }
}

fn xclaim(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let (key, name, consumer) = (slot.key(), args.word()?, args.word()?);
    tell_if_missed(slot);
    let min_idle = args.word()?;
    let stream = stream_of(slot.entry())?;
    let found = stream.and_then(|stream| Some((stream.group(name)?, stream.log())));
    let (group, log) = found.ok_or_else(|| no_group(key, name))?;
    let min_idle = number_of(min_idle, "Invalid min-idle-time argument for XCLAIM")?.max(0);
    let mut ids = Vec::new();
    while let Some(word) = args.peek()
        && let Ok(id) = exact_id(word, 0)
    {
        ids.push(id);
        args.next();
    }
    let mut claim = Claim::new((key, name, consumer), min_idle, args.now());
    let last_id = options(args, &mut claim)?.filter(|id| *id > group.last_id);
    let applies = |id: &Id| claim.applies(*id, group.pending().get(*id).as_ref(), log);
    if last_id.is_none() && !ids.iter().any(applies) {
        reply.array(0);
        return Ok(Effect::None);
    }
    let place = reply.defer();
    let (mut outcome, mut given) = (Outcome::default(), 0);
    change_group(slot, name, |group, log| {
        if let Some(last_id) = last_id {
            group.last_id = last_id;
            record_position(&mut outcome.record, key, name, group);
        }
        for id in ids {
            given += usize::from(claim.take(id, group, log, &mut outcome, reply) == Claimed::Yes);
        }
    })?;
    reply.close_array(place, given);
    Ok(outcome.effect(slot))
}

/// Reads the options; the last id, if one is given.
fn options(args: &mut Args<'_>, claim: &mut Claim<'_>) -> Result<Option<Id>, Refusal> {
    let (mut last_id, mut delivered) = (None, None);
    while let Some(word) = args.peek() {
        let more = args.left() > 1;
        if args.accept("FORCE") {
            claim.force = true;
        } else if args.accept("JUSTID") {
            claim.just_id = true;
        } else if more && args.accept("IDLE") {
            let idle = number_of(args.word()?, "Invalid IDLE option argument for XCLAIM")?;
            delivered = Some(claim.now.saturating_sub(idle));
        } else if more && args.accept("TIME") {
            delivered = Some(number_of(args.word()?, "Invalid TIME option argument for XCLAIM")?);
        } else if more && args.accept("RETRYCOUNT") {
            let times = number_of(args.word()?, "Invalid RETRYCOUNT option argument for XCLAIM")?;
            claim.times = u64::try_from(times).ok();
        } else if more && args.accept("LASTID") {
            last_id = Some(exact_id(args.word()?, 0)?);
        } else {
            let word = String::from_utf8_lossy(word);
            return Err(Refusal::err(format!("Unrecognized XCLAIM option '{word}'")));
        }
    }
    // A time that cannot be, by a client's wrong clock, is now. In replay there is no now to compare with.
    let is_possible = |at: &Millis| *at >= 0 && (*at <= claim.now || claim.now == 0);
    claim.delivered = delivered.filter(is_possible).unwrap_or(claim.now);
    Ok(last_id)
}

/// A number, or a refusal with this text.
pub(super) fn number_of(word: &[u8], text: &str) -> Result<i64, Refusal> {
    number::parse_i64(word).ok_or_else(|| Refusal::err(text))
}
