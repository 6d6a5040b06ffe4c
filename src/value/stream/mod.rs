//! Streams: entries that are only added at the end, each a list of fields with values, and groups that read them.
//!
//! ```text
//! Stream -> Log: entries (chunks under a directory), last id, highest deleted id, how many were ever added
//!        -> groups by name, each with its consumers and what is pending
//! ```
//!
//! Finding an entry takes time logarithmic in their number. All parts are shared between clones and copied when written, so
//! that a snapshot or a reader of the whole gets a clone for little. A stream without entries is a value like others: it
//! remembers its last id and its groups.

mod chunk;
mod entries;
mod group;
mod id;
mod ledger;

use std::collections::BTreeMap;

pub use chunk::{ChunkLimit, Entry, Fields};
pub use entries::{Backward, Forward, Trim};
pub use group::{Consumer, Group, Pending};
pub use id::Id;
pub use ledger::Ledger;

use super::listpack::Listpack;
use entries::Entries;
use triomphe::Arc;

/// A stream value.
#[derive(Clone, Default)]
pub struct Stream {
    log: Log,
    groups: BTreeMap<Box<[u8]>, Arc<Group>>,
    /// Heap bytes of the groups.
    group_bytes: usize,
}

/// The entries of a stream and what is known of those that were.
#[derive(Clone, Default)]
pub struct Log {
    entries: Entries,
    last_id: Id,
    max_deleted: Id,
    added: u64,
}

impl Stream {
    /// No entries, no groups.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The entries.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The encoding's name in Redis.
    #[must_use]
    pub fn encoding(&self) -> &'static str {
        "stream"
    }

    /// Heap bytes held beyond the value's own size; what is shared with clones counts in full.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.log.entries.heap_bytes() + self.group_bytes
    }

    /// Adds an entry with fields and values in turn. False, and nothing is done, where its id is not higher than the last.
    pub fn push(&mut self, id: Id, words: &[&[u8]], limit: ChunkLimit) -> bool {
        if id <= self.log.last_id {
            return false;
        }
        self.log.entries.push(id, words, limit);
        self.log.last_id = id;
        self.log.added = self.log.added.saturating_add(1);
        true
    }

    /// Deletes an entry; true when it was there.
    pub fn remove(&mut self, id: Id) -> bool {
        let removed = self.log.entries.remove(id);
        if removed {
            self.log.max_deleted = self.log.max_deleted.max(id);
        }
        removed
    }

    /// Removes entries from the front; how many. If `whole` is set, only whole chunks go, and no more than `at_most` entries.
    pub fn trim(&mut self, trim: Trim, whole: bool, at_most: usize) -> usize {
        self.log.entries.trim(trim, whole, at_most)
    }

    /// Sets what is known of the entries that were.
    pub fn set_history(&mut self, last_id: Id, max_deleted: Id, added: u64) {
        (self.log.last_id, self.log.max_deleted, self.log.added) = (last_id, max_deleted, added);
    }

    /// Adds entries from a listpack in the layout of RDB, whose ids are counted from `base`. False where they are none, or
    /// do not come after those that are there. The last id stays what it was: see [`Stream::set_history`].
    pub fn adopt(&mut self, base: Id, pack: Listpack) -> bool {
        self.log.entries.adopt(base, pack)
    }

    /// The groups with their names, in the order of these.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = (&[u8], &Group)> {
        self.groups.iter().map(|(name, group)| (&**name, &**group))
    }

    /// The group of this name.
    #[must_use]
    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.groups.get(name).map(|group| &**group)
    }

    /// Adds a group. False, and nothing is done, when there is one of this name.
    pub fn add_group(&mut self, name: &[u8], group: Group) -> bool {
        if self.groups.contains_key(name) {
            return false;
        }
        self.group_bytes += weight(name, &group);
        self.groups.insert(name.into(), Arc::new(group));
        true
    }

    /// Removes a group; true when it was there.
    pub fn remove_group(&mut self, name: &[u8]) -> bool {
        let Some(group) = self.groups.remove(name) else { return false };
        self.group_bytes -= weight(name, &group);
        true
    }

    /// Changes a group, with the entries at hand; none when there is no group of this name.
    pub fn change_group<R>(&mut self, name: &[u8], change: impl FnOnce(&mut Group, &Log) -> R) -> Option<R> {
        let group = self.groups.get_mut(name)?;
        let before = weight(name, group);
        let group = Arc::make_mut(group);
        let result = change(group, &self.log);
        self.group_bytes = self.group_bytes + weight(name, group) - before;
        Some(result)
    }
}

/// Heap bytes of a group and of its place among others.
fn weight(name: &[u8], group: &Group) -> usize {
    /// Of a map's node, and in front of what is shared.
    const PLACE: usize = 48;
    PLACE + name.len() + size_of::<Group>() + group.heap_bytes()
}

impl Log {
    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True without entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The highest id that an entry ever had.
    #[must_use]
    pub fn last_id(&self) -> Id {
        self.last_id
    }

    /// The highest id that was deleted by name, 0-0 where none was.
    #[must_use]
    pub fn max_deleted(&self) -> Id {
        self.max_deleted
    }

    /// How many entries were ever added.
    #[must_use]
    pub fn added(&self) -> u64 {
        self.added
    }

    /// The id of the first entry, 0-0 without one.
    #[must_use]
    pub fn first_id(&self) -> Id {
        self.entries.first_id().unwrap_or_default()
    }

    /// The id of the last entry that is there, 0-0 without one.
    #[must_use]
    pub fn top_id(&self) -> Id {
        self.entries.last_id().unwrap_or_default()
    }

    /// Number of chunks, and of nodes of the directory over them.
    #[must_use]
    pub fn parts(&self) -> (usize, usize) {
        let (chunks, leaves) = self.entries.parts();
        (chunks, chunks + leaves.max(1))
    }

    /// True when there is an entry with this id.
    #[must_use]
    pub fn contains(&self, id: Id) -> bool {
        self.entries.contains(id)
    }

    /// The entry with this id.
    #[must_use]
    pub fn get(&self, id: Id) -> Option<Entry<'_>> {
        self.entries.get(id)
    }

    /// Entries from one id to another, both included, in order.
    #[must_use]
    pub fn range(&self, from: Id, to: Id) -> Forward<'_> {
        self.entries.range(from, to)
    }

    /// As [`Log::range`], against the order.
    #[must_use]
    pub fn range_back(&self, from: Id, to: Id) -> Backward<'_> {
        self.entries.range_back(from, to)
    }

    /// True when [`Stream::trim`] would remove anything.
    #[must_use]
    pub fn trims(&self, trim: Trim, whole: bool, at_most: usize) -> bool {
        self.entries.trims(trim, whole, at_most)
    }

    /// The ids of the chunks with their listpacks, in order: what RDB holds.
    pub fn packs(&self) -> impl Iterator<Item = (Id, &Listpack)> {
        self.entries.packs()
    }

    /// True when an entry from this id on may have been deleted by name: then counting cannot tell how many follow it.
    #[must_use]
    pub fn has_gaps_from(&self, id: Id) -> bool {
        !self.is_empty() && self.max_deleted >= self.first_id() && id <= self.max_deleted
    }

    /// How many entries were ever added up to this id, itself included; none where that cannot be told.
    #[must_use]
    pub fn count_up_to(&self, id: Id) -> Option<u64> {
        if self.added == 0 {
            return Some(0);
        }
        if id == self.last_id || (self.is_empty() && id < self.last_id) {
            return Some(self.added);
        }
        let first = self.first_id();
        if id > self.last_id || id > first || self.max_deleted >= first {
            return None;
        }
        let before = self.added.saturating_sub(u64::try_from(self.len()).unwrap_or(u64::MAX));
        Some(before + u64::from(id == first))
    }

    /// How many entries a group has yet to be given; none where that cannot be told.
    #[must_use]
    pub fn lag(&self, group: &Group) -> Option<i64> {
        let read = match group.entries_read {
            _ if self.added == 0 => return Some(0),
            Some(read) if !self.has_gaps_from(group.last_id) => read,
            _ => self.count_up_to(group.last_id)?,
        };
        Some(self.added.wrapping_sub(read).cast_signed())
    }
}

/// Equal when a client cannot tell one from the other: how entries are spread over chunks does not matter.
impl PartialEq for Stream {
    fn eq(&self, other: &Self) -> bool {
        let plain = |entry: Entry<'_>| {
            let text = |item: super::TextRef<'_>| item.bytes(&mut itoa::Buffer::new()).to_vec();
            let fields: Vec<_> = entry.fields().map(|(name, value)| (text(name), text(value))).collect();
            (entry.id, fields)
        };
        let entries =
            |stream: &'_ Stream| -> Vec<_> { stream.log.range(Id::MIN, Id::MAX).map(plain).collect() };
        let history = |log: &Log| (log.len(), log.last_id, log.max_deleted, log.added);
        history(&self.log) == history(&other.log)
            && self.groups == other.groups
            && entries(self) == entries(other)
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let entries: Vec<_> = self
            .log
            .range(Id::MIN, Id::MAX)
            .map(|entry| (entry.id, entry.fields().collect::<Vec<_>>()))
            .collect();
        f.debug_struct("Stream")
            .field("entries", &entries)
            .field("last_id", &self.log.last_id)
            .field("max_deleted", &self.log.max_deleted)
            .field("added", &self.log.added)
            .field("groups", &self.groups)
            .finish()
    }
}

#[cfg(test)]
mod tests;
