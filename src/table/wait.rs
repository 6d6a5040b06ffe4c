//! Who sleeps until a key has something for it: BLPOP's and BZPOPMIN's clients, in the order in which they came.
//!
//! A change of a key that somebody waits for marks it. At the end of the unit of work that changed it, with its stripes
//! still locked, [`Locked::serve_ready`] goes through the marked keys in the order of the marks, and for each through
//! those who wait. So what was pushed is taken by whoever waited longest before anybody else can see it, and there is
//! no moment at which a key has elements and somebody who waits for them.
//!
//! A waiter may need a second key (BLMOVE's destination). Whoever locks a key therefore locks the second keys of the first
//! few who wait for it as well, and of those who wait for these: see [`Locked::new`]. If more of them can be served than
//! that, [`Locked::take_left`] tells which keys to lock and serve again.
//!
//! What serving means is not known here: a waiter brings its own function, which is run as often as something comes and
//! says whether that was enough.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use smallvec::SmallVec;

use super::{Address, Locked, Table};
use crate::value::Kind;

/// Second keys locked ahead, counted in waiters of one key: elements usually come a few at a time.
const LOCKED_AHEAD: usize = 8;

/// One sleeping client, in the line of each key that it waits for.
pub struct Waiter {
    /// The type that serves it. Anything else may come and go.
    pub kind: Kind,
    /// Whether it is tried, to be refused, also when the key is gone or holds another type.
    pub when_gone: bool,
    /// The database and name of the key that it needs besides the one that serves it.
    pub also: Option<(usize, Box<[u8]>)>,
    /// Tries to serve it with the key given, which holds a value of its type. The key's stripe and that of
    /// [`Waiter::also`] are locked.
    pub serve: Serve,
}

/// See [`Waiter::serve`].
pub type Serve = Box<dyn Fn(&mut Locked<'_>, &[u8]) -> Served + Send + Sync>;

/// What came of trying to serve a waiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Served {
    /// It sleeps on: there was not what it wants.
    No,
    /// It has what it wanted, or was refused.
    Yes,
    /// It does not wait any more.
    Gone,
}

/// The keys of a stripe that somebody waits for. Empty, and then free of cost, nearly always.
#[derive(Default)]
#[expect(clippy::box_collection, reason = "one word in each of thousands of stripes, instead of six")]
pub(super) struct Waiters(Option<Box<HashMap<Box<[u8]>, Line>>>);

struct Line {
    /// The number of the database, which stays when databases are exchanged.
    db: usize,
    hash: u64,
    /// When the key was marked; 0 when it is not.
    mark: u64,
    waiting: VecDeque<Arc<Waiter>>,
    /// How many of these are to be told that the key has gone.
    when_gone: usize,
}

impl Waiters {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    #[inline]
    pub(super) fn has(&self, key: &[u8]) -> bool {
        self.0.as_ref().is_some_and(|lines| lines.contains_key(key))
    }

    fn add(&mut self, db: usize, key: &[u8], hash: u64, waiter: &Arc<Waiter>) {
        let line = self.0.get_or_insert_default().entry(key.into());
        let line = line.or_insert_with(|| Line { db, hash, mark: 0, waiting: VecDeque::new(), when_gone: 0 });
        line.waiting.push_back(waiter.clone());
        line.when_gone += usize::from(waiter.when_gone);
    }

    fn remove(&mut self, key: &[u8], waiter: &Arc<Waiter>) {
        let Some(lines) = &mut self.0 else { return };
        if let Some(line) = lines.get_mut(key) {
            if let Some(place) = line.waiting.iter().position(|other| Arc::ptr_eq(other, waiter)) {
                line.waiting.remove(place);
                line.when_gone -= usize::from(waiter.when_gone);
            }
            if line.waiting.is_empty() {
                lines.remove(key);
            }
        }
        if lines.is_empty() {
            self.0 = None;
        }
    }

    /// Notes that a key changed. `marks` counts all marks there ever were.
    #[inline]
    pub(super) fn mark(&mut self, key: &[u8], marks: &AtomicU64) {
        if let Some(lines) = &mut self.0
            && let Some(line) = lines.get_mut(key)
        {
            line.mark_now(marks);
        }
    }

    /// Notes that a key was removed, if somebody wants to know of that.
    #[inline]
    pub(super) fn mark_gone(&mut self, key: &[u8], marks: &AtomicU64) {
        if let Some(lines) = &mut self.0
            && let Some(line) = lines.get_mut(key)
            && line.wants_to_know()
        {
            line.mark_now(marks);
        }
    }

    /// Notes that all keys were removed.
    pub(super) fn mark_all_gone(&mut self, marks: &AtomicU64) {
        let lines = self.0.iter_mut().flat_map(|lines| lines.values_mut());
        lines.filter(|line| line.wants_to_know()).for_each(|line| line.mark_now(marks));
    }

    /// Marks the keys for which `is_ready(key, hash)` holds.
    pub(super) fn mark_where(&mut self, is_ready: impl Fn(&[u8], u64) -> bool, marks: &AtomicU64) {
        for (key, line) in self.0.iter_mut().flat_map(|lines| lines.iter_mut()) {
            if line.wants_to_know() || is_ready(key, line.hash) {
                line.mark_now(marks);
            }
        }
    }

    /// The second keys of the first who wait for the keys with this hash.
    fn also(&self, hash: u64) -> impl Iterator<Item = &(usize, Box<[u8]>)> {
        let lines = self.0.iter().flat_map(|lines| lines.values()).filter(move |line| line.hash == hash);
        lines
            .flat_map(|line| line.waiting.iter().filter_map(|waiter| waiter.also.as_ref()).take(LOCKED_AHEAD))
    }

    /// The marked keys with this hash, whose marks are taken away: mark, database, key.
    fn take_marked(&mut self, hash: u64, found: &mut Vec<(u64, usize, Box<[u8]>)>) {
        for (key, line) in self.0.iter_mut().flat_map(|lines| lines.iter_mut()) {
            if line.hash == hash && line.mark != 0 {
                found.push((std::mem::take(&mut line.mark), line.db, key.clone()));
            }
        }
    }

    fn marked(&self) -> impl Iterator<Item = u64> {
        let lines = self.0.iter().flat_map(|lines| lines.values());
        lines.filter(|line| line.mark != 0).map(|line| line.hash)
    }

    fn len(&self, key: &[u8]) -> usize {
        self.0.as_ref().and_then(|lines| lines.get(key)).map_or(0, |line| line.waiting.len())
    }

    /// The first in line, from a place on, whom a key of this kind is for, and his place. In a long line nobody is looked at for
    /// a key that has gone, if nobody wants to know of that.
    fn next_for(&self, key: &[u8], kind: Option<Kind>, place: usize) -> Option<(usize, Arc<Waiter>)> {
        let line = self.0.as_ref()?.get(key)?;
        if kind.is_none() && !line.wants_to_know() {
            return None;
        }
        let mut from = line.waiting.iter().enumerate().skip(place);
        let (place, waiter) = from.find(|(_, waiter)| waiter.when_gone || Some(waiter.kind) == kind)?;
        Some((place, waiter.clone()))
    }
}

impl Line {
    /// True when somebody waits who is told that the key has gone.
    fn wants_to_know(&self) -> bool {
        self.when_gone > 0
    }

    fn mark_now(&mut self, marks: &AtomicU64) {
        // The first change counts: it decides which of several keys is served first.
        if self.mark == 0 {
            self.mark = marks.fetch_add(1, Ordering::Relaxed) + 1;
        }
    }
}

/// The keys of `addresses` and the second keys of those who wait for them, as far as `waiters_of` knows their stripes:
/// adds the latter. True when there are stripes among them that it does not know.
pub(super) fn add_second_keys<'w>(
    table: &Table,
    addresses: &mut SmallVec<[Address; 16]>,
    waiters_of: impl Fn(u32) -> Option<&'w Waiters>,
) -> bool {
    let (mut at, mut lacking) = (0, false);
    while let Some(&address) = addresses.get(at) {
        at += 1;
        let Some(waiters) = waiters_of(address.stripe) else {
            lacking = true;
            continue;
        };
        for (db, key) in waiters.also(address.hash) {
            let address = table.address(*db, key);
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    lacking
}

impl Locked<'_> {
    /// Puts a waiter at the end of the line of a key, whose stripe must be locked.
    pub fn wait(&mut self, db: usize, key: &[u8], waiter: &Arc<Waiter>) {
        let address = self.table().address(db, key);
        if let Some(stripe) = self.stripe(address) {
            stripe.waiters.add(db, key, address.hash, waiter);
        }
    }

    /// Serves those who wait for keys that the unit has changed, and for keys that serving them changed. To be called
    /// when the unit is in the log, before its locks are let go. Returns how many were served.
    pub fn serve_ready(&mut self) -> usize {
        let mut served = 0;
        let mut left = Vec::new();
        loop {
            let mut ready = Vec::new();
            for at in 0..self.awaited.len() {
                let address = self.awaited[at];
                if let Some(stripe) = self.stripe(address) {
                    stripe.waiters.take_marked(address.hash, &mut ready);
                }
            }
            if ready.is_empty() {
                break;
            }
            ready.sort_unstable();
            for (_, db, key) in ready {
                served += self.serve_key(db, &key, &mut left);
            }
        }
        // Marked again only now, or this would not end.
        let marks = &self.table().marks;
        for (db, key) in left {
            let address = self.table().address(db, &key);
            if let Some(stripe) = self.stripe(address) {
                stripe.waiters.mark(&key, marks);
                self.left.push(address);
            }
        }
        served
    }

    /// The keys that could not be served to the end, because of second keys that are not locked. They are to be locked
    /// anew and served again.
    pub fn take_left(&mut self) -> Vec<Address> {
        std::mem::take(&mut self.left)
    }

    fn serve_key(&mut self, db: usize, key: &[u8], left: &mut Vec<(usize, Box<[u8]>)>) -> usize {
        let address = self.table().address(db, key);
        let (mut served, mut place) = (0, 0);
        // Nobody can join the line meanwhile. Whoever is served leaves it.
        for _ in 0..self.stripe(address).map_or(0, |stripe| stripe.waiters.len(key)) {
            let kind = self.slot(db, key).entry().map(|entry| entry.kind());
            let next = self.stripe(address).and_then(|stripe| stripe.waiters.next_for(key, kind, place));
            let Some((found, waiter)) = next else { break };
            place = found;
            if let Some((db_also, also)) = &waiter.also
                && self.stripe(self.table().address(*db_also, also)).is_none()
            {
                left.push((db, key.into()));
                break;
            }
            match (waiter.serve)(self, key) {
                Served::No => {
                    place += 1;
                    continue;
                }
                Served::Yes => served += 1,
                Served::Gone => {}
            }
            if let Some(stripe) = self.stripe(address) {
                stripe.waiters.remove(key, &waiter);
            }
        }
        served
    }
}

impl Table {
    /// Takes a waiter out of the line of a key. To be called in a turn, so that the databases stay where they are.
    pub fn stop_waiting(&self, db: usize, key: &[u8], waiter: &Arc<Waiter>) {
        self.lock(self.address(db, key).stripe).waiters.remove(key, waiter);
    }

    /// How often a key that somebody waits for was marked, since the start: when it grew, there is somebody to serve.
    #[inline]
    pub fn marks(&self) -> u64 {
        self.marks.load(Ordering::Relaxed)
    }

    /// All marked keys, for what changes keys without locking them together.
    pub fn marked_keys(&self) -> Vec<Address> {
        let mut found = Vec::new();
        for (place, database) in self.databases.iter().enumerate() {
            for (index, stripe) in
                database.get().into_iter().flat_map(|database| database.stripes.iter().enumerate())
            {
                let stripe_number = (place * self.stripes() + index) as u32;
                found.extend(
                    stripe.lock().waiters.marked().map(|hash| Address { stripe: stripe_number, hash }),
                );
            }
        }
        found
    }
}
