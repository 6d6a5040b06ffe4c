//! When the outcome of a turn may be told: not before the log records that it depends on are where `appendfsync` wants
//! them.
//!
//! Whoever has run commands waits here before answering. All who run commands on one thread share a [`Flusher`]: its task
//! is polled after everyone who was ready at the same time, so that one write to the log serves them all.

use std::fmt;
use std::future::poll_fn;
use std::task::{Poll, Waker};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::context::Context;
use crate::config::AppendFsync;
use crate::log::{LogFault, Seq};

/// Hands the log to the operating system once for all who are ready together.
pub struct Flusher {
    /// The seat of the thread that it serves.
    seat: usize,
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Default)]
struct State {
    /// The highest number that is waited for.
    wanted: Seq,
    waiting: Vec<Waker>,
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
        Flusher { seat, state: Mutex::default(), wake: Notify::default() }
    }

    /// Flushes for all who wait, for ever: a task of the thread that they are on.
    pub async fn run(&self, ctx: &Context) {
        let stats = ctx.stats.seat(self.seat);
        loop {
            self.wake.notified().await;
            let wanted = self.state.lock().wanted;
            let began = ctx.clock.elapsed();
            let flushed = ctx.log.flush(wanted, ctx.clock.unix_ms());
            let took = (ctx.clock.elapsed() - began).as_nanos() as u64;
            stats.flushes.record(took);
            stats.flush_nanos.add(took);
            let waiting = {
                let mut state = self.state.lock();
                state.failures += u64::from(flushed.is_err());
                std::mem::take(&mut state.waiting)
            };
            if let Err(fault) = flushed {
                tracing::error!(%fault, "the log could not be written; writes are refused until it can");
            }
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    /// Comes back when what a turn did, and what it saw, can be told. `need` is the number of its own last record.
    ///
    /// # Errors
    /// When the log cannot get there; then the turn must not be answered.
    pub async fn make_safe(&self, ctx: &Context, need: Seq) -> Result<(), NotSafe> {
        if ctx.log.written() < need {
            self.flushed(ctx, need).await?;
        }
        if !ctx.log.is_on() || ctx.settings.load().persistence.appendfsync != AppendFsync::Always {
            return Ok(());
        }
        if cfg!(feature = "canary-ack-before-sync") {
            return Ok(());
        }
        // Another connection's change may have been seen that is not safe yet, so all that is appended must be.
        let own_only = cfg!(feature = "canary-read-before-durable");
        let seen = if own_only { need } else { ctx.log.appended() };
        if ctx.log.durable() < seen {
            // In a future of its own: every connection has room for this one for as long as it lives.
            Box::pin(self.synced(ctx, seen)).await?;
        }
        Ok(())
    }

    /// Comes back when the log is on the device up to `seq`.
    async fn synced(&self, ctx: &Context, seq: Seq) -> Result<(), NotSafe> {
        let began = ctx.clock.elapsed();
        self.flushed(ctx, seq).await?;
        durable(ctx, seq).await.map_err(|fault| NotSafe(Some(fault)))?;
        let waited = (ctx.clock.elapsed() - began).as_nanos() as u64;
        let stats = ctx.stats.seat(self.seat);
        stats.sync_waits.record(waited);
        stats.sync_wait_nanos.add(waited);
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
            state.wanted = state.wanted.max(seq);
            if state.waiting.is_empty() {
                self.wake.notify_one();
            }
            state.waiting.push(task.waker().clone());
            Poll::Pending
        })
    }
}

/// Comes back when the log is on the device up to `seq`, or cannot get there.
pub(super) async fn durable(ctx: &Context, seq: Seq) -> Result<(), LogFault> {
    while ctx.log.durable() < seq {
        ctx.log.sticky_fault()?;
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
