//! Loading on every core. One thread reads and checks; lanes carry out what was read, each for its own part of the keys.
//!
//! ```text
//! reader -> commands on one key, gathered by lane -> lane 0: stripes 0, 2, 4, …    (own thread, keys in the log's order)
//!                                                 -> lane 1: stripes 1, 3, 5, …
//!        -> any other command: when all lanes are idle, alone
//! ```
//!
//! What is done to one key is done by one lane in the order in which it was read, so the outcome is the same as if all
//! was done in a row. A lane also knows what it is about to do, and asks for the memory of many keys at once, as a
//! connection's turn does.
//!
//! Nothing is copied on the way: what lanes get are slices of the file.

use std::borrow::Cow;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use parking_lot::{Condvar, Mutex};
use smallvec::SmallVec;

use crate::base::prefetch::AHEAD;
use crate::config::Config;
use crate::exec::registry::Command;
use crate::exec::{Context, limits, replay};
use crate::log::rdb::{RdbError, Stored};
use crate::log::record::Seq;
use crate::resp::request::OwnedRequest;
use crate::table::{self, Address, Expiry};

/// Jobs that are handed over together: so many that the hand-over costs nothing, so few that lanes start soon.
const CHUNK_JOBS: usize = 512;
/// Chunks that may wait for a lane. The reader then waits, so that memory stays bounded.
const QUEUE_CHUNKS: usize = 8;
/// More lanes would only wait for the reader.
const LANES_MAX: usize = 16;

/// The lanes, as the reader sees them. `'d` is the life of the data that is read.
pub(super) struct Lanes<'s, 'd> {
    ctx: &'s Context,
    state: &'s State,
    /// None: there is one core, and the reader does all itself.
    senders: Vec<SyncSender<Chunk<'s, 'd>>>,
    /// What is being gathered for each lane.
    filling: Vec<Chunk<'s, 'd>>,
    worker: Worker<'s>,
}

/// What the lanes share.
#[derive(Default)]
struct State {
    /// Chunks that were handed over and not finished.
    pending: Mutex<usize>,
    idle: Condvar,
    refused: Mutex<Option<Refused>>,
}

/// The first record that could not be carried out, by its number (0: a key of a snapshot), and why.
type Refused = (Seq, String);

#[derive(Default)]
struct Chunk<'s, 'd> {
    jobs: Vec<Job<'s, 'd>>,
    /// The words of the commands, one after the other.
    words: Vec<&'d [u8]>,
}

struct Job<'s, 'd> {
    db: usize,
    address: Address,
    work: Work<'s, 'd>,
}

enum Work<'s, 'd> {
    Command { seq: Seq, command: &'s Command, key_at: usize, first: usize, words: usize },
    Entry(Entry<'d>),
}

/// A key as a snapshot holds it.
pub(super) struct Entry<'d> {
    pub(super) key: Cow<'d, [u8]>,
    pub(super) value: Stored<'d>,
    pub(super) expiry: Expiry,
    pub(super) idle_s: Option<u64>,
    pub(super) frequency: Option<u8>,
}

/// Runs `read`, which gives the lanes what is to be done, and waits until all of it is done. With its result the first
/// record that could not be carried out.
pub(super) fn over<'d, R>(
    ctx: &Context,
    read: impl FnOnce(&mut Lanes<'_, 'd>) -> R,
) -> (R, Option<(Seq, String)>) {
    let state = State::default();
    let wanted = match ctx.identity.workers {
        0 | 1 => 0,
        workers => workers.min(LANES_MAX),
    };
    let result = std::thread::scope(|scope| {
        let mut senders = Vec::new();
        for number in 0..wanted {
            let (sender, receiver) = sync_channel(QUEUE_CHUNKS);
            let state = &state;
            let thread = std::thread::Builder::new().name(format!("load-{number}"));
            // Without a thread there is a lane less.
            if thread.spawn_scoped(scope, move || work(ctx, state, &receiver)).is_ok() {
                senders.push(sender);
            }
        }
        let filling = (0..senders.len().max(1)).map(|_| Chunk::default()).collect();
        let mut lanes = Lanes { ctx, state: &state, senders, filling, worker: Worker::new(ctx) };
        let result = read(&mut lanes);
        lanes.settle();
        result
    });
    (result, state.refused.into_inner())
}

impl<'s, 'd> Lanes<'s, 'd> {
    /// Does a command of a record: sooner or later if it runs on one key, at once (`alone`) if not.
    pub(super) fn command(
        &mut self,
        seq: Seq,
        db: usize,
        args: &[&'d [u8]],
        alone: impl FnOnce() -> Result<(), String>,
    ) {
        let on_one_key = replay::on_one_key(self.ctx, args);
        let Some((command, key_at, key)) = on_one_key.filter(|_| db < self.ctx.table.databases()) else {
            self.settle();
            if let Err(why) = alone() {
                self.state.refuse(seq, why);
            }
            return;
        };
        let address = self.ctx.table.address(db, key);
        let chunk = self.chunk_of(address);
        let first = chunk.words.len();
        chunk.words.extend_from_slice(args);
        let work = Work::Command { seq, command, key_at, first, words: args.len() };
        self.add(Job { db, address, work });
    }

    /// Stores a key.
    pub(super) fn entry(&mut self, db: usize, entry: Entry<'d>) {
        let address = self.ctx.table.address(db, &entry.key);
        self.add(Job { db, address, work: Work::Entry(entry) });
    }

    fn lane_of(&self, address: Address) -> usize {
        address.stripe() % self.filling.len()
    }

    fn chunk_of(&mut self, address: Address) -> &mut Chunk<'s, 'd> {
        let lane = self.lane_of(address);
        &mut self.filling[lane]
    }

    fn add(&mut self, job: Job<'s, 'd>) {
        let lane = self.lane_of(job.address);
        let chunk = &mut self.filling[lane];
        chunk.jobs.push(job);
        if chunk.jobs.len() < CHUNK_JOBS {
            return;
        }
        let chunk = std::mem::take(chunk);
        let Some(sender) = self.senders.get(lane) else { return self.worker.run(self.state, chunk) };
        *self.state.pending.lock() += 1;
        if let Err(back) = sender.send(chunk) {
            // The lane has ended, which only a panic in it could do: its work is done here.
            self.worker.run(self.state, back.0);
            self.state.finished();
        }
    }

    /// Waits until all that was given is done. What no lane has got yet is done here, in place of waking one.
    fn settle(&mut self) {
        let mut pending = self.state.pending.lock();
        while *pending > 0 {
            self.state.idle.wait(&mut pending);
        }
        drop(pending);
        for chunk in &mut self.filling {
            if !chunk.jobs.is_empty() {
                self.worker.run(self.state, std::mem::take(chunk));
            }
        }
    }
}

impl State {
    fn finished(&self) {
        let mut pending = self.pending.lock();
        *pending -= 1;
        if *pending == 0 {
            self.idle.notify_all();
        }
    }

    fn refuse(&self, seq: Seq, why: String) {
        let mut refused = self.refused.lock();
        if refused.as_ref().is_none_or(|(first, _)| seq < *first) {
            *refused = Some((seq, why));
        }
    }
}

/// Counts a chunk as finished even if carrying it out panicked: the reader must not wait for ever.
struct Finish<'s>(&'s State);

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        self.0.finished();
    }
}

fn work(ctx: &Context, state: &State, chunks: &Receiver<Chunk<'_, '_>>) {
    let mut worker = Worker::new(ctx);
    while let Ok(chunk) = chunks.recv() {
        let _finish = Finish(state);
        worker.run(state, chunk);
    }
}

/// Who carries out chunks.
struct Worker<'s> {
    ctx: &'s Context,
    config: std::sync::Arc<Config>,
    request: OwnedRequest,
    out: Vec<u8>,
}

impl<'s> Worker<'s> {
    fn new(ctx: &'s Context) -> Self {
        let config = std::sync::Arc::clone(&ctx.settings.load());
        Worker { ctx, config, request: OwnedRequest::default(), out: Vec::new() }
    }

    fn run(&mut self, state: &State, chunk: Chunk<'_, '_>) {
        let table = &self.ctx.table;
        let mut jobs = chunk.jobs.into_iter();
        loop {
            let soon = jobs.as_slice();
            let soon = soon.get(..AHEAD).unwrap_or(soon);
            if soon.is_empty() {
                return;
            }
            let aims: SmallVec<[_; AHEAD]> = soon.iter().map(|job| table.aim(job.address)).collect();
            table::look_ahead(&aims);
            for job in jobs.by_ref().take(AHEAD) {
                match job.work {
                    Work::Entry(entry) => {
                        if let Err(error) = self.store(job.address, &entry) {
                            state.refuse(0, error.to_string());
                        }
                    }
                    Work::Command { seq, command, key_at, first, words } => {
                        self.request.refill(chunk.words.get(first..first + words).unwrap_or_default());
                        let request = self.request.as_request();
                        let place = (job.db, job.address, key_at);
                        let done =
                            replay::write(self.ctx, &self.config, command, place, &request, &mut self.out);
                        if let Err(refusal) = done {
                            state.refuse(seq, refusal.text().into_owned());
                        }
                    }
                }
            }
        }
    }

    fn store(&self, address: Address, entry: &Entry<'_>) -> Result<(), RdbError> {
        let Entry { key, value: stored, expiry, idle_s, frequency } = entry;
        let table = &self.ctx.table;
        if let Some(text) = stored.plain_text() {
            table.write(address, key, 0, |slot| {
                slot.put_text(text, *expiry);
                slot.set_use(*idle_s, *frequency);
            });
        } else if let Some(value) = stored.read(&limits::of(&self.config))? {
            table.write(address, key, 0, |slot| {
                slot.put(value, *expiry);
                slot.set_use(*idle_s, *frequency);
            });
        }
        Ok(())
    }
}
