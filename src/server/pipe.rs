//! A connection's socket while its session is busy: writing what is safe to tell, sending what is posted, hearing what comes.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context as Task, Poll, ready};
use std::time::Duration;

use super::connection::Unrun;
use super::wire::{Socket, Wire};
use super::worker::Worker;
use crate::clients::{Client, flag};
use crate::exec::outage;
use crate::exec::replicas::{Piece, Pieces};
use crate::exec::safety::{Looks, Need};
use crate::resp::reply::{Proto, Reply};

/// Between two signs of life to a replica that waits for its snapshot.
const ALIVE_EVERY: Duration = Duration::from_secs(1);

/// What a client may send while it does not read, in bytes: as much as a pipeline of a million small commands takes.
const READ_AHEAD_MAX: u64 = 64 * 1024 * 1024;

/// What came of waiting for the end of a sleep.
pub(super) enum Sleep {
    /// It is over.
    Over,
    /// The client went away before, or sent more than it may.
    Abandoned,
}

/// A connection's socket as it is used while its session is busy with something else.
pub(super) struct Pipe<'a> {
    pub(super) worker: &'a Worker,
    pub(super) client: &'a Client,
}

impl Pipe<'_> {
    /// Waits until what the turn did, and what it saw, can be told.
    pub(super) async fn make_safe(&self, need: Need) -> io::Result<()> {
        self.worker.flusher.make_safe(&self.worker.ctx, need).await.map_err(io::Error::other)
    }

    /// Puts refusals in the place of answers that cannot be told. Where something was done that cannot be taken back, nobody
    /// can say now whether it will last: that is told by the end of the connection.
    pub(super) fn refuse_instead(
        &self,
        looks: Looks,
        fault: io::Error,
        proto: Proto,
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        let Some(answers) = looks.count() else { return Err(fault) };
        out.clear();
        let line = outage::refusal(&fault.to_string());
        for _ in 0..answers {
            self.worker.ctx.stats.count_error("MISCONF");
            Reply::new(out, proto).error(line.as_bytes());
        }
        Ok(())
    }

    /// Waits for the end of a sleep. What is posted meanwhile is sent at once. What the client sends gets in line `behind` the
    /// command that sleeps, and when it has gone, nothing more is done for it: whatever it waited for is for others.
    pub(super) async fn deliver_until(
        &self,
        sleep: impl Future<Output = ()>,
        wire: &Wire,
        mut behind: Option<&mut Option<Box<Unrun>>>,
    ) -> io::Result<Sleep> {
        let mut sleep = pin!(sleep);
        loop {
            tokio::select! {
                biased;
                () = &mut sleep => return Ok(Sleep::Over),
                () = poll_fn(|task| self.client.poll_woken(task)) => {
                    let mut posted = Vec::new();
                    self.client.take_posted(&mut posted);
                    self.make_safe(Need::of_everything(&self.worker.ctx)).await?;
                    self.write(wire, &posted, None).await?;
                }
                is_there = poll_fn(|task| match &mut behind {
                    Some(unrun) => self.poll_behind(task, wire, unrun),
                    None => Poll::Pending,
                }) => {
                    if !is_there? {
                        return Ok(Sleep::Abandoned);
                    }
                }
            }
        }
    }

    /// Reads once, behind what is not run yet; false where there is nobody to read from any more.
    fn poll_behind(
        &self,
        task: &mut Task<'_>,
        wire: &Wire,
        unrun: &mut Option<Box<Unrun>>,
    ) -> Poll<io::Result<bool>> {
        let mut buffer = self.worker.read_buffer.borrow_mut();
        let bytes = match ready!(wire.poll_read(task, &mut buffer))? {
            0 => return Poll::Ready(Ok(false)),
            count => &buffer[..count],
        };
        self.note_input(bytes.len());
        let unrun = unrun.get_or_insert_default();
        unrun.bytes.extend_from_slice(bytes);
        self.client.query[0].store(unrun.bytes.len() as u64, Relaxed);
        Poll::Ready(Ok(!self.holds_too_much(&unrun.bytes)))
    }

    /// Whether a client sent more than it may before it is run. It is cut off then.
    pub(super) fn holds_too_much(&self, unrun: &[u8]) -> bool {
        let ctx = &self.worker.ctx;
        let is_too_much = unrun.len() as u64 > ctx.settings.load().clients.client_query_buffer_limit;
        if is_too_much {
            tracing::warn!(client = self.client.id, "closed: its query buffer is over the limit");
            ctx.stats.limit_disconnections.fetch_add(1, Relaxed);
        }
        is_too_much
    }

    pub(super) fn note_input(&self, count: usize) {
        self.worker.ctx.stats.seat(self.worker.seat).bytes_in.add(count as u64);
        count_traffic(self.client, 0, count);
    }

    /// Sends what a replica is to have before the stream. While there is nothing to send it is told that we are alive.
    pub(super) async fn send_pieces(&self, mut pieces: Pieces, wire: &Wire) -> io::Result<()> {
        let mut is_begun = false;
        loop {
            let piece = tokio::select! {
                biased;
                () = self.client.killed() => return Err(io::ErrorKind::ConnectionAborted.into()),
                piece = pieces.recv() => piece,
                () = tokio::time::sleep(ALIVE_EVERY), if !is_begun => Some(Piece::Line(b"\n".to_vec())),
            };
            match piece {
                Some(Piece::Line(line)) => {
                    self.write(wire, &line, None).await?;
                }
                Some(Piece::Payload(bytes)) => {
                    if !std::mem::replace(&mut is_begun, true) {
                        // The snapshot may show what is not yet as safe as `appendfsync` wants it.
                        self.make_safe(Need::of_everything(&self.worker.ctx)).await?;
                    }
                    self.write(wire, &bytes, None).await?;
                }
                Some(Piece::End) => return Ok(()),
                None => return Err(io::Error::other("the replica's snapshot could not be made")),
            }
        }
    }

    /// Writes all of it if the socket takes that at once. Else what it has not taken, or has failed to take, is left in
    /// `out`.
    pub(super) fn write_now(&self, socket: &Socket, out: &mut Vec<u8>) -> bool {
        if out.is_empty() {
            return true;
        }
        let taken = socket.send_now(out).unwrap_or(0);
        self.note_output(taken);
        if taken < out.len() {
            out.drain(..taken);
            return false;
        }
        out.clear();
        true
    }

    /// Writes all of it. While the socket takes nothing, what the client sends gets in line `behind` what is not run yet: one
    /// that sends everything before it reads anything would else wait for us as we for it. True if that has happened.
    pub(super) async fn write(
        &self,
        wire: &Wire,
        out: &[u8],
        behind: Option<&mut Option<Box<Unrun>>>,
    ) -> io::Result<bool> {
        if out.is_empty() {
            return Ok(false);
        }
        // Nearly always the socket takes all at once. What is wrong with it is told when it is asked again.
        let taken = wire.socket().send_now(out).unwrap_or(0);
        let has_read = match taken < out.len() {
            true => Box::pin(self.write_on(wire, &out[taken..], behind)).await?,
            false => false,
        };
        self.note_output(out.len());
        Ok(has_read)
    }

    fn note_output(&self, count: usize) {
        count_traffic(self.client, 1, count);
        let seat = self.worker.ctx.stats.seat(self.worker.seat);
        seat.bytes_out.add(count as u64);
        if self.client.has_flag(flag::REPLICA) {
            seat.bytes_to_replicas.add(count as u64);
        }
    }

    /// Writes to a socket that takes nothing, or not all, at once.
    async fn write_on(
        &self,
        wire: &Wire,
        out: &[u8],
        mut behind: Option<&mut Option<Box<Unrun>>>,
    ) -> io::Result<bool> {
        let (mut left, mut has_read) = (out, false);
        while !left.is_empty() {
            self.client.show_output(left.len() as u64);
            // A killed client is ended even while it does not read.
            let step = tokio::select! {
                biased;
                step = poll_fn(|task| self.poll_step(task, wire, left, &mut behind)) => step?,
                () = self.client.killed() => return Err(io::ErrorKind::ConnectionAborted.into()),
            };
            match step {
                Step::Wrote(0) => return Err(io::ErrorKind::WriteZero.into()),
                Step::Wrote(count) => {
                    left = &left[count..];
                    // Who takes what it asked for is not idle.
                    self.client.last_use.store(self.worker.ctx.clock.unix_ms(), Relaxed);
                }
                Step::Read => has_read = true,
                // It may read on all the same.
                Step::EndOfInput => behind = None,
            }
        }
        self.client.show_output(0);
        Ok(has_read)
    }

    fn poll_step(
        &self,
        task: &mut Task<'_>,
        wire: &Wire,
        out: &[u8],
        behind: &mut Option<&mut Option<Box<Unrun>>>,
    ) -> Poll<io::Result<Step>> {
        if let Poll::Ready(written) = wire.poll_write(task, out) {
            return Poll::Ready(written.map(Step::Wrote));
        }
        match behind {
            Some(unrun) if self.has_room(unrun) => {
                let is_there = ready!(self.poll_behind(task, wire, unrun))?;
                Poll::Ready(Ok(if is_there { Step::Read } else { Step::EndOfInput }))
            }
            _ => Poll::Pending,
        }
    }

    /// Whether more may get in line while the client does not read.
    fn has_room(&self, unrun: &Option<Box<Unrun>>) -> bool {
        let limit = self.worker.ctx.settings.load().clients.client_query_buffer_limit.min(READ_AHEAD_MAX);
        let held = unrun.as_ref().map_or(0, |unrun| unrun.bytes.len());
        (held + self.worker.read_buffer.borrow().len()) as u64 <= limit
    }
}

/// What happened to a socket that does not take all that it is given.
enum Step {
    Wrote(usize),
    Read,
    EndOfInput,
}

/// Counts bytes read from a client (0) or written to it (1). Its worker is the only one to do so, and a load and a store cost
/// less than an addition that others might take part in.
fn count_traffic(client: &Client, way: usize, bytes: usize) {
    let count = &client.traffic[way];
    count.store(count.load(Relaxed) + bytes as u64, Relaxed);
}
