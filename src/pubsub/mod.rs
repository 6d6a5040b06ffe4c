//! Who listens to which channel, and how a message finds them.
//!
//! ```text
//! channels   name -> listeners     SUBSCRIBE, PUBLISH
//! shards     name -> listeners     SSUBSCRIBE, SPUBLISH: names of their own
//! patterns   glob -> listeners     PSUBSCRIBE: asked for every message to a channel
//! ```
//!
//! Names are spread over many locks by their hash, and a message holds the lock of its own name only, for as long as it is
//! handed out. So publishers meet only at the same channel; and there they must, because all who listen to a channel get
//! its messages in the same order, those included who came by a pattern. Patterns stand behind a lock that publishers
//! share, and that they do not touch while there is no pattern.
//!
//! What a listener is, and how it is told, is not known here: whoever publishes brings the function that tells one.

mod frame;

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_utils::CachePadded;
use parking_lot::{Mutex, MutexGuard, RwLock};

use crate::base::glob;

pub use frame::{confirmation, message};

/// Locks that the names of one kind are spread over: publishers to different channels rarely meet at one.
const SHARDS: usize = 256;

/// What a subscription is to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A channel.
    Channel,
    /// All channels that a glob pattern fits.
    Pattern,
    /// A shard channel. Without a cluster it is a channel in a space of its own.
    Shard,
}

/// Listeners by their numbers.
type Listeners<L> = BTreeMap<u64, Arc<L>>;

/// Names and who listens to each; a name without listeners is not kept.
type Names<L> = HashMap<Arc<[u8]>, Listeners<L>>;

/// All subscriptions of the process.
pub struct PubSub<L> {
    channels: Spread<L>,
    shards: Spread<L>,
    patterns: RwLock<Names<L>>,
    pattern_count: AtomicUsize,
}

impl<L> Default for PubSub<L> {
    fn default() -> Self {
        PubSub {
            channels: Spread::new(),
            shards: Spread::new(),
            patterns: RwLock::default(),
            pattern_count: AtomicUsize::new(0),
        }
    }
}

impl<L> PubSub<L> {
    /// Subscribes the listener with this number. Returns the name, which all who listen to it share.
    pub fn add(&self, kind: Kind, name: &[u8], id: u64, listener: &Arc<L>) -> Arc<[u8]> {
        match kind {
            Kind::Channel => add(&mut self.channels.of(name), name, id, listener),
            Kind::Shard => add(&mut self.shards.of(name), name, id, listener),
            Kind::Pattern => {
                let mut patterns = self.patterns.write();
                let name = add(&mut patterns, name, id, listener);
                self.pattern_count.store(patterns.len(), Ordering::Release);
                name
            }
        }
    }

    /// Ends [`PubSub::add`]: from now on the listener is told nothing more for this name's sake.
    pub fn remove(&self, kind: Kind, name: &[u8], id: u64) {
        match kind {
            Kind::Channel => remove(&mut self.channels.of(name), name, id),
            Kind::Shard => remove(&mut self.shards.of(name), name, id),
            Kind::Pattern => {
                let mut patterns = self.patterns.write();
                remove(&mut patterns, name, id);
                self.pattern_count.store(patterns.len(), Ordering::Release);
            }
        }
    }

    /// Hands a message out: `tell` is called for each listener with the frame that it is to get, which was encoded once
    /// for all. Returns how many times it was called; a listener is told once for the channel and once for each of its
    /// patterns that fit.
    pub fn publish(&self, channel: &[u8], payload: &[u8], mut tell: impl FnMut(&Arc<L>, &[u8])) -> usize {
        let mut told = 0;
        // Held to the end, also where nobody listens to the channel itself: this is what orders its messages.
        let names = self.channels.of(channel);
        if let Some(listeners) = names.get(channel) {
            told += hand_out(listeners, &message(b"message", None, channel, payload), &mut tell);
        }
        if self.pattern_count.load(Ordering::Acquire) == 0 {
            return told;
        }
        for (pattern, listeners) in self.patterns.read().iter() {
            if glob::matches(pattern, channel, false) {
                let frame = message(b"pmessage", Some(pattern), channel, payload);
                told += hand_out(listeners, &frame, &mut tell);
            }
        }
        told
    }

    /// As [`PubSub::publish`] for a shard channel, which patterns do not see.
    pub fn publish_to_shard(
        &self,
        channel: &[u8],
        payload: &[u8],
        mut tell: impl FnMut(&Arc<L>, &[u8]),
    ) -> usize {
        let names = self.shards.of(channel);
        names.get(channel).map_or(0, |listeners| {
            hand_out(listeners, &message(b"smessage", None, channel, payload), &mut tell)
        })
    }

    /// The names that somebody listens to and that a pattern fits, in the order of their bytes.
    pub fn names(&self, kind: Kind, fits: Option<&[u8]>) -> Vec<Arc<[u8]>> {
        let mut found = Vec::new();
        let mut collect = |names: &Names<L>| {
            let fitting =
                names.keys().filter(|name| fits.is_none_or(|fits| glob::matches(fits, name, false)));
            found.extend(fitting.cloned());
        };
        match kind {
            Kind::Channel => self.channels.each(&mut collect),
            Kind::Shard => self.shards.each(&mut collect),
            Kind::Pattern => collect(&self.patterns.read()),
        }
        found.sort_unstable();
        found
    }

    /// How many names somebody listens to.
    pub fn count(&self, kind: Kind) -> usize {
        let mut sum = 0;
        match kind {
            Kind::Channel => self.channels.each(&mut |names| sum += names.len()),
            Kind::Shard => self.shards.each(&mut |names| sum += names.len()),
            Kind::Pattern => sum = self.pattern_count.load(Ordering::Acquire),
        }
        sum
    }

    /// How many listen to a name.
    pub fn listeners(&self, kind: Kind, name: &[u8]) -> usize {
        let count = |names: &Names<L>| names.get(name).map_or(0, BTreeMap::len);
        match kind {
            Kind::Channel => count(&self.channels.of(name)),
            Kind::Shard => count(&self.shards.of(name)),
            Kind::Pattern => count(&self.patterns.read()),
        }
    }
}

fn hand_out<L>(listeners: &Listeners<L>, frame: &[u8], tell: &mut impl FnMut(&Arc<L>, &[u8])) -> usize {
    listeners.values().for_each(|listener| tell(listener, frame));
    listeners.len()
}

fn add<L>(names: &mut Names<L>, name: &[u8], id: u64, listener: &Arc<L>) -> Arc<[u8]> {
    let known = names.get_key_value(name).map(|(known, _)| known.clone());
    let name = known.unwrap_or_else(|| name.into());
    names.entry(name.clone()).or_default().insert(id, listener.clone());
    name
}

fn remove<L>(names: &mut Names<L>, name: &[u8], id: u64) {
    if let Some(listeners) = names.get_mut(name) {
        listeners.remove(&id);
        if listeners.is_empty() {
            names.remove(name);
        }
    }
}

/// Names, spread over locks.
struct Spread<L> {
    hasher: RandomState,
    shards: Box<[CachePadded<Mutex<Names<L>>>]>,
}

impl<L> Spread<L> {
    fn new() -> Self {
        Spread { hasher: RandomState::new(), shards: (0..SHARDS).map(|_| CachePadded::default()).collect() }
    }

    /// The names among which this one is.
    fn of(&self, name: &[u8]) -> MutexGuard<'_, Names<L>> {
        self.shards[self.hasher.hash_one(name) as usize % SHARDS].lock()
    }

    fn each(&self, visit: &mut impl FnMut(&Names<L>)) {
        self.shards.iter().for_each(|shard| visit(&shard.lock()));
    }
}

#[cfg(test)]
mod tests;
