//! The entries of a stream: chunks in the order of their ids, under a directory of two levels.
//!
//! ```text
//! leaves (a deque) -> up to 64 chunks each -> up to 100 entries each
//! ```
//!
//! An id is found by bisection, first of the leaves, then of a leaf's chunks, then by walking one chunk. Ids only grow, so
//! entries are added at the end and mostly removed at the front. Leaves and chunks are shared between clones and copied when
//! written: a clone costs one reference for some 6400 entries, and the first write after it one leaf of references and one
//! chunk.

use std::collections::VecDeque;

use triomphe::Arc;

use super::chunk::{Chunk, ChunkLimit, Entry};
use super::id::Id;
use crate::value::ARC_HEAD;
use crate::value::listpack::{Listpack, Pos};

/// Chunks of one leaf.
const LEAF_MAX: usize = 64;

/// See the head of this file.
#[derive(Clone, Default)]
pub(super) struct Entries {
    leaves: VecDeque<Arc<Leaf>>,
    len: usize,
    chunks: usize,
    bytes: usize,
}

/// Chunks that follow each other; never none.
#[derive(Clone, Default)]
struct Leaf(Vec<Arc<Chunk>>);

/// Which leaf, and which of its chunks.
type Place = (usize, usize);

/// What trimming removes: everything in front of some entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trim {
    /// So many entries stay.
    ToLength(usize),
    /// Entries with lower ids go.
    Below(Id),
}

impl Entries {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Number of chunks, and of leaves.
    pub(super) fn parts(&self) -> (usize, usize) {
        (self.chunks, self.leaves.len())
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.bytes + self.leaves.capacity() * size_of::<Arc<Leaf>>()
    }

    /// The ids of the chunks with their listpacks, in order.
    pub(super) fn packs(&self) -> impl Iterator<Item = (Id, &Listpack)> {
        self.leaves.iter().flat_map(|leaf| leaf.0.iter()).map(|chunk| (chunk.base(), chunk.pack()))
    }

    /// Adds an entry, whose id is higher than all others.
    pub(super) fn push(&mut self, id: Id, words: &[&[u8]], limit: ChunkLimit) {
        let bytes = words.iter().map(|word| word.len()).sum();
        if let Some(chunk) = self.last_chunk()
            && !chunk.takes(bytes, limit)
        {
            self.edit(self.last_place(), Chunk::shrink);
            self.push_chunk(Chunk::new(id, words));
        } else if self.leaves.is_empty() {
            self.push_chunk(Chunk::new(id, words));
        }
        self.edit(self.last_place(), |chunk| chunk.push(id, words));
        self.len += 1;
    }

    /// Adds a chunk behind all others. False, and nothing is done, where it does not belong there.
    pub(super) fn adopt(&mut self, base: Id, pack: Listpack) -> bool {
        let Some(chunk) = Chunk::adopt(base, pack) else { return false };
        if self.last_id().is_some_and(|last| last >= base) {
            return false;
        }
        if chunk.len() > 0 {
            self.len += chunk.len();
            self.push_chunk(chunk);
        }
        true
    }

    fn push_chunk(&mut self, chunk: Chunk) {
        if self.leaves.back().is_none_or(|leaf| leaf.0.len() >= LEAF_MAX) {
            self.leaves.push_back(Arc::default());
            self.bytes += weight_of_leaf(&Leaf::default());
        }
        self.chunks += 1;
        self.bytes += weight_of_chunk(&chunk);
        if let Some(leaf) = self.leaves.back_mut() {
            let leaf = Arc::make_mut(leaf);
            let before = weight_of_leaf(leaf);
            leaf.0.push(Arc::new(chunk));
            self.bytes = self.bytes + weight_of_leaf(leaf) - before;
        }
    }

    /// Takes an entry out; true when it was there.
    pub(super) fn remove(&mut self, id: Id) -> bool {
        let Some(place) = self.place_of(id) else { return false };
        let Some(at) = self.chunk(place).and_then(|chunk| chunk.find(id)) else { return false };
        self.edit(place, |chunk| chunk.remove(at));
        self.len -= 1;
        self.drop_if_empty(place);
        true
    }

    /// Removes entries from the front; how many. If `whole` is set, only whole chunks go, and no more than `at_most` entries.
    pub(super) fn trim(&mut self, trim: Trim, whole: bool, at_most: usize) -> usize {
        let mut removed = 0;
        while self.trims(trim, whole, at_most.saturating_sub(removed)) {
            let in_chunk = self.chunk((0, 0)).map_or(0, Chunk::len);
            if !self.loses_first_chunk(trim) {
                let others = self.len - in_chunk;
                let part = self.edit((0, 0), |chunk| {
                    chunk.remove_front(|id, left| match trim {
                        Trim::ToLength(length) => others + left > length,
                        Trim::Below(lowest) => id < lowest,
                    })
                });
                self.len -= part;
                // What is left of the chunk stays.
                return removed + part;
            }
            self.len -= in_chunk;
            removed += in_chunk;
            self.drop_chunk((0, 0));
        }
        removed
    }

    /// True when [`Entries::trim`] would remove anything.
    pub(super) fn trims(&self, trim: Trim, whole: bool, at_most: usize) -> bool {
        let in_chunk = self.chunk((0, 0)).map_or(0, Chunk::len);
        let applies = match trim {
            Trim::ToLength(length) => self.len > length,
            Trim::Below(id) => self.first_id().is_some_and(|first| first < id),
        };
        applies && (!whole || (in_chunk <= at_most && self.loses_first_chunk(trim)))
    }

    /// True when trimming takes the whole first chunk.
    fn loses_first_chunk(&self, trim: Trim) -> bool {
        self.chunk((0, 0)).is_some_and(|chunk| match trim {
            Trim::ToLength(length) => self.len - chunk.len() >= length,
            Trim::Below(id) => chunk.last_id().is_some_and(|last| last < id),
        })
    }

    /// True when there is an entry with this id.
    pub(super) fn contains(&self, id: Id) -> bool {
        self.get(id).is_some()
    }

    /// The entry with this id.
    pub(super) fn get(&self, id: Id) -> Option<Entry<'_>> {
        let chunk = self.chunk(self.place_of(id)?)?;
        chunk.read(chunk.find(id)?).map(|(entry, _)| entry)
    }

    pub(super) fn first_id(&self) -> Option<Id> {
        let chunk = self.chunk((0, 0))?;
        chunk.read(chunk.start()?).map(|(entry, _)| entry.id)
    }

    pub(super) fn last_id(&self) -> Option<Id> {
        self.last_chunk()?.last_id()
    }

    /// Entries from one id to another, both included, lowest first.
    pub(super) fn range(&self, from: Id, to: Id) -> Forward<'_> {
        Forward { entries: self, place: self.place_of(from).unwrap_or((0, 0)), at: None, from, to }
    }

    /// As [`Entries::range`], highest first.
    pub(super) fn range_back(&self, from: Id, to: Id) -> Backward<'_> {
        Backward { entries: self, place: self.place_of(to), at: None, from, to }
    }

    /// Where the chunk is in which an id would be: the last that begins at or before it.
    fn place_of(&self, id: Id) -> Option<Place> {
        let base = |leaf: &Leaf| leaf.0.first().map(|chunk| chunk.base());
        let leaf =
            self.leaves.partition_point(|leaf| base(leaf).is_some_and(|base| base <= id)).checked_sub(1)?;
        let chunks = &self.leaves.get(leaf)?.0;
        Some((leaf, chunks.partition_point(|chunk| chunk.base() <= id).checked_sub(1)?))
    }

    fn last_place(&self) -> Place {
        let leaf = self.leaves.len().saturating_sub(1);
        (leaf, self.leaves.back().map_or(0, |leaf| leaf.0.len().saturating_sub(1)))
    }

    fn last_chunk(&self) -> Option<&Chunk> {
        self.chunk(self.last_place())
    }

    fn chunk(&self, (leaf, chunk): Place) -> Option<&Chunk> {
        self.leaves.get(leaf)?.0.get(chunk).map(|chunk| &**chunk)
    }

    fn after(&self, (leaf, chunk): Place) -> Place {
        let is_last = self.leaves.get(leaf).is_none_or(|leaf| chunk + 1 >= leaf.0.len());
        if is_last { (leaf + 1, 0) } else { (leaf, chunk + 1) }
    }

    fn before(&self, (leaf, chunk): Place) -> Option<Place> {
        match chunk.checked_sub(1) {
            Some(chunk) => Some((leaf, chunk)),
            None => {
                let leaf = leaf.checked_sub(1)?;
                Some((leaf, self.leaves.get(leaf)?.0.len().checked_sub(1)?))
            }
        }
    }

    /// Changes a chunk; both it and its leaf are copied where others share them.
    fn edit<R: Default>(&mut self, (leaf, chunk): Place, change: impl FnOnce(&mut Chunk) -> R) -> R {
        let Some(leaf) = self.leaves.get_mut(leaf) else { return R::default() };
        let before = weight_of_leaf(leaf);
        let leaf = Arc::make_mut(leaf);
        self.bytes = self.bytes + weight_of_leaf(leaf) - before;
        let Some(chunk) = leaf.0.get_mut(chunk) else { return R::default() };
        let before = weight_of_chunk(chunk);
        let chunk = Arc::make_mut(chunk);
        let result = change(chunk);
        self.bytes = self.bytes + weight_of_chunk(chunk) - before;
        result
    }

    fn drop_if_empty(&mut self, place: Place) {
        if self.chunk(place).is_some_and(|chunk| chunk.len() == 0) {
            self.drop_chunk(place);
        }
    }

    fn drop_chunk(&mut self, (leaf_at, chunk): Place) {
        let Some(leaf) = self.leaves.get_mut(leaf_at) else { return };
        let before = weight_of_leaf(leaf);
        let leaf = Arc::make_mut(leaf);
        if chunk < leaf.0.len() {
            let gone = leaf.0.remove(chunk);
            self.bytes -= weight_of_chunk(&gone);
            self.chunks -= 1;
        }
        self.bytes = self.bytes + weight_of_leaf(leaf) - before;
        if leaf.0.is_empty() {
            self.bytes -= weight_of_leaf(leaf);
            self.leaves.remove(leaf_at);
        }
    }
}

/// Bytes of a leaf, its chunks not included.
fn weight_of_leaf(leaf: &Leaf) -> usize {
    ARC_HEAD + size_of::<Leaf>() + leaf.0.capacity() * size_of::<Arc<Chunk>>()
}

fn weight_of_chunk(chunk: &Chunk) -> usize {
    ARC_HEAD + size_of::<Chunk>() + chunk.heap_bytes()
}

/// Entries in order.
#[derive(Clone)]
pub struct Forward<'a> {
    entries: &'a Entries,
    place: Place,
    at: Option<Pos>,
    from: Id,
    to: Id,
}

impl<'a> Iterator for Forward<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let chunk = self.entries.chunk(self.place)?;
            let at = match self.at {
                Some(at) => at,
                None if chunk.base() > self.to => return None,
                None => chunk.start()?,
            };
            let Some((entry, next)) = chunk.read(at) else {
                (self.place, self.at) = (self.entries.after(self.place), None);
                continue;
            };
            self.at = Some(next);
            if entry.id > self.to {
                return None;
            }
            if entry.id >= self.from {
                return Some(entry);
            }
        }
    }
}

/// Entries against their order.
#[derive(Clone)]
pub struct Backward<'a> {
    entries: &'a Entries,
    place: Option<Place>,
    at: Option<Pos>,
    from: Id,
    to: Id,
}

impl<'a> Iterator for Backward<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let chunk = self.entries.chunk(self.place?)?;
            let Some(at) = chunk.before(self.at.unwrap_or(chunk.end())) else {
                (self.place, self.at) = (self.entries.before(self.place?), None);
                continue;
            };
            self.at = Some(at);
            let (entry, _) = chunk.read(at)?;
            if entry.id < self.from {
                return None;
            }
            if entry.id <= self.to {
                return Some(entry);
            }
        }
    }
}
