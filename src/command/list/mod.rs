//! Lists: elements in order, pushed and popped at both ends, and clients that sleep until there is one to pop.

mod blmove;
mod blmpop;
mod blpop;
mod lindex;
mod linsert;
mod llen;
mod lmove;
mod lmpop;
mod lpop;
mod lpos;
mod lpush;
mod lrange;
mod lrem;
mod lset;
mod ltrim;

use crate::base::event::{self, Event};
use crate::base::refusal::Refusal;
use crate::exec::{Args, Spec};
use crate::resp::reply::Reply;
use crate::table::{Entry, Expiry, Slot};
use crate::value::list::ChunkLimit;
use crate::value::{List, TextRef};

pub(super) const FAMILY: &[&[Spec]] = &[
    blmove::SPECS,
    blmpop::SPECS,
    blpop::SPECS,
    lindex::SPECS,
    linsert::SPECS,
    llen::SPECS,
    lmove::SPECS,
    lmpop::SPECS,
    lpop::SPECS,
    lpos::SPECS,
    lpush::SPECS,
    lrange::SPECS,
    lrem::SPECS,
    lset::SPECS,
    ltrim::SPECS,
];

/// Either end of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Left,
    Right,
}

impl End {
    /// The next word, which must be `LEFT` or `RIGHT`.
    fn parse(args: &mut Args<'_>) -> Result<End, Refusal> {
        match args.word()? {
            word if word.eq_ignore_ascii_case(b"left") => Ok(End::Left),
            word if word.eq_ignore_ascii_case(b"right") => Ok(End::Right),
            _ => Err(Refusal::Syntax),
        }
    }

    /// As a word of LMOVE.
    fn name(self) -> &'static [u8] {
        match self {
            End::Left => b"LEFT",
            End::Right => b"RIGHT",
        }
    }

    /// What a push at this end is to those who listen.
    fn push_event(self) -> Event {
        event::list(if self == End::Left { "lpush" } else { "rpush" })
    }

    /// What a pop at this end is to those who listen.
    fn pop_event(self) -> Event {
        event::list(if self == End::Left { "lpop" } else { "rpop" })
    }

    /// The command that pops at this end: what the log gets for all that pop.
    fn pop_name(self) -> &'static [u8] {
        match self {
            End::Left => b"LPOP",
            End::Right => b"RPOP",
        }
    }

    fn push(self, list: &mut List, element: &[u8], limit: ChunkLimit) {
        match self {
            End::Left => list.push_front(element, limit),
            End::Right => list.push_back(element, limit),
        }
    }

    fn pop(self, list: &mut List) -> Option<Vec<u8>> {
        match self {
            End::Left => list.pop_front(),
            End::Right => list.pop_back(),
        }
    }
}

/// The list at a key: none where there is no key, which counts as an empty one.
fn list_of(entry: Option<&Entry>) -> Result<Option<&List>, Refusal> {
    entry.map(|entry| entry.value().list()).transpose()
}

/// Answers with one element.
#[inline]
fn answer(element: TextRef<'_>, reply: &mut Reply<'_>) {
    match element {
        TextRef::Bytes(bytes) => reply.bulk(bytes),
        TextRef::Int(integer) => reply.bulk_int(integer),
    }
}

/// Changes the list that a key is known to hold; the key goes with its last element.
fn change<R>(slot: &mut Slot<'_>, change: impl FnOnce(&mut List) -> R) -> Result<Option<R>, Refusal> {
    let changed = slot.change(|value| value.list_mut().map(|list| (change(list), list.is_empty())));
    let Some((result, is_empty)) = changed.transpose()? else { return Ok(None) };
    if is_empty {
        slot.remove();
    }
    Ok(Some(result))
}

/// Adds elements at an end, one after the other, to a list that is made if it is not there; its length then.
fn push<'e>(
    slot: &mut Slot<'_>,
    end: End,
    elements: impl Iterator<Item = &'e [u8]>,
    limit: ChunkLimit,
) -> Result<usize, Refusal> {
    let add = |list: &mut List| {
        elements.for_each(|element| end.push(list, element, limit));
        list.len()
    };
    if list_of(slot.entry())?.is_some() {
        return change(slot, add).map(Option::unwrap_or_default);
    }
    let mut list = List::new();
    let length = add(&mut list);
    slot.put(list, Expiry::Clear);
    Ok(length)
}

/// Takes up to `most` elements from an end of the list at a key and answers with them, the outermost first, without a
/// header; how many there were.
fn pop(slot: &mut Slot<'_>, end: End, most: usize, reply: &mut Reply<'_>) -> Result<usize, Refusal> {
    let Some(list) = list_of(slot.entry())? else { return Ok(0) };
    let (length, count) = (list.len(), most.min(list.len()));
    match end {
        _ if count == 1 => {
            let element = list.get(if end == End::Left { 0 } else { length - 1 });
            element.into_iter().for_each(|element| answer(element, reply));
        }
        End::Left => list.range(0, count).for_each(|element| answer(element, reply)),
        End::Right => list.range_back(0, count).for_each(|element| answer(element, reply)),
    }
    if count == length {
        slot.remove();
    } else if count > 0 {
        change(slot, |list| match end {
            End::Left => list.remove_front(count),
            End::Right => list.remove_back(count),
        })?;
    }
    Ok(count)
}

/// An index that counts from the end where it is negative, as one from the front; none before the front.
fn from_front(index: i64, length: usize) -> Option<usize> {
    if index >= 0 {
        return usize::try_from(index).ok();
    }
    length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)
}

/// The part of a list from index `start` to `end`, both included and negative from the end: its first index and length.
fn span(start: i64, end: i64, length: usize) -> (usize, usize) {
    let first = from_front(start, length).unwrap_or(0);
    let behind = from_front(end, length).map_or(0, |end| end.saturating_add(1)).min(length);
    (first, behind.saturating_sub(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_counts_from_either_end_and_stays_within() {
        for (start, end, expected) in [
            (0, -1, (0, 5)),
            (1, 2, (1, 2)),
            (-2, -1, (3, 2)),
            (-100, 1, (0, 2)),
            (3, 100, (3, 2)),
            (3, 2, (3, 0)),
            (5, 9, (5, 0)),
            (0, -6, (0, 0)),
            (i64::MIN, i64::MAX, (0, 5)),
        ] {
            assert_eq!(span(start, end, 5), expected, "{start} {end}");
        }
        assert_eq!(span(i64::MAX, i64::MIN, 5).1, 0);
    }
}
