//! When the outcome of a turn may be told: not before the log records that it depends on are where `appendfsync` wants
//! them.
//!
//! Whoever has run commands waits here before answering. All who run commands on one thread share a [`Flusher`]: its task
//! is polled after everyone who was ready at the same time, so that one write to the log serves them all. Where the device
//! is to be waited for, the flusher syncs the log itself ([`SyncHere`]), or is the one waiter that the log knows of the thread,
//! and then wakes all whose record is safe. So a sync costs a thread one wake-up at most, however many connections it serves.

use std::fmt;
use std::future::poll_fn;
use std::task::{Poll, Waker};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::context::Context;
use super::sync_here::SyncHere;
use crate::config::AppendFsync;
use crate::log::{LogFault, Seq};

/// Which records must be safe before the replies so far may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Need {
    own: Seq,
    seen: Seq,
}

/// How many answers there are so far that could as well be refusals, since their commands did nothing but look; as long as
/// there is no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Looks(u32);

impl Looks {
    /// In the place of a count: something else was answered, too.
    const NOT_ONLY: u32 = u32::MAX;

    /// A command was answered.
    #[inline]
    pub(super) fn answered(&mut self) {
        self.0 = self.0.saturating_add(1);
    }

    /// Something is told that is done: a refusal in its place would be a lie.
    #[inline]
    pub fn not_only(&mut self) {
        self.0 = Self::NOT_ONLY;
    }

    /// How many refusals may stand in the place of the answers, where any may.
    pub fn count(self) -> Option<u32> {
        (self.0 != Self::NOT_ONLY).then_some(self.0)
    }
}

impl Need {
    /// For who may have seen anything that is in the log.
    pub fn of_everything(ctx: &Context) -> Self {
        Need { own: 0, seen: ctx.log.appended() }
    }

    /// A record was written on the session's behalf. It has to be with the operating system, whatever `appendfsync` says.
    #[inline]
    pub fn wrote(&mut self, seq: Seq) {
        self.own = self.own.max(seq);
    }

    /// Something was seen that the log has up to this record. With `appendfsync always` it must not be told before the
    /// device has it, else a crash could take back what somebody was told.
    #[inline]
    pub fn saw(&mut self, seq: Seq) {
        self.seen = self.seen.max(seq);
    }

    /// What was seen as of an earlier need: what was seen since is not told.
    pub(super) fn unsee(&mut self, earlier: Need) {
        self.seen = earlier.seen;
    }

    /// Whether records were written since an earlier need.
    pub(super) fn has_written_since(self, earlier: Need) -> bool {
        self.own != earlier.own
    }

    /// Whether a record was written.
    pub fn is_own(self) -> bool {
        self.own > 0
    }

    /// The number up to which the device must have it.
    pub(super) fn durable(self) -> Seq {
        if cfg!(feature = "canary-read-before-durable") { self.own } else { self.own.max(self.seen) }
    }
}

/// Hands the log to the operating system once for all who are ready together, and waits for the device for all of them.
pub struct Flusher {
    /// The seat of the thread that it serves.
    seat: usize,
    state: Mutex<State>,
    /// Somebody waits for the operating system.
    flush: Notify,
    /// Somebody waits for the device.
    sync: Notify,
}

#[derive(Default)]
struct State {
    /// The highest number that must be with the operating system.
    wanted: Seq,
    /// Those who wait for that.
    flushing: Vec<Waker>,
    /// Those who wait for the device, each with its number.
    syncing: Vec<(Seq, Waker)>,
    /// Whether the log knows that somebody waits for the device.
    is_announced: bool,
    /// Flushes that failed so far.
    failures: u64,
}

/// The log could not be written or synced: nothing of the turn may be acknowledged.
#[derive(Debug)]
pub struct NotSafe(Option<LogFault>);

impl fmt::Display for NotSafe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("the log could not be written, so nothing can be acknowledged"),
            Some(fault) => write!(f, "the log could not be synced, so nothing can be acknowledged: {fault}"),
        }
    }
}

impl std::error::Error for NotSafe {}

impl Flusher {
    /// For those who run commands on this seat.
    pub fn new(seat: usize) -> Self {
        Flusher { seat, state: Mutex::default(), flush: Notify::default(), sync: Notify::default() }
    }

    /// Flushes, and waits for the device, for all who wait, for ever: a task of the thread that they are on. What may keep the
    /// thread from all else for as long as the disk takes is done by `apart`; syncs only where this is `here`.
    pub async fn run(&self, ctx: &Context, here: SyncHere, apart: impl Fn(&mut dyn FnMut())) {
        // What is to be synced is flushed before.
        tokio::join!(biased; self.flush_for_all(ctx, &apart), self.sync_for_all(ctx, here, &apart));
    }

    async fn flush_for_all(&self, ctx: &Context, apart: impl Fn(&mut dyn FnMut())) {
        let stats = ctx.stats.seat(self.seat);
        loop {
            self.flush.notified().await;
            let wanted = self.state.lock().wanted;
            let began = ctx.clock.elapsed();
            let mut flushed = Ok(());
            apart(&mut || flushed = ctx.log.flush(wanted, ctx.clock.unix_ms()));
            let took = (ctx.clock.elapsed() - began).as_nanos() as u64;
            stats.flushes.record(took, 1);
            stats.flush_nanos.add(took);
            let mut due = Vec::new();
            let is_announced = {
                let mut state = self.state.lock();
                due.append(&mut state.flushing);
                if flushed.is_err() {
                    state.failures += 1;
                    // Those among them who wait for what is written already will wait again.
                    due.extend(state.syncing.drain(..).map(|(_, waker)| waker));
                }
                state.is_announced
            };
            if let Err(fault) = flushed {
                tracing::error!(%fault, "the log could not be written; writes are refused until it can");
            } else if is_announced {
                // The sync under way may have begun too early for what was just written.
                ctx.log.ask_for_sync();
            }
            due.into_iter().for_each(Waker::wake);
        }
    }

    async fn sync_for_all(&self, ctx: &Context, mut here: SyncHere, apart: impl Fn(&mut dyn FnMut())) {
        let turns = &ctx.stats.seat(self.seat).turns;
        loop {
            self.sync.notified().await;
            while let Some((first, waiting)) = self.first_to_sync() {
                // A fault is what those who are woken find out for themselves.
                if here.is_wise(waiting, turns.get()) {
                    apart(&mut || sync_unless_busy(ctx, &mut here));
                }
                let failed = durable(ctx, first).await.is_err();
                let upto = if failed { Seq::MAX } else { ctx.log.durable() };
                let due: Vec<_> = self.state.lock().syncing.extract_if(.., |(seq, _)| *seq <= upto).collect();
                due.into_iter().for_each(|(_, waker)| waker.wake());
            }
        }
    }

    /// The lowest number that somebody waits for, and how many wait. None when nobody does, so that whoever comes next has
    /// to call.
    fn first_to_sync(&self) -> Option<(Seq, usize)> {
        let mut state = self.state.lock();
        let first = state.syncing.iter().map(|(seq, _)| *seq).min();
        state.is_announced = first.is_some();
        first.map(|first| (first, state.syncing.len()))
    }

    /// Whether what a turn did, and what it saw, can be told now.
    pub fn is_safe(&self, ctx: &Context, need: Need) -> bool {
        match waits_for_device(ctx) {
            true => ctx.log.durable() >= need.durable(),
            false => ctx.log.written() >= need.own,
        }
    }

    /// Comes back when what a turn did, and what it saw, can be told.
    ///
    /// # Errors
    /// When the log cannot get there; then the turn must not be answered.
    pub async fn make_safe(&self, ctx: &Context, need: Need) -> Result<(), NotSafe> {
        if !waits_for_device(ctx) {
            return if ctx.log.written() >= need.own { Ok(()) } else { self.flushed(ctx, need.own).await };
        }
        let seq = need.durable();
        if ctx.log.durable() < seq {
            let began = ctx.clock.elapsed();
            // In a future of its own: every connection has room for this one for as long as it lives.
            Box::pin(self.synced(ctx, seq)).await?;
            let waited = (ctx.clock.elapsed() - began).as_nanos() as u64;
            let stats = ctx.stats.seat(self.seat);
            stats.sync_waits.record(waited, 1);
            stats.sync_wait_nanos.add(waited);
        }
        Ok(())
    }

    /// Comes back when the log is with the operating system up to `seq`.
    fn flushed(&self, ctx: &Context, seq: Seq) -> impl Future<Output = Result<(), NotSafe>> {
        let failures = self.state.lock().failures;
        poll_fn(move |task| {
            if ctx.log.written() >= seq {
                return Poll::Ready(Ok(()));
            }
            let mut state = self.state.lock();
            if state.failures != failures {
                return Poll::Ready(Err(NotSafe(None)));
            }
            self.ask_for_flush(&mut state, seq);
            state.flushing.push(task.waker().clone());
            Poll::Pending
        })
    }

    /// Comes back when the log is on the device up to `seq`.
    async fn synced(&self, ctx: &Context, seq: Seq) -> Result<(), NotSafe> {
        poll_fn(|task| {
            if ctx.log.durable() >= seq {
                return Poll::Ready(Ok(()));
            }
            // Looked for with the list in hand: whoever finds a fault later wakes all that are on it.
            let mut state = self.state.lock();
            if let Err(fault) = ctx.log.blocked(seq) {
                return Poll::Ready(Err(NotSafe(Some(fault))));
            }
            if ctx.log.written() < seq {
                self.ask_for_flush(&mut state, seq);
            }
            state.syncing.push((seq, task.waker().clone()));
            if !state.is_announced {
                self.sync.notify_one();
            }
            Poll::Pending
        })
        .await
    }

    fn ask_for_flush(&self, state: &mut State, seq: Seq) {
        state.wanted = state.wanted.max(seq);
        self.flush.notify_one();
    }
}

fn waits_for_device(ctx: &Context) -> bool {
    !cfg!(feature = "canary-ack-before-sync")
        && ctx.log.is_on()
        && ctx.settings.load().persistence.appendfsync == AppendFsync::Always
}

/// Syncs the log on this thread, unless another one is at it. What came of it the log tells.
fn sync_unless_busy(ctx: &Context, here: &mut SyncHere) {
    let began = ctx.clock.elapsed();
    if ctx.log.sync_unless_busy().is_some() {
        here.took(ctx.clock.elapsed() - began);
    }
}

/// Comes back when the log is on the device up to `seq`, or cannot get there.
pub(super) async fn durable(ctx: &Context, seq: Seq) -> Result<(), LogFault> {
    while ctx.log.durable() < seq {
        ctx.log.blocked(seq)?;
        let (sender, receiver) = tokio::sync::oneshot::channel();
        ctx.log.on_durable(
            seq,
            Box::new(move || {
                // Whoever waited may have gone meanwhile.
                let _ = sender.send(());
            }),
        );
        // A callback that was dropped is a log that has ended: the loop finds out.
        let _ = receiver.await;
    }
    Ok(())
}
