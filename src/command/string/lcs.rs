//! LCS key1 key2 — the longest common subsequence of two strings.
//!
//! ```text
//! LEN                    its length instead
//! IDX                    where it lies in both, as runs of bytes from the last to the first, and its length
//! MINMATCHLEN n          no runs shorter than this
//! WITHMATCHLEN           the length of each run as well
//! ```
//!
//! The work grows with the product of the lengths, so that is bounded: where Redis's table of four bytes for each pair
//! of positions would be longer than a string may be, it refuses, and so do we.

use super::subsequence::{Match, length, matches};
use crate::base::limits;
use crate::base::number;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Begin, Effect, Find, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Locked;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "lcs",
    arity: -3,
    keys: &[KeySpec {
        flags: key::RO | key::ACCESS,
        begin: Begin::Index(1),
        find: Find::Range { last: 1, step: 1 },
    }],
    flags: flag::READONLY,
    acl: acl::STRING,
    since: "7.0.0",
    group: Group::String,
    summary: "Finds the longest common subsequence of two strings.",
    complexity: "O(N*M) where N and M are the lengths of the strings",
    syntax: "key1 key2 [LEN] [IDX] [MINMATCHLEN len] [WITHMATCHLEN]",
    run: Run::Keys(lcs),
    ..Spec::DEFAULT
}];

fn lcs(args: &mut Args<'_>, locked: &mut Locked<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let a = string(args.word()?, args.db(), locked)?;
    let b = string(args.word()?, args.db(), locked)?;
    let options = Options::read(args)?;
    if table_bytes(a.len(), b.len()) > limits::STRING_BYTES_MAX as u64 {
        return Err(Refusal::line(
            "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
        ));
    }
    if options.len {
        reply.int(length(&a, &b) as i64);
        return Ok(Effect::None);
    }
    let matches = matches(&a, &b);
    if options.idx {
        write_matches(&matches, &options, reply);
    } else {
        let parts: Vec<&[u8]> = matches.iter().rev().map(|part| &a[part.a..part.a + part.length]).collect();
        reply.bulk(&parts.concat());
    }
    Ok(Effect::None)
}

/// A copy of the string of a key, the empty one where there is no key: two slots cannot be open at once.
fn string(key: &[u8], db: usize, locked: &mut Locked<'_>) -> Result<Vec<u8>, Refusal> {
    let mut slot = locked.slot(db, key);
    slot.mark_used();
    match slot.text() {
        Ok(Some(text)) => Ok(text.bytes(&mut itoa::Buffer::new()).to_vec()),
        Ok(None) => Ok(Vec::new()),
        Err(_) => Err(Refusal::line("ERR The specified keys must contain string values")),
    }
}

/// Bytes of Redis's table for strings of these lengths, neither of which is longer than a string may be.
fn table_bytes(a: usize, b: usize) -> u64 {
    (a as u64 + 1) * (b as u64 + 1) * 4
}

#[derive(Default)]
struct Options {
    len: bool,
    idx: bool,
    with_match_len: bool,
    /// 0 for runs of any length.
    min_match_len: usize,
}

impl Options {
    fn read(args: &mut Args<'_>) -> Result<Self, Refusal> {
        let mut options = Options::default();
        while let Some(word) = args.next() {
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            if is("LEN") {
                options.len = true;
            } else if is("IDX") {
                options.idx = true;
            } else if is("WITHMATCHLEN") {
                options.with_match_len = true;
            } else if is("MINMATCHLEN") {
                let least = number::parse_i64(args.word()?).ok_or(Refusal::NotInteger)?;
                options.min_match_len = least.max(0) as usize;
            } else {
                return Err(Refusal::Syntax);
            }
        }
        if options.len && options.idx {
            return Err(Refusal::line("ERR If you want both the length and indexes, please just use IDX."));
        }
        Ok(options)
    }
}

fn write_matches(matches: &[Match], options: &Options, reply: &mut Reply<'_>) {
    let shown = || matches.iter().filter(|part| part.length >= options.min_match_len);
    reply.map(2);
    reply.bulk(b"matches");
    reply.array(shown().count());
    for part in shown() {
        reply.array(2 + usize::from(options.with_match_len));
        for start in [part.a, part.b] {
            reply.array(2);
            reply.int(start as i64);
            reply.int((start + part.length - 1) as i64);
        }
        if options.with_match_len {
            reply.int(part.length as i64);
        }
    }
    reply.bulk(b"len");
    reply.int(matches.iter().map(|part| part.length).sum::<usize>() as i64);
}
