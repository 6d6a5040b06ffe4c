//! RESTORE key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency] — stores what DUMP gave.
//!
//! A payload comes from outside: every byte of it is checked before anything is stored. The log gets the deadline
//! itself, and a payload that Redis 7.0 takes, if the value has one: a newer server may have made the original.

use crate::base::clock::{Millis, NEVER};
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::effect::Record;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::log::rdb::{PayloadError, decode_payload, encode_payload};
use crate::resp::reply::Reply;
use crate::table::{Expiry, Slot};

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "restore",
    arity: -4,
    keys: &[KeySpec::first(key::OW | key::UPDATE)],
    flags: flag::WRITE | flag::DENYOOM,
    acl: acl::KEYSPACE | acl::DANGEROUS,
    since: "2.6.0",
    group: Group::Generic,
    summary: "Stores a value that DUMP wrote.",
    complexity: "O(N) where N is the size of the value; O(N*log(N)) for sorted sets.",
    syntax: "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]",
    run: Run::Write(restore),
    ..Spec::DEFAULT
}];

const BUSY: Refusal = Refusal::line("BUSYKEY Target key name already exists.");
/// The last RDB version that Redis 7.0 reads.
const VERSION_OF_REDIS_7_0: u16 = 10;

#[derive(Debug, Default)]
struct Options {
    replace: bool,
    absolute: bool,
    idle_seconds: Option<u64>,
    frequency: Option<u8>,
}

impl Options {
    fn parse(args: &mut Args<'_>) -> Result<Options, Refusal> {
        let mut options = Options::default();
        while !args.is_done() {
            // Either of the two rules the other out, and each is only an option with a number behind it.
            let has_number = args.left() > 1;
            if args.accept("REPLACE") {
                options.replace = true;
            } else if args.accept("ABSTTL") {
                options.absolute = true;
            } else if has_number && options.frequency.is_none() && args.accept("IDLETIME") {
                let seconds = u64::try_from(args.int()?);
                options.idle_seconds =
                    Some(seconds.map_err(|_| Refusal::err("Invalid IDLETIME value, must be >= 0"))?);
            } else if has_number && options.idle_seconds.is_none() && args.accept("FREQ") {
                let frequency = u8::try_from(args.int()?);
                options.frequency =
                    Some(frequency.map_err(|_| Refusal::err("Invalid FREQ value, must be >= 0 and <= 255"))?);
            } else {
                return Err(Refusal::Syntax);
            }
        }
        Ok(options)
    }
}

fn restore(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    // Options are refused before the time is, though they stand behind it.
    let options = Options::parse(&mut Args::looking(args.request(), 4))?;
    if !options.replace && slot.exists() {
        return Err(BUSY);
    }
    let ttl = args.int_within(0..=i64::MAX, "Invalid TTL value, must be >= 0")?;
    let payload = args.word()?;
    let found = decode_payload(payload, &args.limits()).map_err(|error| {
        Refusal::err(match error {
            PayloadError::Envelope => "DUMP payload version or checksum are wrong",
            PayloadError::Contents => "Bad data format",
        })
    })?;
    reply.ok();
    let deadline = deadline(ttl, options.absolute, args.now());
    let is_replay = args.now() == 0;
    if deadline.is_some_and(|at| at <= args.now()) && !is_replay {
        return Ok(match slot.remove() {
            true => Effect::instead([b"DEL", slot.key()]),
            false => Effect::None,
        });
    }
    let for_log = (found.version > VERSION_OF_REDIS_7_0)
        .then(|| encode_payload(found.value.as_ref(), args.settings().persistence.rdbcompression));
    if slot.exists() {
        // What it replaces counts as removed before, of which nothing is told.
        slot.tell(event::NEW);
    }
    slot.put(found.value, deadline.map_or(Expiry::Clear, Expiry::At));
    slot.tell(event::generic("restore"));
    slot.set_use(options.idle_seconds, options.frequency);
    if for_log.is_none() && (options.absolute || deadline.is_none()) {
        return Ok(Effect::Same);
    }
    let mut at = itoa::Buffer::new();
    let mut words: Vec<&[u8]> = args.request().iter().collect();
    if let [_, _, ttl, value, ..] = &mut words[..] {
        *ttl = at.format(deadline.unwrap_or(0)).as_bytes();
        *value = for_log.as_deref().unwrap_or(payload);
    }
    if !options.absolute {
        words.push(b"ABSTTL");
    }
    let mut record = Record::default();
    record.push_words(&words);
    Ok(Effect::Instead(record))
}

/// When the key is to go; a time to live of 0 is none.
fn deadline(ttl: i64, absolute: bool, now: Millis) -> Option<Millis> {
    // The last millisecond that can be counted means "never", so that whoever asks for it gets the one before.
    let at = if absolute { ttl } else { ttl.saturating_add(now) };
    (ttl != 0).then(|| at.min(NEVER - 1))
}
