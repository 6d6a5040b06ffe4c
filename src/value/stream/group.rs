//! A consumer group: how far it has read, who reads for it, and what was delivered to whom and is not acknowledged yet.
//!
//! What is pending stands in one ledger of the group, with the number of the consumer who has it, and once more among the ids
//! of that consumer. When a consumer was last seen is no data: nobody logs it, and it is noted through a shared reference, so
//! that a client who asks in vain does not change the stream.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};

use triomphe::Arc;

use super::id::Id;
use super::ledger::Ledger;
use crate::base::clock::Millis;
use crate::value::ARC_HEAD;

/// What a consumer or a name takes in its map besides itself, about, in bytes.
const NODE: usize = 48;

/// See the head of this file.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// The last entry that was delivered: what is new comes after it.
    pub last_id: Id,
    /// How many entries it has read, of all that were ever added; none where that is not known.
    pub entries_read: Option<u64>,
    pending: Ledger<Pending>,
    consumers: BTreeMap<Arc<[u8]>, Consumer>,
    /// The names of the consumers by their numbers.
    names: BTreeMap<u32, Arc<[u8]>>,
    /// Heap bytes of consumers and names.
    bytes: usize,
}

/// An entry that was delivered and is not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// When it was last delivered.
    pub delivered: Millis,
    /// How often it was.
    pub count: u64,
    /// The number of the consumer who has it.
    owner: u32,
}

/// One who reads for a group.
#[derive(Debug)]
pub struct Consumer {
    number: u32,
    seen: AtomicI64,
    pending: Ledger<()>,
}

impl Consumer {
    /// When it last asked for something; 0 where that is not known, because the log does not tell.
    pub fn seen(&self) -> Millis {
        self.seen.load(Ordering::Relaxed)
    }

    /// Notes that it asked for something.
    pub fn see(&self, now: Millis) {
        self.seen.fetch_max(now, Ordering::Relaxed);
    }

    /// The ids that it has to acknowledge.
    pub fn pending(&self) -> &Ledger<()> {
        &self.pending
    }
}

impl Clone for Consumer {
    fn clone(&self) -> Self {
        Consumer { number: self.number, seen: AtomicI64::new(self.seen()), pending: self.pending.clone() }
    }
}

impl PartialEq for Consumer {
    fn eq(&self, other: &Self) -> bool {
        self.pending == other.pending
    }
}

impl Group {
    /// A group that has read up to an id.
    #[must_use]
    pub fn new(last_id: Id, entries_read: Option<u64>) -> Self {
        Group {
            last_id,
            entries_read,
            pending: Ledger::default(),
            consumers: BTreeMap::new(),
            names: BTreeMap::new(),
            bytes: 0,
        }
    }

    /// Heap bytes held.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.bytes + self.pending.heap_bytes()
    }

    /// What is pending, in the order of ids.
    #[must_use]
    pub fn pending(&self) -> &Ledger<Pending> {
        &self.pending
    }

    /// The name of the consumer who has something pending.
    #[must_use]
    pub fn owner(&self, pending: &Pending) -> &[u8] {
        self.names.get(&pending.owner).map_or(&[], |name| name)
    }

    /// The consumers with their names, in the order of these.
    pub fn consumers(&self) -> impl ExactSizeIterator<Item = (&[u8], &Consumer)> {
        self.consumers.iter().map(|(name, consumer)| (&**name, consumer))
    }

    /// The consumer of this name.
    #[must_use]
    pub fn consumer(&self, name: &[u8]) -> Option<&Consumer> {
        self.consumers.get(name)
    }

    /// Adds a consumer, seen now. False when there is one of this name.
    pub fn add_consumer(&mut self, name: &[u8], now: Millis) -> bool {
        if self.consumers.contains_key(name) {
            return false;
        }
        // Numbers are not used again while they are in use; four billion consumers have no room.
        let number = self.names.last_key_value().map_or(0, |(last, _)| last.wrapping_add(1));
        let name: Arc<[u8]> = name.into();
        self.bytes += weight(&name);
        self.names.insert(number, name.clone());
        let consumer = Consumer { number, seen: AtomicI64::new(now), pending: Ledger::default() };
        self.consumers.insert(name, consumer);
        true
    }

    /// Removes a consumer with all that it has pending; how much that was.
    pub fn remove_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let (name, consumer) = self.consumers.remove_entry(name)?;
        self.names.remove(&consumer.number);
        self.bytes -= weight(&name) + consumer.pending.heap_bytes();
        for (id, ()) in consumer.pending.range(Id::MIN) {
            self.pending.remove(id);
        }
        Some(consumer.pending.len())
    }

    /// Makes an entry pending with a consumer, whoever had it before. False, and nothing is done, without such a consumer.
    pub fn assign(&mut self, id: Id, consumer: &[u8], delivered: Millis, count: u64) -> bool {
        let Some(owner) = self.consumers.get(consumer).map(|consumer| consumer.number) else { return false };
        let before = self.pending.insert(id, Pending { delivered, count, owner });
        if before.is_some_and(|before| before.owner == owner) {
            return true;
        }
        if let Some(before) = before {
            self.change_owned(before.owner, |owned| {
                owned.remove(id);
            });
        }
        self.change_owned(owner, |owned| {
            owned.insert(id, ());
        });
        true
    }

    /// Takes an entry out of what is pending; true when it was.
    pub fn acknowledge(&mut self, id: Id) -> bool {
        let Some(pending) = self.pending.remove(id) else { return false };
        self.change_owned(pending.owner, |owned| {
            owned.remove(id);
        });
        true
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn change_owned(&mut self, owner: u32, change: impl FnOnce(&mut Ledger<()>)) {
        let consumer = self.names.get(&owner).and_then(|name| self.consumers.get_mut(name));
        if let Some(consumer) = consumer {
            let before = consumer.pending.heap_bytes();
            change(&mut consumer.pending);
            self.bytes = self.bytes + consumer.pending.heap_bytes() - before;
        }
    }
}

/// Bytes of a consumer without what it has pending: its name and its places in both maps.
fn weight(name: &[u8]) -> usize {
    ARC_HEAD + name.len() + size_of::<Consumer>() + 2 * NODE
}
