//! A chunk: entries that follow each other, in one listpack with the layout of Redis, so that RDB copies it as it is.
//!
//! ```text
//! head    entries, deleted, number of fields, field ..., 0                           the names that most entries have
//! entry   flags, ms, seq, value ..., items before this one                           with just these names (flag 2)
//!         flags, ms, seq, number of fields, field, value ..., items before this one  with others
//! ```
//!
//! `ms` and `seq` are counted from the chunk's own id, which is that of the entry it was made for. Redis marks a deleted entry
//! with flag 1 and leaves it where it is; here it is taken out, and one that comes marked from outside is taken out at the door.

use super::id::Id;
use crate::value::listpack::{Item, Listpack, Pos, entry_size};

/// The flag of an entry that was deleted.
const DELETED: i64 = 1;
/// The flag of an entry that has the names of the head.
const SAME_NAMES: i64 = 2;

/// How much one chunk takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkLimit {
    /// Bytes. A single entry may exceed them.
    bytes: usize,
    /// Entries, those that were deleted since included.
    entries: usize,
}

impl ChunkLimit {
    /// Redis's default: 4 KiB and 100 entries.
    pub const DEFAULT: ChunkLimit = ChunkLimit { bytes: 4096, entries: 100 };
    /// The most bytes that a chunk is ever meant to have, and an entry may.
    pub const BYTES_MAX: usize = 1 << 30;

    /// What `stream-node-max-bytes` and `stream-node-max-entries` mean: 0 is no limit.
    #[must_use]
    pub fn from_directives(bytes: u64, entries: u64) -> Self {
        let limit = |setting: u64| match usize::try_from(setting) {
            Ok(0) | Err(_) => usize::MAX,
            Ok(setting) => setting,
        };
        ChunkLimit { bytes: limit(bytes).min(Self::BYTES_MAX), entries: limit(entries) }
    }

    /// How many entries one approximate trim removes at most, where nobody says.
    #[must_use]
    pub fn trimmed_at_once(self) -> usize {
        match self.entries {
            usize::MAX => 10_000,
            entries => entries.saturating_mul(100).min(1_000_000),
        }
    }
}

/// See the head of this file.
#[derive(Clone)]
pub(super) struct Chunk {
    base: Id,
    len: usize,
    /// Entries that it ever had: those are counted against the limit, so that chunks break where those of Redis do.
    used: usize,
    pack: Listpack,
}

/// An entry as it is read.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Its id.
    pub id: Id,
    pack: &'a Listpack,
    /// Where the names stand in the head, if they do.
    names: Option<Pos>,
    /// Where its first value stands, or its first name.
    at: Pos,
    len: usize,
    deleted: bool,
}

impl<'a> Entry<'a> {
    /// Its fields with their values, in order.
    #[must_use]
    pub fn fields(&self) -> Fields<'a> {
        Fields { pack: self.pack, names: self.names, at: self.at, left: self.len }
    }

    /// How many items of the pack it is.
    fn items(&self) -> usize {
        4 + if self.names.is_some() { self.len } else { 1 + 2 * self.len }
    }
}

/// Fields of an entry with their values.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    pack: &'a Listpack,
    names: Option<Pos>,
    at: Pos,
    left: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (Item<'a>, Item<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let name = match &mut self.names {
            Some(names) => {
                let (name, next) = self.pack.read(*names)?;
                *names = next;
                name
            }
            None => {
                let (name, next) = self.pack.read(self.at)?;
                self.at = next;
                name
            }
        };
        let (value, next) = self.pack.read(self.at)?;
        self.at = next;
        Some((name, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Fields<'_> {}

impl Chunk {
    /// A chunk for an entry with these fields and values in turn. The entry itself is yet to be added.
    pub(super) fn new(base: Id, words: &[&[u8]]) -> Self {
        let sizes = words.iter().map(|word| entry_size(word)).sum::<usize>();
        let mut pack = Listpack::with_capacity(sizes + 40);
        let names = words.iter().step_by(2);
        [0, 0, count(names.len())].into_iter().for_each(|number| pack.push_back_item(Item::Int(number)));
        names.for_each(|name| pack.push_back(name));
        pack.push_back_item(Item::Int(0));
        Chunk { base, len: 0, used: 0, pack }
    }

    /// The id that ids in it are counted from: no entry has a lower one.
    #[inline]
    pub(super) fn base(&self) -> Id {
        self.base
    }

    /// Number of entries.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The listpack.
    pub(super) fn pack(&self) -> &Listpack {
        &self.pack
    }

    /// Heap bytes held.
    pub(super) fn heap_bytes(&self) -> usize {
        self.pack.heap_bytes()
    }

    /// Gives spare room back: nothing will be added any more.
    pub(super) fn shrink(&mut self) {
        self.pack.shrink();
    }

    /// Whether one more entry of so many bytes of fields and values is to be added here.
    pub(super) fn takes(&self, bytes: usize, limit: ChunkLimit) -> bool {
        self.pack.bytes().saturating_add(bytes) < limit.bytes && self.used < limit.entries
    }

    /// Adds an entry at the end.
    pub(super) fn push(&mut self, id: Id, words: &[&[u8]]) {
        let names = words.iter().step_by(2);
        let same = self.has_names(names.clone().copied());
        let (ms, seq) = id.minus(self.base);
        let pack = &mut self.pack;
        let flags = if same { SAME_NAMES } else { 0 };
        [flags, ms, seq].into_iter().for_each(|number| pack.push_back_item(Item::Int(number)));
        let items = if same {
            words.iter().skip(1).step_by(2).for_each(|value| pack.push_back(value));
            3 + names.len()
        } else {
            pack.push_back_item(Item::Int(count(names.len())));
            words.iter().for_each(|word| pack.push_back(word));
            4 + words.len()
        };
        pack.push_back_item(Item::Int(count(items)));
        self.used += 1;
        self.set_len(self.len + 1);
    }

    /// True when the head has just these names, in this order.
    fn has_names<'w>(&self, mut names: impl ExactSizeIterator<Item = &'w [u8]>) -> bool {
        let Some((len, mut at)) = self.names() else { return false };
        len == names.len()
            && names.all(|name| match self.pack.read(at) {
                Some((item, next)) => {
                    at = next;
                    item.bytes(&mut itoa::Buffer::new()) == name
                }
                None => false,
            })
    }

    /// How many names the head has, and where the first stands.
    fn names(&self) -> Option<(usize, Pos)> {
        let mut at = self.pack.start();
        number(&self.pack, &mut at)?;
        number(&self.pack, &mut at)?;
        let names = number(&self.pack, &mut at)?;
        Some((usize::try_from(names).ok()?, at))
    }

    /// Where the first entry stands.
    pub(super) fn start(&self) -> Option<Pos> {
        let (names, mut at) = self.names()?;
        for _ in 0..=names {
            at = self.pack.next(at)?;
        }
        Some(at)
    }

    /// Behind the last entry.
    pub(super) fn end(&self) -> Pos {
        self.pack.end()
    }

    /// The entry at a place, and the place behind it; none at the end.
    pub(super) fn read(&self, at: Pos) -> Option<(Entry<'_>, Pos)> {
        let (pack, mut at) = (&self.pack, at);
        let flags = number(pack, &mut at)?;
        let difference = (number(pack, &mut at)?, number(pack, &mut at)?);
        let (names, len) = match flags & SAME_NAMES {
            0 => (None, usize::try_from(number(pack, &mut at)?).ok()?),
            _ => self.names().map(|(len, names)| (Some(names), len))?,
        };
        let (id, deleted) = (self.base.plus(difference), flags & DELETED != 0);
        let entry = Entry { id, pack, names, at, len, deleted };
        let behind = if names.is_some() { len } else { len.checked_mul(2)? };
        for _ in 0..behind {
            at = pack.next(at)?;
        }
        pack.next(at).map(|next| (entry, next))
    }

    /// Where the entry before a place stands; none before the first.
    pub(super) fn before(&self, at: Pos) -> Option<Pos> {
        let mut at = self.pack.prev(at)?;
        // The head ends with 0: no entry has so few items.
        let items @ 1.. = number(&self.pack, &mut at.clone())? else { return None };
        for _ in 0..items {
            at = self.pack.prev(at)?;
        }
        Some(at)
    }

    /// The id of the last entry.
    pub(super) fn last_id(&self) -> Option<Id> {
        self.read(self.before(self.end())?).map(|(entry, _)| entry.id)
    }

    /// Where the entry with this id stands.
    pub(super) fn find(&self, id: Id) -> Option<Pos> {
        let mut at = self.start()?;
        while let Some((entry, next)) = self.read(at) {
            if entry.id >= id {
                return (entry.id == id).then_some(at);
            }
            at = next;
        }
        None
    }

    /// Takes out the entry at a place.
    pub(super) fn remove(&mut self, at: Pos) {
        if let Some((entry, _)) = self.read(at) {
            let items = entry.items();
            self.pack.remove(at, items);
            self.set_len(self.len.saturating_sub(1));
        }
    }

    /// Takes out entries from the front as long as `goes(id, those left)` says so. Returns how many.
    pub(super) fn remove_front(&mut self, mut goes: impl FnMut(Id, usize) -> bool) -> usize {
        let Some(start) = self.start() else { return 0 };
        let (mut at, mut items, mut removed) = (start, 0, 0);
        while let Some((entry, next)) = self.read(at) {
            if !goes(entry.id, self.len - removed) {
                break;
            }
            items += entry.items();
            removed += 1;
            at = next;
        }
        if removed > 0 {
            self.pack.remove(start, items);
            self.set_len(self.len.saturating_sub(removed));
        }
        removed
    }

    fn set_len(&mut self, len: usize) {
        self.len = len;
        self.pack.replace_item(self.pack.start(), Item::Int(count(len)));
    }

    /// Takes over a chunk from outside: every item is looked at. What was marked as deleted is taken out, so it may come out
    /// empty. None where it is no chunk, or where the ids do not rise.
    pub(super) fn adopt(base: Id, pack: Listpack) -> Option<Chunk> {
        let mut chunk = Chunk { base, len: 0, used: 0, pack };
        let mut at = chunk.pack.start();
        let claimed = [number(&chunk.pack, &mut at)?, number(&chunk.pack, &mut at)?];
        let (names, mut at) = chunk.names()?;
        for _ in 0..names {
            at = chunk.pack.next(at)?;
        }
        if number(&chunk.pack, &mut at)? != 0 {
            return None;
        }
        let (mut found, mut deleted, mut last) = ([0, 0], Vec::new(), None);
        while at < chunk.end() {
            let (entry, next) = chunk.read(at)?;
            let flags = number(&chunk.pack, &mut at.clone())?;
            let told = chunk.pack.prev(next).and_then(|at| chunk.pack.item(at))?;
            if !(0..=DELETED | SAME_NAMES).contains(&flags) || told != Item::Int(count(entry.items() - 1)) {
                return None;
            }
            found[usize::from(entry.deleted)] += 1;
            if entry.deleted {
                deleted.push((at, entry.items()));
            } else if entry.id < base || last.is_some_and(|last| entry.id <= last) {
                return None;
            } else {
                last = Some(entry.id);
            }
            at = next;
        }
        if claimed != found {
            return None;
        }
        // From the end on, so that places before stay right.
        for (at, items) in deleted.into_iter().rev() {
            chunk.pack.remove(at, items);
        }
        let second = chunk.pack.next(chunk.pack.start())?;
        chunk.pack.replace_item(second, Item::Int(0));
        chunk.used = usize::try_from(found[0] + found[1]).ok()?;
        chunk.set_len(usize::try_from(found[0]).ok()?);
        Some(chunk)
    }
}

/// The number at a place, which moves on; none where there is none.
#[inline]
fn number(pack: &Listpack, at: &mut Pos) -> Option<i64> {
    match pack.read(*at)? {
        (Item::Int(number), next) => {
            *at = next;
            Some(number)
        }
        _ => None,
    }
}

fn count(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}
