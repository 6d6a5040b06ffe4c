//! LPOS key element [RANK rank] [COUNT num-matches] [MAXLEN len] — indexes of elements that equal this one: from match
//! number rank on (negative: backwards from the end), as many as asked for, among the first or last len elements.

use super::list_of;
use crate::base::number;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Entry;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "lpos",
    arity: -3,
    keys: &[KeySpec::first(key::RO | key::ACCESS)],
    flags: flag::READONLY,
    acl: acl::LIST,
    since: "6.0.6",
    group: Group::List,
    summary: "Finds the indexes of elements of a list that equal the given one.",
    complexity: "O(N) where N is the number of elements compared: up to MAXLEN, or up to the last match asked for",
    syntax: "key element [RANK rank] [COUNT num-matches:integer] [MAXLEN len]",
    // It may have to go through all of it, and copying the references to a list's chunks takes no time to speak of.
    reads_much: Some(|_, _| true),
    run: Run::Read(lpos),
    ..Spec::DEFAULT
}];

fn lpos(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let element = args.word()?;
    let (mut rank, mut count, mut most) = (1, None, usize::MAX);
    while let Some(option) = args.next() {
        let value = args.word()?;
        if option.eq_ignore_ascii_case(b"rank") {
            rank = number::parse_i64(value).ok_or(Refusal::NotInteger)?;
            if rank == 0 {
                return Err(Refusal::line(
                    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use \
                     negative to start from the end of the list",
                ));
            }
        } else if option.eq_ignore_ascii_case(b"count") {
            count = Some(number_of(value, "COUNT can't be negative")?);
        } else if option.eq_ignore_ascii_case(b"maxlen") {
            most = number_of(value, "MAXLEN can't be negative")?;
        } else {
            return Err(Refusal::Syntax);
        }
    }
    let skipped = usize::try_from(rank.unsigned_abs() - 1).unwrap_or(usize::MAX);
    let wanted = count.unwrap_or(1);
    let mut found = Vec::new();
    if let Some(list) = list_of(entry)? {
        if rank > 0 {
            found.extend(list.positions(element, most).skip(skipped).take(wanted));
        } else {
            found.extend(list.positions_back(element, most).skip(skipped).take(wanted));
        }
    }
    match (count, found.first()) {
        (None, None) => reply.null(),
        (None, Some(&index)) => reply.int(index as i64),
        (Some(_), _) => {
            reply.array(found.len());
            found.iter().for_each(|&index| reply.int(index as i64));
        }
    }
    Ok(())
}

/// A number that is not negative; 0 is "all".
fn number_of(word: &[u8], refusal: &str) -> Result<usize, Refusal> {
    match number::parse_i64(word).and_then(|number| usize::try_from(number).ok()) {
        Some(0) => Ok(usize::MAX),
        Some(number) => Ok(number),
        None => Err(Refusal::err(refusal)),
    }
}
