//! A short sequence of byte strings in one piece of memory: the compact form of lists, hashes, sets, sorted sets.
//!
//! The layout is Redis's listpack, byte for byte, so that a snapshot or DUMP copies it as it is
//! (<https://github.com/antirez/listpack/blob/master/listpack.md>):
//!
//! ```text
//! total bytes: u32 LE | entries: u16 LE, 65535 for "that many or more" | entry ... | 0xFF
//!
//! entry = head, data, length of head and data (the way back)
//!   0xxxxxxx                    7-bit unsigned integer
//!   10xxxxxx             data   up to 63 bytes
//!   110xxxxx x8                 13-bit integer
//!   1110xxxx x8          data   up to 4095 bytes, length big-endian
//!   0xF0 u32 LE          data   more bytes
//!   0xF1 0xF2 0xF3 0xF4         16-, 24-, 32-, 64-bit integer, LE
//! way back: groups of 7 bits, the highest first; every byte but the first has its top bit set
//! ```
//!
//! A string that is the only spelling of an integer is kept as one. Each sequence has exactly one form here: what is
//! read from outside in another (an integer wider than needed, digits kept as a string) is rewritten at the door. So
//! two packs are equal if and only if their bytes are.

mod entry;

use entry::{Encoded, decode, normal, way_back, way_back_size};

/// One entry as it is read.
pub use super::text::TextRef as Item;
pub use entry::{canonical, entry_size};

/// Bytes before the first entry.
const HEADER: usize = 6;
/// The byte after the last entry.
const END: u8 = 0xff;
/// The header's count from which on only walking tells the number of entries.
const COUNT_UNKNOWN: u16 = u16::MAX;
/// Most bytes that an entry takes beyond its string: a head of 5 and a way back of 5.
const OVERHEAD_MAX: usize = 10;
/// The most bytes a pack should have. Redis stops here too; the format itself could go to 4 GiB.
pub const BYTES_MAX: usize = 1 << 30;

/// A sequence of byte strings in the format above.
#[derive(Clone, PartialEq, Eq)]
pub struct Listpack(Vec<u8>);

/// The bytes are no listpack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invalid;

/// Where an entry lies in a pack, or the pack's end. Valid until the pack changes at or before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pos(usize);

impl Default for Listpack {
    fn default() -> Self {
        Self::new()
    }
}

impl Listpack {
    /// No entries.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(HEADER + 1)
    }

    /// No entries yet, room for `bytes` bytes in all.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        let mut pack = Vec::with_capacity(bytes.max(HEADER + 1));
        pack.extend_from_slice(&[7, 0, 0, 0, 0, 0, END]);
        Listpack(pack)
    }

    /// Reads the wire form; every entry is checked, forward and backward.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Invalid> {
        let (&end, body) = bytes.split_last().ok_or(Invalid)?;
        let head: [u8; HEADER] = body.get(..HEADER).and_then(|head| head.try_into().ok()).ok_or(Invalid)?;
        let [t0, t1, t2, t3, c0, c1] = head;
        let claimed = u16::from_le_bytes([c0, c1]);
        if end != END || usize::try_from(u32::from_le_bytes([t0, t1, t2, t3])) != Ok(bytes.len()) {
            return Err(Invalid);
        }
        let (mut at, mut count, mut canonical) = (HEADER, 0_usize, true);
        while at < body.len() {
            let (item, len) = decode(body, at).ok_or(Invalid)?;
            let next = at + len + way_back_size(len);
            if next > body.len() || way_back(body, at + len, next) != Some(len) {
                return Err(Invalid);
            }
            canonical &= body.get(at..next).is_some_and(|entry| Encoded::of(normal(item)).is_form_of(entry));
            count += 1;
            at = next;
        }
        if claimed != COUNT_UNKNOWN && usize::from(claimed) != count {
            return Err(Invalid);
        }
        let mut pack = Listpack(bytes.to_vec());
        if !canonical {
            let mut rewritten = Listpack::with_capacity(bytes.len());
            for item in pack.iter() {
                rewritten.push_back_item(item);
            }
            pack = rewritten;
        }
        pack.set_header(count);
        Ok(pack)
    }

    /// The wire form.
    #[must_use]
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Size of the wire form in bytes.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> usize {
        self.0.len()
    }

    /// Heap bytes held, spare room included.
    #[must_use]
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        self.0.capacity()
    }

    /// Gives spare room back.
    pub fn shrink(&mut self) {
        self.0.shrink_to_fit();
    }

    /// Whether `added` more bytes of strings, in `entries` entries, keep the pack within [`BYTES_MAX`]. What does not
    /// fit must not be put in: the caller converts to its big form first.
    #[must_use]
    pub fn fits(&self, added: usize, entries: usize) -> bool {
        added.saturating_add(entries.saturating_mul(OVERHEAD_MAX)).saturating_add(self.0.len()) <= BYTES_MAX
    }

    /// Number of entries: read off, or walked when there are 65535 or more.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        match self.claimed() {
            COUNT_UNKNOWN => self.walk(),
            count => usize::from(count),
        }
    }

    /// True without entries.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.len() == HEADER + 1
    }

    /// Where the first entry lies, or the end.
    #[must_use]
    #[inline]
    pub fn start(&self) -> Pos {
        Pos(HEADER)
    }

    /// Behind the last entry.
    #[must_use]
    #[inline]
    pub fn end(&self) -> Pos {
        Pos(self.0.len() - 1)
    }

    /// Where the last entry lies.
    #[must_use]
    pub fn last(&self) -> Option<Pos> {
        self.prev(self.end())
    }

    /// Where the entry after the one at `pos` lies, or the end; `None` when `pos` is the end.
    #[must_use]
    #[inline]
    pub fn next(&self, pos: Pos) -> Option<Pos> {
        self.read(pos).map(|(_, next)| next)
    }

    /// Where the entry before `pos` lies.
    #[must_use]
    #[inline]
    pub fn prev(&self, pos: Pos) -> Option<Pos> {
        if pos.0 <= HEADER {
            return None;
        }
        let len = way_back(&self.0, HEADER, pos.0)?;
        pos.0.checked_sub(len + way_back_size(len)).map(Pos)
    }

    /// The entry at `pos`; `None` at the end.
    #[must_use]
    #[inline]
    pub fn item(&self, pos: Pos) -> Option<Item<'_>> {
        self.read(pos).map(|(item, _)| item)
    }

    /// Where entry `index` lies, counted from 0; walked from the nearer end.
    #[must_use]
    pub fn at(&self, index: usize) -> Option<Pos> {
        let claimed = self.claimed();
        let count = usize::from(claimed);
        if claimed == COUNT_UNKNOWN || index < count / 2 {
            return self.entries().nth(index).map(|(pos, _)| pos);
        }
        let mut pos = self.end();
        for _ in index..count {
            pos = self.prev(pos)?;
        }
        (index < count).then_some(pos)
    }

    /// Entry `index`, counted from 0.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Item<'_>> {
        self.item(self.at(index)?)
    }

    /// The entries, from both ends.
    #[inline]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Item<'_>> + Clone {
        self.entries().map(|(_, item)| item)
    }

    /// The entries and where they lie, from both ends.
    #[inline]
    pub fn entries(&self) -> Entries<'_> {
        Entries { pack: self, from: self.start(), to: self.end() }
    }

    /// As [`Listpack::entries`], only those in `from..to`.
    #[inline]
    pub fn entries_between(&self, from: Pos, to: Pos) -> Entries<'_> {
        Entries { pack: self, from, to: to.min(self.end()) }
    }

    /// The first entry that is `bytes`, looking at the first and then always leaving out `skip` (1: only the fields of
    /// a hash kept as field, value, field, value).
    #[must_use]
    pub fn find(&self, bytes: &[u8], skip: usize) -> Option<Pos> {
        self.find_from(self.start(), bytes, skip)
    }

    /// As [`Listpack::find`], the search beginning at `from`.
    #[must_use]
    pub fn find_from(&self, from: Pos, bytes: &[u8], skip: usize) -> Option<Pos> {
        let wanted = canonical(bytes);
        let mut pos = from;
        loop {
            let (item, mut next) = self.read(pos)?;
            if item == wanted {
                return Some(pos);
            }
            for _ in 0..skip {
                next = self.next(next)?;
            }
            pos = next;
        }
    }

    /// Adds an entry at the end.
    pub fn push_back(&mut self, bytes: &[u8]) {
        self.insert(self.end(), bytes);
    }

    /// As [`Listpack::push_back`], for an entry read from a pack.
    pub fn push_back_item(&mut self, item: Item<'_>) {
        self.put(self.end(), 0, normal(item));
        self.count_added(1);
    }

    /// Adds an entry at the start.
    pub fn push_front(&mut self, bytes: &[u8]) {
        self.insert(self.start(), bytes);
    }

    /// Adds an entry before `pos`, which may be the end. The new entry then lies at `pos`.
    pub fn insert(&mut self, pos: Pos, bytes: &[u8]) {
        self.put(pos, 0, canonical(bytes));
        self.count_added(1);
    }

    /// Replaces the entry at `pos`; its place stays. Nothing happens at the end.
    pub fn replace(&mut self, pos: Pos, bytes: &[u8]) {
        if let Some(next) = self.next(pos) {
            self.put(pos, next.0 - pos.0, canonical(bytes));
        }
    }

    /// As [`Listpack::replace`], with an item.
    pub fn replace_item(&mut self, pos: Pos, item: Item<'_>) {
        if let Some(next) = self.next(pos) {
            self.put(pos, next.0 - pos.0, normal(item));
        }
    }

    /// Removes up to `n` entries from `pos` on; what followed them then lies at `pos`. Returns how many there were.
    pub fn remove(&mut self, pos: Pos, n: usize) -> usize {
        let (mut to, mut removed) = (pos, 0);
        while removed < n
            && let Some(next) = self.next(to)
        {
            to = next;
            removed += 1;
        }
        if removed > 0 {
            self.0.drain(pos.0..to.0);
            self.count_removed(removed);
            self.give_back();
        }
        removed
    }

    /// Removes up to `n` entries from entry `index` on. Returns how many there were.
    pub fn remove_range(&mut self, index: usize, n: usize) -> usize {
        match self.at(index) {
            Some(pos) => self.remove(pos, n),
            None => 0,
        }
    }

    /// Takes the entries from `pos` on into a pack of their own.
    #[must_use]
    pub fn split_off(&mut self, pos: Pos) -> Listpack {
        let mut tail = Listpack::with_capacity(HEADER + self.0.len().saturating_sub(pos.0));
        if let Some(entries) = self.0.get(pos.0..self.0.len() - 1) {
            tail.0.truncate(HEADER);
            tail.0.extend_from_slice(entries);
            tail.0.push(END);
            let count = tail.walk();
            tail.set_header(count);
            self.0.truncate(pos.0);
            self.0.push(END);
            self.count_removed(count);
            self.give_back();
        }
        tail
    }

    /// Adds all entries of `other` at the end.
    pub fn append(&mut self, other: &Listpack) {
        let Some(entries) = other.0.get(HEADER..) else { return };
        let added = other.len();
        self.make_room(entries.len());
        self.0.pop();
        self.0.extend_from_slice(entries);
        self.count_added(added);
    }

    /// The entry at `pos` and where the next one lies.
    #[must_use]
    #[inline]
    pub fn read(&self, pos: Pos) -> Option<(Item<'_>, Pos)> {
        let (item, len) = decode(&self.0, pos.0)?;
        Some((item, Pos(pos.0 + len + way_back_size(len))))
    }

    /// The header's number of entries.
    #[inline]
    fn claimed(&self) -> u16 {
        match self.0.get(4..HEADER) {
            Some(&[low, high]) => u16::from_le_bytes([low, high]),
            _ => 0,
        }
    }

    /// The number of entries, counted.
    fn walk(&self) -> usize {
        self.entries().count()
    }

    fn count_added(&mut self, added: usize) {
        // From the unknown on, more entries stay unknown.
        self.set_header(usize::from(self.claimed()).saturating_add(added));
    }

    fn count_removed(&mut self, removed: usize) {
        let count = match self.claimed() {
            COUNT_UNKNOWN => self.walk(),
            count => usize::from(count).saturating_sub(removed),
        };
        self.set_header(count);
    }

    fn set_header(&mut self, count: usize) {
        let total = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        let count = u16::try_from(count).unwrap_or(COUNT_UNKNOWN);
        if let Some(header) = self.0.first_chunk_mut::<HEADER>() {
            let ([t0, t1, t2, t3], [c0, c1]) = (total.to_le_bytes(), count.to_le_bytes());
            *header = [t0, t1, t2, t3, c0, c1];
        }
    }

    /// Writes an entry over the `old` bytes at `pos`. The header's total is wrong until [`Listpack::set_header`].
    fn put(&mut self, pos: Pos, old: usize, item: Item<'_>) {
        let encoded = Encoded::of(item);
        let (at, end) = (pos.0, self.0.len());
        let new = encoded.size();
        if new > old {
            self.make_room(new - old);
            self.0.resize(end + new - old, END);
        }
        self.0.copy_within(at + old..end, at + new);
        self.0.truncate(end + new - old);
        encoded.write(&mut self.0[at..at + new]);
        self.set_header(usize::from(self.claimed()));
    }

    /// Gives most of the spare room back when little is left of what there was.
    fn give_back(&mut self) {
        /// Below this an allocation is not worth replacing, in bytes.
        const SMALL: usize = 128;
        if self.0.capacity() > SMALL && self.0.len() < self.0.capacity() / 4 {
            self.0.shrink_to(self.0.len() * 2);
        }
    }

    /// Makes room for `added` bytes. Vectors double by themselves; packs are many and small, so they grow as allocators do,
    /// in four steps from each power of two to the next. That is still a constant number of copies per byte, takes nothing
    /// that the allocator would not take anyway, and a list's chunk of 8 KiB never has room for more.
    fn make_room(&mut self, added: usize) {
        let needed = self.0.len() + added;
        if needed > self.0.capacity() {
            let step = (needed.next_power_of_two() / 8).max(16);
            self.0.reserve_exact(needed.next_multiple_of(step) - self.0.len());
        }
    }
}

impl std::fmt::Debug for Listpack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<B: AsRef<[u8]>> FromIterator<B> for Listpack {
    fn from_iter<I: IntoIterator<Item = B>>(strings: I) -> Self {
        let mut pack = Listpack::new();
        for bytes in strings {
            pack.push_back(bytes.as_ref());
        }
        pack
    }
}

/// The entries of a pack with their places.
#[derive(Debug, Clone)]
pub struct Entries<'a> {
    pack: &'a Listpack,
    from: Pos,
    to: Pos,
}

impl<'a> Iterator for Entries<'a> {
    type Item = (Pos, Item<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.from >= self.to {
            return None;
        }
        let pos = self.from;
        let (item, next) = self.pack.read(pos)?;
        self.from = next;
        Some((pos, item))
    }
}

impl DoubleEndedIterator for Entries<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.from >= self.to {
            return None;
        }
        let pos = self.pack.prev(self.to)?;
        self.to = pos;
        Some((pos, self.pack.item(pos)?))
    }
}

#[cfg(test)]
mod tests;
