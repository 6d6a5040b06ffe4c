//! Lists: one listpack while short, else chunks of a few KiB under a directory of two levels.
//!
//! ```text
//! short: Listpack                      long: groups (a deque) -> up to 128 chunks each -> one listpack per chunk
//!                                            with counts         with counts
//! ```
//!
//! An index is found by adding up counts: of groups, then of one group's chunks, then walking one chunk. A million
//! elements of 10 bytes are some 1,500 chunks in 12 groups. Pushing and popping touch the chunk at the end. Groups and
//! chunks are shared between clones and copied when written, so that a clone costs one reference per group, and the
//! first write after it one group of references and one chunk.
//!
//! A chunk takes what `list-max-listpack-size` allows. An element larger than that has a chunk to itself. Redis 7.0
//! calls every list a `quicklist`.

mod directory;

use super::listpack::{Item, Listpack, Pos, canonical, entry_size};
use directory::Directory;

/// How much one chunk takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkLimit {
    /// Bytes of the listpack. A single element may exceed them.
    bytes: usize,
    /// Elements.
    entries: usize,
}

impl ChunkLimit {
    /// Redis's default: chunks of 8 KiB.
    pub const DEFAULT: ChunkLimit = ChunkLimit { bytes: 8192, entries: usize::MAX };

    /// What `list-max-listpack-size` means: -1 to -5 are 4, 8, 16, 32, 64 KiB; more than that is a number of elements,
    /// then within 8 KiB. No elements means one.
    #[must_use]
    pub fn from_directive(value: i32) -> Self {
        match usize::try_from(value) {
            Ok(entries) => ChunkLimit { entries: entries.max(1), ..Self::DEFAULT },
            Err(_) => ChunkLimit { bytes: 2048 << value.unsigned_abs().min(5), entries: usize::MAX },
        }
    }

    /// Whether `pack` takes one more element of `added` bytes.
    fn takes(self, pack: &Listpack, added: usize) -> bool {
        /// Bytes that Redis counts for an element's head and way back, so that chunks break where its do.
        const OVERHEAD: usize = 8;
        pack.bytes().saturating_add(added).saturating_add(OVERHEAD) <= self.bytes && pack.len() < self.entries
    }

    /// Whether `pack` still has an allowed size with `bytes` in place of its entry `old`.
    fn swaps(self, pack: &Listpack, old: Item<'_>, bytes: &[u8]) -> bool {
        let old = entry_size(old.bytes(&mut itoa::Buffer::new()));
        (pack.bytes() - old).saturating_add(entry_size(bytes)) <= self.bytes
    }

    /// Whether a whole chunk of this shape is allowed.
    fn allows(self, pack: &Listpack) -> bool {
        let len = pack.len();
        len <= 1 || (pack.bytes() <= self.bytes && len <= self.entries)
    }

    /// Whether two neighbours are so small that they should be one. Half a chunk, so that the next insertion does not
    /// part them again.
    fn joins(self, a: &Listpack, b: &Listpack) -> bool {
        a.bytes() + b.bytes() <= self.bytes / 2 && a.len() + b.len() <= self.entries
    }
}

/// A list value. Indexes count from 0 at the front.
#[derive(Clone)]
pub struct List(Form);

#[derive(Clone)]
enum Form {
    /// Everything in one pack. Also the form of the empty list.
    Short(Listpack),
    /// At least one chunk.
    Long(Box<Directory>),
}

/// A list of one chunk with at most this many bytes returns to the short form.
const SHORT_MAX: usize = 8192;

impl Default for List {
    fn default() -> Self {
        Self::new()
    }
}

impl List {
    /// No elements.
    #[must_use]
    pub fn new() -> Self {
        List(Form::Short(Listpack::new()))
    }

    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Short(pack) => pack.len(),
            Form::Long(directory) => directory.len(),
        }
    }

    /// True without elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The encoding's name in Redis 7.0.
    #[must_use]
    pub fn encoding(&self) -> &'static str {
        "quicklist"
    }

    /// Heap bytes held beyond the value's own size; what is shared with clones counts in full.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Form::Short(pack) => pack.heap_bytes(),
            Form::Long(directory) => size_of::<Directory>() + directory.heap_bytes(),
        }
    }

    /// Adds an element at the end.
    pub fn push_back(&mut self, bytes: &[u8], limit: ChunkLimit) {
        match &mut self.0 {
            Form::Short(pack) if limit.takes(pack, bytes.len()) => pack.push_back(bytes),
            _ => self.long().push_back(bytes, limit),
        }
    }

    /// Adds an element at the front.
    pub fn push_front(&mut self, bytes: &[u8], limit: ChunkLimit) {
        match &mut self.0 {
            Form::Short(pack) if limit.takes(pack, bytes.len()) => pack.push_front(bytes),
            _ => self.long().push_front(bytes, limit),
        }
    }

    /// Adds an element that then has this index; at the end when the list is shorter.
    pub fn insert(&mut self, index: usize, bytes: &[u8], limit: ChunkLimit) {
        match &mut self.0 {
            Form::Short(pack) if limit.takes(pack, bytes.len()) => {
                let pos = pack.at(index).unwrap_or(pack.end());
                pack.insert(pos, bytes);
            }
            _ => self.long().insert(index, bytes, limit),
        }
    }

    /// Replaces the element with this index. False when there is none.
    pub fn set(&mut self, index: usize, bytes: &[u8], limit: ChunkLimit) -> bool {
        if let Form::Short(pack) = &mut self.0 {
            let Some(pos) = pack.at(index) else { return false };
            if pack.item(pos).is_some_and(|old| limit.swaps(pack, old, bytes)) {
                pack.replace(pos, bytes);
                return true;
            }
        }
        let done = self.long().set(index, bytes, limit);
        self.settle();
        done
    }

    /// The element with this index.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Item<'_>> {
        match &self.0 {
            Form::Short(pack) => pack.get(index),
            Form::Long(directory) => directory.get(index),
        }
    }

    /// Takes the first element.
    pub fn pop_front(&mut self) -> Option<Vec<u8>> {
        let bytes = self.get(0)?.bytes(&mut itoa::Buffer::new()).to_vec();
        self.remove_front(1);
        Some(bytes)
    }

    /// Takes the last element.
    pub fn pop_back(&mut self) -> Option<Vec<u8>> {
        let bytes = self.get(self.len().checked_sub(1)?)?.bytes(&mut itoa::Buffer::new()).to_vec();
        self.remove_back(1);
        Some(bytes)
    }

    /// Removes the first `n` elements, or all.
    pub fn remove_front(&mut self, n: usize) {
        match &mut self.0 {
            Form::Short(pack) => {
                pack.remove(pack.start(), n);
            }
            Form::Long(directory) => directory.remove_front(n),
        }
        self.settle();
    }

    /// Removes the last `n` elements, or all.
    pub fn remove_back(&mut self, n: usize) {
        match &mut self.0 {
            Form::Short(pack) => {
                let kept = pack.len().saturating_sub(n);
                pack.remove_range(kept, n);
            }
            Form::Long(directory) => directory.remove_back(n),
        }
        self.settle();
    }

    /// Keeps only the `n` elements from index `start` on.
    pub fn trim(&mut self, start: usize, n: usize) {
        self.remove_back(self.len().saturating_sub(start.saturating_add(n)));
        self.remove_front(start);
    }

    /// Removes elements equal to `bytes`: the first `count`, or the last `-count`, or all for 0. Returns how many.
    pub fn remove_equal(&mut self, bytes: &[u8], count: i64, limit: ChunkLimit) -> usize {
        let most = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
        let mut quota = match count {
            0 => Quota { skip: 0, most: usize::MAX },
            1.. => Quota { skip: 0, most },
            // The last ones are those after the others: count once, remove once.
            _ => Quota { skip: self.positions(bytes, usize::MAX).count().saturating_sub(most), most },
        };
        let before = self.len();
        match &mut self.0 {
            Form::Short(pack) => quota.remove_from(pack, pack.start(), bytes),
            Form::Long(directory) => directory.remove_equal(bytes, quota, limit),
        }
        self.settle();
        before - self.len()
    }

    /// The elements from the front on.
    pub fn iter(&self) -> impl Iterator<Item = Item<'_>> + Clone {
        self.range(0, usize::MAX)
    }

    /// Up to `n` elements from index `start` on, in order. Reaching the first costs what [`List::get`] costs.
    pub fn range(&self, start: usize, n: usize) -> impl Iterator<Item = Item<'_>> + Clone {
        let (short, long) = match &self.0 {
            Form::Short(pack) => {
                let from = pack.at(start).unwrap_or(pack.end());
                (Some(pack.entries_between(from, pack.end())), None)
            }
            Form::Long(directory) => (None, Some(directory.entries_from(start))),
        };
        short.into_iter().chain(long.into_iter().flatten()).flatten().map(|(_, item)| item).take(n)
    }

    /// Up to `n` elements backward, beginning after `skip` elements from the end. Reaching the first costs what
    /// [`List::get`] costs.
    pub fn range_back(&self, skip: usize, n: usize) -> impl Iterator<Item = Item<'_>> + Clone {
        let end = self.len().saturating_sub(skip);
        let (short, long) = match &self.0 {
            Form::Short(pack) => {
                let to = pack.at(end).unwrap_or(pack.end());
                (Some(pack.entries_between(pack.start(), to).rev()), None)
            }
            Form::Long(directory) => (None, Some(directory.entries_back_from(end))),
        };
        short.into_iter().chain(long.into_iter().flatten()).flatten().map(|(_, item)| item).take(n)
    }

    /// Indexes of elements equal to `bytes` among the first `most` elements, ascending.
    pub fn positions(&self, bytes: &[u8], most: usize) -> impl Iterator<Item = usize> {
        let wanted = canonical(bytes);
        self.range(0, most).enumerate().filter(move |(_, item)| *item == wanted).map(|(index, _)| index)
    }

    /// Indexes of elements equal to `bytes` among the last `most` elements, descending.
    pub fn positions_back(&self, bytes: &[u8], most: usize) -> impl Iterator<Item = usize> {
        let wanted = canonical(bytes);
        (0..self.len())
            .rev()
            .zip(self.range_back(0, most))
            .filter(move |(_, item)| *item == wanted)
            .map(|(index, _)| index)
    }

    /// The packs that the list consists of, in order; none is empty, but that of an empty list.
    pub fn packs(&self) -> impl Iterator<Item = &Listpack> {
        let (short, long) = match &self.0 {
            Form::Short(pack) => (Some(pack), None),
            Form::Long(directory) => (None, Some(directory.packs())),
        };
        short.into_iter().chain(long.into_iter().flatten())
    }

    /// Adds all elements of a pack at the end: what a file's list nodes are read with. A pack within the limit
    /// becomes a chunk as it is.
    pub fn push_pack(&mut self, pack: Listpack, limit: ChunkLimit) {
        if pack.is_empty() {
            return;
        }
        if !limit.allows(&pack) {
            for item in pack.iter() {
                self.push_back(item.bytes(&mut itoa::Buffer::new()), limit);
            }
        } else if self.is_empty() && pack.bytes() <= SHORT_MAX {
            self.0 = Form::Short(pack);
        } else {
            self.long().push_pack(pack);
        }
    }

    /// The long form; what was short is its first chunk.
    fn long(&mut self) -> &mut Directory {
        if let Form::Short(pack) = &mut self.0 {
            let mut directory = Box::<Directory>::default();
            if !pack.is_empty() {
                directory.push_pack(std::mem::take(pack));
            }
            self.0 = Form::Long(directory);
        }
        match &mut self.0 {
            Form::Long(directory) => directory,
            Form::Short(_) => unreachable!("the lines above made it long"),
        }
    }

    /// Returns to the short form where one small chunk, or none, is left.
    fn settle(&mut self) {
        if let Form::Long(directory) = &mut self.0
            && let Some(pack) = directory.take_only_chunk(SHORT_MAX)
        {
            self.0 = Form::Short(pack);
        }
    }
}

/// Which of the equal elements a removal takes: after `skip` of them, up to `most`.
#[derive(Debug, Clone, Copy)]
struct Quota {
    skip: usize,
    most: usize,
}

impl Quota {
    /// Removes elements equal to `bytes` from `pack`, beginning at `from`, and deducts what was skipped and removed.
    fn remove_from(&mut self, pack: &mut Listpack, mut from: Pos, bytes: &[u8]) {
        while self.most > 0
            && let Some(hit) = pack.find_from(from, bytes, 0)
        {
            if self.skip > 0 {
                self.skip -= 1;
                from = pack.next(hit).unwrap_or(pack.end());
            } else {
                self.most -= pack.remove(hit, 1);
                from = hit;
            }
        }
    }
}

/// Equal when the elements are, however they are kept.
impl PartialEq for List {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl std::fmt::Debug for List {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests;
