//! The long form of a list: groups of chunks, each with its number of elements.
//!
//! Two levels keep both short. A hundred million elements of 10 bytes are 150,000 chunks: in one array, every split in
//! the middle would move megabytes; in groups it moves 2 KiB, and an index is found over some 1,200 groups.
//!
//! No chunk and no group is empty.

use super::{ChunkLimit, Quota};
use crate::value::ARC_HEAD;
use crate::value::listpack::{Entries, Item, Listpack};
use std::collections::VecDeque;
use std::iter::Rev;

use triomphe::Arc;

/// Most chunks in a group. The first write to a group after a clone copies this many references.
const GROUP_MAX: usize = 128;

/// Chunks in order.
#[derive(Clone, Default)]
pub(super) struct Directory {
    groups: VecDeque<Group>,
    /// Elements.
    len: usize,
    /// Chunks.
    chunks: usize,
    /// Heap bytes of all packs.
    packs: usize,
}

#[derive(Clone)]
struct Group {
    /// Elements.
    len: usize,
    slots: Arc<Vec<Slot>>,
}

#[derive(Clone)]
struct Slot {
    /// Elements. Kept here so that looking for an index touches no chunk but the one.
    len: usize,
    pack: Arc<Listpack>,
}

/// Where an element is.
#[derive(Clone, Copy)]
struct Place {
    group: usize,
    chunk: usize,
    /// Within the chunk.
    index: usize,
}

impl Directory {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Heap bytes of groups and chunks; unused room in the arrays of references is left out.
    pub(super) fn heap_bytes(&self) -> usize {
        self.packs
            + self.chunks * (size_of::<Slot>() + ARC_HEAD + size_of::<Listpack>())
            + self.groups.len() * (size_of::<Group>() + ARC_HEAD + size_of::<Vec<Slot>>())
    }

    pub(super) fn get(&self, index: usize) -> Option<Item<'_>> {
        let place = self.locate(index)?;
        self.pack(place)?.get(place.index)
    }

    pub(super) fn packs(&self) -> impl Iterator<Item = &Listpack> {
        self.groups.iter().flat_map(|group| group.slots.iter()).map(|slot| &*slot.pack)
    }

    /// The entries from `index` on, chunk by chunk.
    pub(super) fn entries_from(&self, index: usize) -> impl Iterator<Item = Entries<'_>> + Clone {
        let place = self.locate(index).unwrap_or(Place { group: self.groups.len(), chunk: 0, index: 0 });
        self.groups
            .range(place.group..)
            .enumerate()
            .flat_map(move |(nth, group)| &group.slots[if nth == 0 { place.chunk } else { 0 }..])
            .enumerate()
            .map(move |(nth, slot)| {
                let pack = &*slot.pack;
                let from = if nth == 0 { pack.at(place.index) } else { None };
                pack.entries_between(from.unwrap_or(pack.start()), pack.end())
            })
    }

    /// The entries before index `end`, backward, chunk by chunk.
    pub(super) fn entries_back_from(&self, end: usize) -> impl Iterator<Item = Rev<Entries<'_>>> + Clone {
        let last = end.min(self.len).checked_sub(1).and_then(|index| self.locate(index));
        let groups = last.map_or(0, |place| place.group + 1);
        self.groups
            .range(..groups)
            .rev()
            .enumerate()
            .flat_map(move |(nth, group)| {
                let chunks =
                    if nth == 0 { last.map_or(0, |place| place.chunk + 1) } else { group.slots.len() };
                group.slots[..chunks].iter().rev()
            })
            .enumerate()
            .map(move |(nth, slot)| {
                let pack = &*slot.pack;
                let to = if nth == 0 { last.and_then(|place| pack.at(place.index + 1)) } else { None };
                pack.entries_between(pack.start(), to.unwrap_or(pack.end())).rev()
            })
    }

    pub(super) fn push_back(&mut self, bytes: &[u8], limit: ChunkLimit) {
        let group = self.groups.len().saturating_sub(1);
        let chunk = self.groups.back().map_or(0, |group| group.slots.len() - 1);
        match self.slot(group, chunk) {
            Some(slot) if limit.takes(&slot.pack, bytes.len()) => {
                self.edit(group, chunk, |pack| pack.push_back(bytes));
            }
            Some(_) => {
                self.seal(group, chunk);
                self.insert_chunk(group, chunk + 1, single(bytes));
            }
            None => self.insert_chunk(0, 0, single(bytes)),
        }
    }

    pub(super) fn push_front(&mut self, bytes: &[u8], limit: ChunkLimit) {
        match self.slot(0, 0) {
            Some(slot) if limit.takes(&slot.pack, bytes.len()) => {
                self.edit(0, 0, |pack| pack.push_front(bytes));
            }
            _ => {
                self.seal(0, 0);
                self.insert_chunk(0, 0, single(bytes));
            }
        }
    }

    /// Adds a chunk at the end.
    pub(super) fn push_pack(&mut self, pack: Listpack) {
        let group = self.groups.len().saturating_sub(1);
        let chunk = self.groups.back().map_or(0, |group| group.slots.len());
        self.insert_chunk(group, chunk, pack);
    }

    pub(super) fn insert(&mut self, index: usize, bytes: &[u8], limit: ChunkLimit) {
        if index == 0 {
            return self.push_front(bytes, limit);
        }
        let Some(Place { group, chunk, index }) = self.locate(index) else {
            return self.push_back(bytes, limit);
        };
        let takes = |slot: Option<&Slot>| slot.is_some_and(|slot| limit.takes(&slot.pack, bytes.len()));
        if takes(self.slot(group, chunk)) {
            self.edit(group, chunk, |pack| {
                let pos = pack.at(index).unwrap_or(pack.end());
                pack.insert(pos, bytes);
            });
        } else if index > 0 {
            // Part the chunk where the element goes; it joins the half that has room, the first by preference.
            let tail = self.edit(group, chunk, |pack| {
                let pos = pack.at(index).unwrap_or(pack.end());
                pack.split_off(pos)
            });
            let mut tail = tail.unwrap_or_default();
            if takes(self.slot(group, chunk)) {
                self.edit(group, chunk, |pack| pack.push_back(bytes));
                self.insert_chunk(group, chunk + 1, tail);
            } else if limit.takes(&tail, bytes.len()) {
                tail.push_front(bytes);
                self.insert_chunk(group, chunk + 1, tail);
            } else {
                self.insert_chunk(group, chunk + 1, tail);
                self.insert_chunk_after(group, chunk, single(bytes));
            }
        } else if let Some(before) = chunk.checked_sub(1)
            && takes(self.slot(group, before))
        {
            self.edit(group, before, |pack| pack.push_back(bytes));
        } else {
            self.insert_chunk(group, chunk, single(bytes));
        }
    }

    /// Replaces the element with this index. False when there is none.
    pub(super) fn set(&mut self, index: usize, bytes: &[u8], limit: ChunkLimit) -> bool {
        let Some(place) = self.locate(index) else { return false };
        let Some(slot) = self.slot(place.group, place.chunk) else { return false };
        let swaps = slot.pack.get(place.index).is_some_and(|old| limit.swaps(&slot.pack, old, bytes));
        if slot.len == 1 || swaps {
            self.edit(place.group, place.chunk, |pack| {
                if let Some(pos) = pack.at(place.index) {
                    pack.replace(pos, bytes);
                }
            });
        } else {
            self.edit(place.group, place.chunk, |pack| pack.remove_range(place.index, 1));
            self.insert(index, bytes, limit);
        }
        true
    }

    /// Removes the first `n` elements, or all.
    pub(super) fn remove_front(&mut self, mut n: usize) {
        while let Some(group) = self.groups.front_mut()
            && n > 0
        {
            if group.len <= n {
                n -= group.len;
                if let Some(group) = self.groups.pop_front() {
                    self.forget(&group.slots);
                }
                continue;
            }
            let mut whole = 0;
            while let Some(slot) = group.slots.get(whole)
                && slot.len <= n
            {
                n -= slot.len;
                group.len -= slot.len;
                whole += 1;
            }
            if whole > 0 {
                let gone: Vec<Slot> = Arc::make_mut(&mut group.slots).drain(..whole).collect();
                self.forget(&gone);
            }
            if n > 0 {
                self.edit(0, 0, |pack| pack.remove(pack.start(), n));
            }
            return;
        }
    }

    /// Removes the last `n` elements, or all.
    pub(super) fn remove_back(&mut self, mut n: usize) {
        while let Some(group) = self.groups.back_mut()
            && n > 0
        {
            if group.len <= n {
                n -= group.len;
                if let Some(group) = self.groups.pop_back() {
                    self.forget(&group.slots);
                }
                continue;
            }
            let mut kept = group.slots.len();
            while let Some(slot) = kept.checked_sub(1).and_then(|last| group.slots.get(last))
                && slot.len <= n
            {
                n -= slot.len;
                group.len -= slot.len;
                kept -= 1;
            }
            if kept < group.slots.len() {
                let gone = Arc::make_mut(&mut group.slots).split_off(kept);
                self.forget(&gone);
            }
            if n > 0 {
                let group = self.groups.len() - 1;
                self.edit(group, kept - 1, |pack| {
                    let keep = pack.len().saturating_sub(n);
                    pack.remove_range(keep, n)
                });
            }
            return;
        }
    }

    /// Removes elements equal to `bytes`, and joins what has become small in the groups touched.
    pub(super) fn remove_equal(&mut self, bytes: &[u8], mut quota: Quota, limit: ChunkLimit) {
        for nth in 0..self.groups.len() {
            if quota.most == 0 {
                break;
            }
            let slots = Arc::clone(&self.groups[nth].slots);
            let Some(first) = slots.iter().position(|slot| slot.pack.find(bytes, 0).is_some()) else {
                continue;
            };
            let mut kept = slots[..first].to_vec();
            for slot in &slots[first..] {
                let slot = slot.without(bytes, &mut quota);
                match kept.last_mut() {
                    _ if slot.len == 0 => {}
                    Some(last) if limit.joins(&last.pack, &slot.pack) => {
                        Arc::make_mut(&mut last.pack).append(&slot.pack);
                        last.len += slot.len;
                    }
                    _ => kept.push(slot),
                }
            }
            self.forget(&slots);
            self.enter(&kept);
            let group = &mut self.groups[nth];
            group.len = kept.iter().map(|slot| slot.len).sum();
            group.slots = Arc::new(kept);
        }
        self.join_groups();
    }

    /// Drops empty groups and joins neighbours that are small together.
    fn join_groups(&mut self) {
        let mut joined: VecDeque<Group> = VecDeque::with_capacity(self.groups.len());
        for group in self.groups.drain(..) {
            match joined.back_mut() {
                _ if group.len == 0 => {}
                Some(last) if last.slots.len() + group.slots.len() <= GROUP_MAX / 2 => {
                    Arc::make_mut(&mut last.slots).extend(group.slots.iter().cloned());
                    last.len += group.len;
                }
                _ => joined.push_back(group),
            }
        }
        self.groups = joined;
    }

    /// The only chunk if it has at most `bytes` bytes, an empty one if there is none; the directory is then empty.
    pub(super) fn take_only_chunk(&mut self, bytes: usize) -> Option<Listpack> {
        if self.chunks > 1 {
            return None;
        }
        let pack = match self.groups.front().and_then(|group| group.slots.first()) {
            Some(slot) if slot.pack.bytes() > bytes => return None,
            Some(slot) => Arc::clone(&slot.pack),
            None => Arc::default(),
        };
        *self = Directory::default();
        Some(Arc::unwrap_or_clone(pack))
    }

    /// Finds an index by adding up groups from the nearer end, then the chunks of one group in the same way.
    fn locate(&self, index: usize) -> Option<Place> {
        if index >= self.len {
            return None;
        }
        let (mut group, mut left);
        if index < self.len / 2 {
            (group, left) = (0, index);
            while left >= self.groups[group].len {
                left -= self.groups[group].len;
                group += 1;
            }
        } else {
            let mut before = self.len;
            group = self.groups.len();
            while before > index {
                group -= 1;
                before -= self.groups[group].len;
            }
            left = index - before;
        }
        let Group { len, slots } = &self.groups[group];
        if left < len / 2 {
            for (chunk, slot) in slots.iter().enumerate() {
                if left < slot.len {
                    return Some(Place { group, chunk, index: left });
                }
                left -= slot.len;
            }
        } else {
            let mut before = *len;
            for (chunk, slot) in slots.iter().enumerate().rev() {
                before -= slot.len;
                if before <= left {
                    return Some(Place { group, chunk, index: left - before });
                }
            }
        }
        None
    }

    fn slot(&self, group: usize, chunk: usize) -> Option<&Slot> {
        self.groups.get(group)?.slots.get(chunk)
    }

    fn pack(&self, place: Place) -> Option<&Listpack> {
        self.slot(place.group, place.chunk).map(|slot| &*slot.pack)
    }

    /// Changes one chunk, first copying it and its group's references where a clone shares them.
    fn edit<R>(&mut self, group: usize, chunk: usize, change: impl FnOnce(&mut Listpack) -> R) -> Option<R> {
        let group = self.groups.get_mut(group)?;
        let slot = Arc::make_mut(&mut group.slots).get_mut(chunk)?;
        let (len, heap) = (slot.len, slot.pack.heap_bytes());
        let pack = Arc::make_mut(&mut slot.pack);
        let result = change(pack);
        slot.len = pack.len();
        self.packs = self.packs - heap + pack.heap_bytes();
        self.len = self.len - len + slot.len;
        group.len = group.len - len + slot.len;
        Some(result)
    }

    /// Gives a full chunk's spare room back, unless a clone shares it.
    fn seal(&mut self, group: usize, chunk: usize) {
        if let Some(group) = self.groups.get_mut(group)
            && let Some(slot) = Arc::get_mut(&mut group.slots).and_then(|slots| slots.get_mut(chunk))
            && let Some(pack) = Arc::get_mut(&mut slot.pack)
        {
            let heap = pack.heap_bytes();
            pack.shrink();
            self.packs = self.packs - heap + pack.heap_bytes();
        }
    }

    /// Puts a chunk behind that at `chunk`, which may since have moved into the next group.
    fn insert_chunk_after(&mut self, group: usize, chunk: usize, pack: Listpack) {
        match self.groups.get(group).map(|group| group.slots.len()) {
            Some(slots) if chunk >= slots => self.insert_chunk(group + 1, chunk - slots + 1, pack),
            _ => self.insert_chunk(group, chunk + 1, pack),
        }
    }

    /// Puts a chunk before that at `chunk`, which may be the end of the group.
    fn insert_chunk(&mut self, mut group: usize, mut chunk: usize, pack: Listpack) {
        let slot = Slot { len: pack.len(), pack: Arc::new(pack) };
        self.enter(std::slice::from_ref(&slot));
        let groups = self.groups.len();
        match self.groups.get_mut(group) {
            Some(full) if full.slots.len() >= GROUP_MAX => {
                if group + 1 == groups && chunk >= full.slots.len() {
                    // Lists mostly grow at their ends: start a new group there, and leave this one full.
                    return self.groups.push_back(Group { len: slot.len, slots: Arc::new(vec![slot]) });
                } else if group == 0 && chunk == 0 {
                    return self.groups.push_front(Group { len: slot.len, slots: Arc::new(vec![slot]) });
                }
                let tail = Arc::make_mut(&mut full.slots).split_off(GROUP_MAX / 2);
                let len = tail.iter().map(|slot| slot.len).sum();
                full.len -= len;
                self.groups.insert(group + 1, Group { len, slots: Arc::new(tail) });
                if chunk > GROUP_MAX / 2 {
                    (group, chunk) = (group + 1, chunk - GROUP_MAX / 2);
                }
            }
            Some(_) => {}
            None => self.groups.push_back(Group { len: 0, slots: Arc::default() }),
        }
        if let Some(group) = self.groups.get_mut(group) {
            group.len += slot.len;
            let slots = Arc::make_mut(&mut group.slots);
            slots.insert(chunk.min(slots.len()), slot);
        }
    }

    /// Counts chunks that come into the list.
    fn enter(&mut self, slots: &[Slot]) {
        self.chunks += slots.len();
        for slot in slots {
            self.len += slot.len;
            self.packs += slot.pack.heap_bytes();
        }
    }

    /// Counts chunks that leave the list.
    fn forget(&mut self, slots: &[Slot]) {
        self.chunks -= slots.len();
        for slot in slots {
            self.len -= slot.len;
            self.packs -= slot.pack.heap_bytes();
        }
    }
}

impl Slot {
    /// The chunk without the elements equal to `bytes` that `quota` takes; the same one where that is none.
    fn without(&self, bytes: &[u8], quota: &mut Quota) -> Slot {
        if quota.most > 0
            && let Some(hit) = self.pack.find(bytes, 0)
        {
            let mut pack = Listpack::clone(&self.pack);
            quota.remove_from(&mut pack, hit, bytes);
            if pack.len() < self.len {
                return Slot { len: pack.len(), pack: Arc::new(pack) };
            }
        }
        self.clone()
    }
}

/// A chunk of one element.
fn single(bytes: &[u8]) -> Listpack {
    std::iter::once(bytes).collect()
}

#[cfg(test)]
impl Directory {
    /// Chunks of each group.
    pub(super) fn group_sizes(&self) -> Vec<usize> {
        self.groups.iter().map(|group| group.slots.len()).collect()
    }

    /// Checks every sum by counting anew, and that nothing is empty.
    pub(super) fn check(&self, limit: ChunkLimit) {
        let (mut len, mut chunks, mut packs) = (0, 0, 0);
        for group in &self.groups {
            assert!((1..=GROUP_MAX).contains(&group.slots.len()));
            assert_eq!(group.len, group.slots.iter().map(|slot| slot.pack.len()).sum::<usize>());
            for slot in group.slots.iter() {
                assert!(slot.len > 0);
                assert_eq!(slot.len, slot.pack.len());
                assert!(limit.allows(&slot.pack));
                len += slot.len;
                chunks += 1;
                packs += slot.pack.heap_bytes();
            }
        }
        assert_eq!((self.len, self.chunks, self.packs), (len, chunks, packs));
    }
}
