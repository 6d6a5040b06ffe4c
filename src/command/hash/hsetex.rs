//! HSETEX key [FNX | FXX] [EX | PX | EXAT | PXAT n | KEEPTTL] FIELDS n field value [field value ...] — sets fields with a
//! deadline: 1, or 0 where a condition does not hold.
//!
//! FNX asks that none of the fields exists, FXX that all do. Without KEEPTTL a field loses the deadline it had. The log
//! gets HSET, and HPEXPIREAT for the deadlines that the fields have afterwards; a moment that has passed removes the fields.

use super::deadline::{self, Unit};
use super::{change, fields, hash_of};
use crate::base::clock::{Millis, NEVER};
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::effect::Record;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Slot;
use crate::value::Hash;
use std::collections::BTreeMap;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "hsetex",
    arity: -6,
    keys: &[KeySpec::first(key::RW | key::UPDATE)],
    flags: flag::WRITE | flag::DENYOOM | flag::FAST,
    acl: acl::HASH,
    since: "8.0.0",
    group: Group::Hash,
    summary: "Sets fields of a hash and when they expire.",
    complexity: "O(N) where N is the number of fields being set.",
    syntax: "key [FNX | FXX] [EX seconds | PX milliseconds | EXAT unix-time-seconds \
             | PXAT unix-time-milliseconds | KEEPTTL] FIELDS numfields field value [field value ...]",
    run: Run::Write(hsetex),
    ..Spec::DEFAULT
}];

/// What becomes of the deadlines.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expiry {
    Clear,
    Keep,
    At(Millis),
}

struct Options<'a> {
    /// True: only if none of the fields exists; false: only if all do.
    none_exists: Option<bool>,
    expiry: Option<Expiry>,
    pairs: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> Options<'a> {
    fn read(args: &mut Args<'a>) -> Result<Options<'a>, Refusal> {
        let mut options = Options { none_exists: None, expiry: None, pairs: Vec::new() };
        while let Some(word) = args.next() {
            let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
            if is(b"FNX") || is(b"FXX") {
                if options.none_exists.replace(is(b"FNX")).is_some() {
                    return Err(Refusal::line("ERR Only one of FXX or FNX arguments can be specified"));
                }
            } else if is(b"KEEPTTL") || Unit::named(word).is_some() {
                if options.expiry.is_some() {
                    return Err(Refusal::line(
                        "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified",
                    ));
                }
                options.expiry = Some(match Unit::named(word) {
                    Some(unit) => Expiry::At(unit.moment(args.word()?, args.now(), "hsetex")?),
                    None => Expiry::Keep,
                });
            } else if is(b"FIELDS") {
                let count = fields::count(args).ok_or(Refusal::line("ERR invalid number of fields"))?;
                if count.checked_mul(2) != Some(args.left()) {
                    return Err(Refusal::Arity("hsetex".into()));
                }
                while let (Some(name), Some(value)) = (args.next(), args.next()) {
                    options.pairs.push((name, value));
                }
                return Ok(options);
            } else {
                return Err(Refusal::err(format!("unknown argument: {}", String::from_utf8_lossy(word))));
            }
        }
        Err(Refusal::line("ERR missing FIELDS argument"))
    }

    fn allows(&self, hash: Option<&Hash>) -> bool {
        let exists = |(name, _): &(&[u8], &[u8])| hash.is_some_and(|hash| hash.contains(name));
        match self.none_exists {
            None => true,
            Some(true) => !self.pairs.iter().any(exists),
            Some(false) => self.pairs.iter().all(exists),
        }
    }
}

fn hsetex(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let options = Options::read(args)?;
    let hash = hash_of(slot.entry())?;
    if !options.allows(hash) {
        reply.int(0);
        return Ok(Effect::None);
    }
    reply.int(1);
    let expiry = options.expiry.unwrap_or(Expiry::Clear);
    if matches!(expiry, Expiry::At(at) if deadline::is_past(at, args.now())) {
        let names = options.pairs.iter().map(|&(name, _)| name);
        let there: Vec<&[u8]> = names.filter(|name| hash.is_some_and(|hash| hash.contains(name))).collect();
        if there.is_empty() {
            return Ok(Effect::None);
        }
        slot.tell(event::HDEL);
        change(slot, |hash| {
            for name in &there {
                hash.remove(name);
            }
        })?;
        return Ok(fields::removed(slot, &there));
    }
    let limits = args.hash_limits();
    change(slot, |hash| {
        for (name, value) in &options.pairs {
            match expiry {
                Expiry::Keep => hash.update(name, value, &limits),
                Expiry::Clear | Expiry::At(_) => hash.set(name, value, &limits),
            };
            if let Expiry::At(at) = expiry {
                hash.set_deadline(name, Some(at));
            }
        }
    })?;
    slot.tell(event::hash("hset"));
    if matches!(expiry, Expiry::At(_)) {
        slot.tell(event::hash("hexpire"));
    }
    Ok(Effect::Instead(record(&options.pairs, slot)?))
}

/// The fields as they are now, for the log.
fn record(pairs: &[(&[u8], &[u8])], slot: &Slot<'_>) -> Result<Record, Refusal> {
    let mut record = Record::default();
    let mut words: Vec<&[u8]> = vec![b"HSET", slot.key()];
    words.extend(pairs.iter().flat_map(|&(name, value)| [name, value]));
    record.push_words(&words);
    let mut due: BTreeMap<Millis, Vec<&[u8]>> = BTreeMap::new();
    let hash = hash_of(slot.entry())?;
    for &(name, _) in pairs {
        if let Some(field) = hash.and_then(|hash| hash.field(name)).filter(|field| field.deadline != NEVER) {
            due.entry(field.deadline).or_default().push(name);
        }
    }
    for (at, names) in due {
        let mut number = itoa::Buffer::new();
        fields::push(&mut record, &[b"HPEXPIREAT", slot.key(), number.format(at).as_bytes()], &names);
    }
    Ok(record)
}
