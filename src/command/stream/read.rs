//! What XREAD and XREADGROUP have in common: their words, and where their keys stand among them.
//!
//! ```text
//! [GROUP group consumer] [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] id [id ...]
//! ```

use super::count;
use crate::base::clock::Millis;
use crate::base::number;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Begin, Find, KeySpec, key};
use crate::resp::reply::{Proto, Reply};

/// Where the keys stand: behind the word STREAMS, which is no name of a group or consumer, up to the middle of the rest.
pub(super) const fn keys(from: i32) -> KeySpec {
    const OPTIONS: &[(&str, usize)] = &[("GROUP", 2), ("COUNT", 1), ("BLOCK", 1), ("NOACK", 0)];
    KeySpec {
        flags: key::RO | key::ACCESS,
        begin: Begin::Among { word: "STREAMS", from, options: OPTIONS },
        find: Find::FirstHalf,
    }
}

/// The words of a request.
pub(super) struct Reading<'a> {
    /// The group and the consumer.
    pub(super) group: Option<(&'a [u8], &'a [u8])>,
    pub(super) most: usize,
    /// Whether to wait, and until when.
    pub(super) wait: Option<Option<Millis>>,
    pub(super) acknowledged: bool,
    /// Keys with the ids behind which to read, as they were written.
    pub(super) streams: Vec<(&'a [u8], &'a [u8])>,
}

/// Redis 7.0 says so of XREADGROUP as well.
const UNBALANCED: Refusal = Refusal::line(
    "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.",
);

impl<'a> Reading<'a> {
    pub(super) fn parse(args: &mut Args<'a>, of_group: bool) -> Result<Self, Refusal> {
        let mut reading =
            Reading { group: None, most: usize::MAX, wait: None, acknowledged: false, streams: Vec::new() };
        loop {
            let more = args.left().saturating_sub(1);
            if more > 0 && args.accept("BLOCK") {
                reading.wait = Some(deadline(args.word()?, args.now())?);
            } else if more > 0 && args.accept("COUNT") {
                reading.most = match count(args.int()?) {
                    0 => usize::MAX,
                    most => most,
                };
            } else if more > 0 && args.accept("STREAMS") {
                break;
            } else if more > 1 && args.accept("GROUP") {
                reading.group = Some((args.word()?, args.word()?));
                only_in_group("GROUP", of_group)?;
            } else if args.accept("NOACK") {
                reading.acknowledged = true;
                only_in_group("NOACK", of_group)?;
            } else {
                return Err(Refusal::Syntax);
            }
        }
        let words = args.rest();
        if !words.len().is_multiple_of(2) {
            return Err(UNBALANCED);
        }
        if of_group && reading.group.is_none() {
            return Err(Refusal::line("ERR Missing GROUP option for XREADGROUP"));
        }
        let ids = words.clone().skip(words.len() / 2);
        reading.streams = words.zip(ids).collect();
        Ok(reading)
    }
}

fn only_in_group(option: &str, of_group: bool) -> Result<(), Refusal> {
    if of_group {
        return Ok(());
    }
    Err(Refusal::err(format!(
        "The {option} option is only supported by XREADGROUP. You called XREAD instead."
    )))
}

/// A timeout in milliseconds as the end of the wait; 0 is no end.
fn deadline(word: &[u8], now: Millis) -> Result<Option<Millis>, Refusal> {
    let ms = number::parse_i64(word);
    let ms = ms.ok_or(Refusal::line("ERR timeout is not an integer or out of range"))?;
    match ms {
        0 => Ok(None),
        ..0 => Err(Refusal::line("ERR timeout is negative")),
        _ => now.checked_add(ms).map(Some).ok_or(Refusal::line("ERR timeout is out of range")),
    }
}

/// Begins the part of one key in an answer, which is a map of keys to entries.
pub(super) fn answer_key(key: &[u8], reply: &mut Reply<'_>) {
    if reply.proto() == Proto::Resp2 {
        reply.array(2);
    }
    reply.bulk(key);
}

/// The header over the parts of so many keys.
pub(super) fn answer_header(keys: usize, reply: &mut Reply<'_>) {
    match reply.proto() {
        Proto::Resp2 => reply.array(keys),
        Proto::Resp3 => reply.map(keys),
    }
}
