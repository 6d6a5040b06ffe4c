//! Ids in order, each with something about it: what a group has delivered and nobody has acknowledged yet.
//!
//! Sorted pieces of up to 128 ids, found by bisection. Pieces are shared between clones and copied when written, so that a
//! snapshot of a long ledger costs a reference for each piece. Ids mostly come in at the end and leave at the front.

use std::collections::VecDeque;

use triomphe::Arc;

use super::id::Id;
use crate::value::ARC_HEAD;

/// Ids in one piece.
const PIECE_MAX: usize = 128;
/// A piece that shrinks to so few ids is put together with a neighbour, if both together leave room for more.
const PIECE_MIN: usize = 32;
/// What a piece keeps around its ids, in bytes: the count of references, and the vector's own.
const PIECE_HEAD: usize = ARC_HEAD + 24;

/// See the head of this file.
#[derive(Clone)]
pub struct Ledger<V> {
    /// None is empty.
    pieces: VecDeque<Arc<Vec<(Id, V)>>>,
    len: usize,
    /// Room in all pieces, in ids.
    room: usize,
}

impl<V> Default for Ledger<V> {
    fn default() -> Self {
        Ledger { pieces: VecDeque::new(), len: 0, room: 0 }
    }
}

impl<V: Copy> Ledger<V> {
    /// Number of ids.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True without ids.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Heap bytes held.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.room * size_of::<(Id, V)>()
            + self.pieces.len() * PIECE_HEAD
            + self.pieces.capacity() * size_of::<usize>()
    }

    /// What stands with an id.
    #[must_use]
    pub fn get(&self, id: Id) -> Option<V> {
        let (piece, at) = self.find(id);
        self.pieces.get(piece)?.get(at.ok()?).map(|(_, value)| *value)
    }

    /// The first id that is not lower than this one.
    #[must_use]
    pub fn at_or_after(&self, id: Id) -> Option<(Id, V)> {
        self.range(id).next()
    }

    /// The first id.
    #[must_use]
    pub fn first(&self) -> Option<Id> {
        self.pieces.front()?.first().map(|(id, _)| *id)
    }

    /// The last id.
    #[must_use]
    pub fn last(&self) -> Option<Id> {
        self.pieces.back()?.last().map(|(id, _)| *id)
    }

    /// All from an id on, in order.
    pub fn range(&self, from: Id) -> impl Iterator<Item = (Id, V)> {
        let (piece, at) = self.find(from);
        let skipped = at.unwrap_or_else(|at| at);
        let pieces = self.pieces.range(piece.min(self.pieces.len())..);
        pieces.flat_map(|piece| piece.iter().copied()).skip(skipped)
    }

    /// Sets what stands with an id; what stood with it.
    pub fn insert(&mut self, id: Id, value: V) -> Option<V> {
        let (piece, at) = self.find(id);
        let at = match at {
            Ok(at) => {
                return self.edit(piece, |piece| {
                    piece.get_mut(at).map(|(_, present)| std::mem::replace(present, value))
                });
            }
            Err(at) => at,
        };
        self.len += 1;
        match self.pieces.get(piece).map(|piece| piece.len()) {
            None => self.add(piece, vec![(id, value)]),
            Some(PIECE_MAX) if at == PIECE_MAX => self.add(piece + 1, vec![(id, value)]),
            Some(PIECE_MAX) => {
                let half = PIECE_MAX / 2;
                let tail = self.edit(piece, |piece| piece.split_off(half));
                self.add(piece + 1, tail);
                let (piece, at) = if at <= half { (piece, at) } else { (piece + 1, at - half) };
                self.edit(piece, |piece| piece.insert(at, (id, value)));
            }
            Some(_) => self.edit(piece, |piece| piece.insert(at, (id, value))),
        }
        None
    }

    /// Takes an id out; what stood with it.
    pub fn remove(&mut self, id: Id) -> Option<V> {
        let (place, at) = self.find(id);
        let at = at.ok()?;
        let (value, left) = self.edit(place, |piece| {
            let value = (at < piece.len()).then(|| piece.remove(at).1);
            (value, piece.len())
        });
        let value = value?;
        self.len -= 1;
        match left {
            0 => drop(self.take(place)),
            1..PIECE_MIN => self.join(place),
            _ => {}
        }
        Some(value)
    }

    /// Puts a small piece together with the one behind it or before it.
    fn join(&mut self, place: usize) {
        let len = |place: usize| self.pieces.get(place).map_or(0, |piece| piece.len());
        let fits = |a: usize, b: usize| len(b) > 0 && len(a) + len(b) <= PIECE_MAX - PIECE_MIN;
        let first = match place.checked_sub(1) {
            _ if fits(place, place + 1) => place,
            Some(before) if fits(before, place) => before,
            _ => return,
        };
        if let Some(second) = self.take(first + 1) {
            self.edit(first, |piece| piece.extend_from_slice(&second));
        }
    }

    /// In which piece an id is, and where; or where it would be.
    fn find(&self, id: Id) -> (usize, Result<usize, usize>) {
        let after = self.pieces.partition_point(|piece| piece.first().is_some_and(|(first, _)| *first <= id));
        let place = after.saturating_sub(1);
        let at =
            self.pieces.get(place).map_or(Err(0), |piece| piece.binary_search_by_key(&id, |(id, _)| *id));
        (place, at)
    }

    fn add(&mut self, place: usize, piece: Vec<(Id, V)>) {
        self.room += piece.capacity();
        self.pieces.insert(place.min(self.pieces.len()), Arc::new(piece));
    }

    fn take(&mut self, place: usize) -> Option<Arc<Vec<(Id, V)>>> {
        let piece = self.pieces.remove(place)?;
        self.room -= piece.capacity();
        Some(piece)
    }

    fn edit<R: Default>(&mut self, place: usize, change: impl FnOnce(&mut Vec<(Id, V)>) -> R) -> R {
        let Some(piece) = self.pieces.get_mut(place) else { return R::default() };
        let before = piece.capacity();
        let piece = Arc::make_mut(piece);
        let result = change(piece);
        self.room = self.room + piece.capacity() - before;
        result
    }
}

impl<V: Copy + PartialEq> PartialEq for Ledger<V> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.range(Id::MIN).eq(other.range(Id::MIN))
    }
}

impl<V: Copy + std::fmt::Debug> std::fmt::Debug for Ledger<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.range(Id::MIN)).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_ledger_is_an_ordered_map(
            steps in prop::collection::vec((any::<bool>(), 0u64..900, any::<u8>()), 1..1500),
            rising: bool,
        ) {
            let (mut ledger, mut model, mut kept) = (Ledger::default(), BTreeMap::new(), None);
            for (at, (adds, seq, value)) in steps.into_iter().enumerate() {
                let seq = if rising && adds { 1000 + at as u64 } else { seq };
                let id = Id { ms: seq / 7, seq };
                if adds {
                    prop_assert_eq!(ledger.insert(id, value), model.insert(id, value));
                } else {
                    prop_assert_eq!(ledger.remove(id), model.remove(&id));
                }
                prop_assert_eq!((ledger.len(), ledger.get(id)), (model.len(), model.get(&id).copied()));
                prop_assert!(ledger.pieces.iter().all(|piece| !piece.is_empty()));
                if at == 300 {
                    kept = Some((ledger.clone(), model.clone()));
                }
            }
            for (ledger, model) in std::iter::once((ledger, model)).chain(kept) {
                prop_assert!(ledger.range(Id::MIN).eq(model.iter().map(|(id, value)| (*id, *value))));
                prop_assert_eq!(ledger.first(), model.keys().next().copied());
                prop_assert_eq!(ledger.last(), model.keys().next_back().copied());
                let middle = Id { ms: 60, seq: 0 };
                let expected = model.range(middle..).next().map(|(id, value)| (*id, *value));
                prop_assert_eq!(ledger.at_or_after(middle), expected);
                let room: usize = ledger.pieces.iter().map(|piece| piece.capacity()).sum();
                prop_assert_eq!(ledger.room, room);
            }
        }
    }
}
