//! One connection: read, parse, run, make safe, write; again.
//!
//! A turn takes all that the socket has, runs every complete command in it, and answers with one write, after the log
//! records of the turn are where `appendfsync` wants them. One loop serves every kind of connection: a command that
//! sleeps, a paused client and a client that only listens are cases of what ends a turn.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context as Task, Poll, ready};

use super::outgoing;
use super::pipe::{Pipe, Sleep};
use super::wire::Wire;
use super::worker::{Passenger, Worker};
use crate::base::clock::Millis;
use crate::base::prefetch::AHEAD;
use crate::clients::{Client, flag};
use crate::config::Config;
use crate::exec::replicas::{self, Pieces};
use crate::exec::run::{Ahead, Desk, Flow};
use crate::exec::safety::{Looks, Need};
use crate::exec::{Session, Until, Wait, listen, multi, sleep, tracking};
use crate::resp::reply::Reply;
use crate::resp::request::{Batch, Limits, RequestParser};

/// Commands that make it worth while to look at them before they run.
const PREPARE_MIN: usize = 3;
/// Commands parsed ahead of running.
const BATCH_MAX: usize = 1024;
/// Output that a turn may gather before it is written: what a client that does not read can make us hold, next to one
/// reply.
const OUTPUT_MAX: usize = 1024 * 1024;
/// The least room for reading more of an unfinished command. Beyond it the buffer grows no faster than data comes: what
/// a client announces costs nothing, only what it sends.
const READ_AHEAD_MIN: usize = 16 * 1024;

/// What it holds while nothing comes is what ten thousand idle ones cost: the buffers of a turn are the worker's, and what is
/// seldom waited for is waited for in a future of its own.
pub(super) struct Connection {
    wire: Wire,
    worker: Rc<Worker>,
    session: Box<Session>,
    /// None while all that came has been run.
    unrun: Option<Box<Unrun>>,
    /// What the deputy has left.
    late: Option<Box<Late>>,
}

/// A turn that the deputy could not bring to its end: see [`super::deputy`].
struct Late {
    stop: Stop,
    out: Vec<u8>,
}

/// Input that is not yet run: an unfinished command, or what stands behind one that sleeps.
#[derive(Default)]
pub(super) struct Unrun {
    pub(super) bytes: Vec<u8>,
    /// How many of these have been run all the same: much that is run in many turns is not moved to the front in each.
    run: usize,
    parser: RequestParser,
    /// Bytes that the unfinished command still lacks, as far as known.
    lacking: usize,
}

/// What ended a connection's stay with a worker.
enum End {
    /// One of the two sides closed it.
    Closed,
    /// It goes to another worker.
    Moved,
}

/// What ended a turn.
enum Stop {
    /// All complete commands were run.
    NeedsInput,
    /// More output was gathered than shall be held.
    OutputFull,
    /// More came while the output was written.
    MoreToRun,
    /// A command sleeps.
    Wait(Box<Wait>),
    /// The next command is held by CLIENT PAUSE until then.
    Paused(Millis),
    /// The connection is to end once the output is written.
    Close,
    /// The peer has closed its side.
    EndOfInput,
    /// Somebody woke the connection: it was killed, or something was posted to it.
    Woken,
}

impl Stop {
    /// What came while output was written is to be run, too.
    fn note_input(&mut self, has_read: bool) {
        if has_read && matches!(self, Stop::NeedsInput | Stop::Woken) {
            *self = Stop::MoreToRun;
        }
    }

    /// True when a replica's snapshot comes next: what the stream has for it already must not stand before that.
    fn is_snapshot(&self) -> bool {
        matches!(self, Stop::Wait(wait) if matches!(wait.until, Until::Snapshot(_)))
    }
}

impl Connection {
    /// A connection in its worker's care.
    pub(super) fn new(
        wire: Wire,
        worker: Rc<Worker>,
        client: Arc<Client>,
        session: Option<Box<Session>>,
    ) -> Self {
        let session = session.unwrap_or_else(|| {
            let authenticated = !worker.ctx.settings.load().has_password();
            client.set_flag(flag::STRANGER, !authenticated);
            Box::new(Session::new(client, authenticated))
        });
        Connection { wire, worker, session, unrun: None, late: None }
    }

    /// Serves it until either side ends it, or until it shall move to another worker and is handed back to `ended`.
    ///
    /// A block, because an async function would hold the connection twice: as its argument and as its own.
    pub(super) fn serve(self, ended: impl FnOnce(io::Result<Option<Passenger>>)) -> impl Future<Output = ()> {
        let (worker, id) = (self.worker.clone(), self.session.client.id);
        let guest = Rc::new(RefCell::new(self));
        worker.guests.borrow_mut().insert(id, Rc::downgrade(&guest));
        async move {
            let outcome = Self::turns(&guest).await;
            // Others hold it only while they look at it.
            if let Some(guest) = Rc::into_inner(guest) {
                let guest = guest.into_inner();
                guest.worker.guests.borrow_mut().remove(&guest.session.client.id);
                ended(guest.end(outcome));
            }
        }
    }

    /// It ends here, or goes to another worker.
    fn end(mut self, outcome: io::Result<End>) -> io::Result<Option<Passenger>> {
        self.worker.outgoing.forget(self.wire.line());
        let socket = match outcome {
            Ok(End::Moved) => self.wire.into_socket().map(Some),
            outcome => outcome.map(|_| None),
        };
        match socket {
            Ok(Some(socket)) => {
                let client = self.session.client.clone();
                Ok(Some(Passenger { socket, client, session: Some(self.session) }))
            }
            ended => {
                take_leave(&self.worker, &mut self.session);
                ended.map(|_| None)
            }
        }
    }

    #[expect(clippy::await_holding_refcell_ref, reason = "who finds it borrowed leaves it alone")]
    async fn turns(guest: &RefCell<Connection>) -> io::Result<End> {
        let mut stop = Stop::NeedsInput;
        loop {
            if matches!(stop, Stop::NeedsInput) && guest.borrow().takes_leave() {
                return Ok(End::Moved);
            }
            let mut out = Vec::new();
            if matches!(stop, Stop::NeedsInput | Stop::Woken) {
                // While it waits for input, and then only, the deputy may see to it.
                stop = poll_fn(|task| guest.borrow_mut().poll_input(task, &mut out)).await?;
            } else {
                let Some(next) = guest.borrow_mut().go_on(stop, &mut out).await? else {
                    return Ok(End::Closed);
                };
                stop = next;
            }
            guest.borrow_mut().finish(&mut stop, &mut out).await?;
        }
    }

    /// True once when it shall move, between two turns.
    fn takes_leave(&self) -> bool {
        let is_done = self.unrun.is_none() && self.late.is_none() && self.wire.line().held.is_empty();
        is_done && self.worker.load.takes_leave()
    }

    /// Waits until the connection can go on after what ended its last turn, and does; none where it does not.
    async fn go_on(&mut self, stop: Stop, out: &mut Vec<u8>) -> io::Result<Option<Stop>> {
        let slept = match stop {
            Stop::Wait(wait) => Box::pin(self.sleep(*wait, out)).await?,
            Stop::Paused(until) => Box::pin(self.pause(until)).await?,
            Stop::OutputFull | Stop::MoreToRun => {
                // A client that reads as fast as it is answered must leave the others their turns, too.
                tokio::task::consume_budget().await;
                Sleep::Over
            }
            // Who waits for input is not here.
            Stop::NeedsInput | Stop::Woken => Sleep::Over,
            Stop::Close | Stop::EndOfInput => Sleep::Abandoned,
        };
        Ok(match slept {
            Sleep::Over => Some(self.run_unrun(out)),
            Sleep::Abandoned => None,
        })
    }

    /// Ends a turn: answers it, when that is safe. What ended it may be another thing then. A block, as in [`Self::serve`].
    #[expect(clippy::manual_async_fn, reason = "an async function holds its arguments twice")]
    fn finish<'c>(
        &'c mut self,
        stop: &'c mut Stop,
        out: &'c mut Vec<u8>,
    ) -> impl Future<Output = io::Result<()>> + 'c {
        async move {
            // What was answered before leaves before. What the socket does not take of it now waits until this turn is safe: its
            // records must not wait for a client to read.
            outgoing::send_held(&self.worker, self.wire.line());
            if self.session.client.is_killed() {
                // What it asked for itself (CLIENT KILL of its own address) is still answered.
                if out.is_empty() || !matches!(stop, Stop::NeedsInput | Stop::Close) {
                    *stop = Stop::Close;
                    return Ok(());
                }
                *stop = Stop::Close;
            }
            if self.session.closing {
                *stop = Stop::Close;
            }
            let client = &self.session.client;
            if client.has_posted() && !stop.is_snapshot() {
                client.take_posted(out);
                let appended = self.worker.ctx.log.appended();
                self.session.need.saw(appended);
                self.session.looks.not_only();
                if client.has_flag(flag::REPLICA) {
                    // It must not know what the end of this process could lose: it may take our place.
                    self.session.need.wrote(appended);
                }
            }
            let pipe = Pipe { worker: &self.worker, client };
            let need = std::mem::take(&mut self.session.need);
            // Who did nothing and is told nothing, as half a command or the end of the input, waits for nobody.
            if (need.is_own() || !out.is_empty())
                && let Err(fault) = pipe.make_safe(need).await
            {
                pipe.refuse_instead(self.session.looks, fault, self.session.proto, out)?;
            }
            self.wire.line().held.put_before(out);
            if !out.is_empty() {
                let behind = Some(&mut self.unrun).filter(|_| !client.has_flag(flag::STRANGER));
                let has_read = pipe.write(&self.wire, out, behind).await?;
                stop.note_input(has_read);
            }
            self.session.looks = Looks::default();
            self.worker.give_buffer(std::mem::take(out));
            Ok(())
        }
    }

    /// Waits for input and runs what is complete.
    fn poll_input(&mut self, task: &mut Task<'_>, out: &mut Vec<u8>) -> Poll<io::Result<Stop>> {
        if let Some(late) = self.late.take() {
            *out = late.out;
            return Poll::Ready(Ok(late.stop));
        }
        if self.session.client.has_posted() {
            return Poll::Ready(Ok(Stop::Woken));
        }
        match self.poll_turns(task, out) {
            Poll::Pending => self.session.client.poll_woken(task).map(|()| Ok(Stop::Woken)),
            stop => stop,
        }
    }

    /// Reads what has come, without waiting, and runs what is complete of it: for the deputy. What it cannot answer at once
    /// is left to the connection's own task.
    pub(super) fn serve_aside(&mut self, buffer: &mut [u8]) {
        let is_busy = self.late.is_some() || !self.wire.line().held.is_empty();
        if is_busy || self.session.client.is_killed() {
            return;
        }
        // What is wrong with the socket its own task will find out.
        let bytes = match self.wire.socket().receive_now(buffer) {
            Ok(count) if count > 0 => &buffer[..count],
            _ => return,
        };
        self.note_input(bytes.len());
        self.unrun.get_or_insert_default().bytes.extend_from_slice(bytes);
        let mut out = Vec::new();
        let stop = self.run_unrun(&mut out);
        let (now, ctx) = (self.worker.moment.get(), &self.worker.ctx);
        if self.worker.flusher.is_safe(ctx, Need::of_everything(ctx)) {
            self.session.client.take_posted(&mut out);
        }
        if !matches!(stop, Stop::NeedsInput) || !self.hold_answer(&mut out, now) {
            self.late = Some(Box::new(Late { stop, out }));
            self.session.client.nudge();
        }
    }

    /// Turn after turn, as long as there is input and nothing but the answer is to be done after one, as is the rule.
    fn poll_turns(&mut self, task: &mut Task<'_>, out: &mut Vec<u8>) -> Poll<io::Result<Stop>> {
        loop {
            // Before more is answered, what is answered has to be read.
            if self.wire.line().held.was_stuck() {
                return Poll::Ready(Ok(Stop::Woken));
            }
            let stop = self.poll_turn(task, out);
            match stop {
                Poll::Ready(Ok(Stop::NeedsInput)) if self.answer_now(out) => {}
                Poll::Pending => {
                    // Whoever waits for input holds no buffer.
                    self.worker.give_buffer(std::mem::take(out));
                    return Poll::Pending;
                }
                stop => return stop,
            }
            if self.worker.load.is_to_give() {
                return Poll::Ready(Ok(Stop::NeedsInput));
            }
        }
    }

    /// Answers a turn if that can be done at once and nothing else is to be done; else leaves `out` to be dealt with.
    fn answer_now(&mut self, out: &mut Vec<u8>) -> bool {
        let now = self.worker.moment.get();
        self.worker.rest.note_turn(&self.worker, &self.wire.line().met, now);
        let is_answered = self.hold_answer(out, now);
        if !is_answered {
            self.worker.outgoing.leaves_later();
        }
        self.worker.outgoing.send_if_due(&self.worker, now);
        is_answered
    }

    fn hold_answer(&mut self, out: &mut Vec<u8>, now: u64) -> bool {
        let Session { client, need, looks, closing, .. } = &mut *self.session;
        if *closing || client.has_posted() || client.is_killed() {
            return false;
        }
        if !self.worker.flusher.is_safe(&self.worker.ctx, *need) {
            return false;
        }
        if !out.is_empty() {
            self.worker.outgoing.hold(&self.worker, self.wire.line(), out, now);
        }
        (*need, *looks) = Default::default();
        true
    }

    /// Sleeps for a command, whose reply is then in `out`.
    async fn sleep(&mut self, wait: Wait, out: &mut Vec<u8>) -> io::Result<Sleep> {
        if let Until::Snapshot(pieces) = wait.until {
            self.send_snapshot(pieces).await?;
            return Ok(Sleep::Over);
        }
        // A job goes on without who asked for it, and he may have ended his input with the question.
        let behind = (!matches!(wait.until, Until::Job(_))).then_some(&mut self.unrun);
        let pipe = Pipe { worker: &self.worker, client: &self.session.client.clone() };
        let asleep = sleep::sleep(&self.worker.ctx, &mut self.session, wait, out);
        pipe.deliver_until(asleep, &self.wire, behind).await
    }

    /// Sends a replica its snapshot. What it is to hear after it gathers meanwhile.
    async fn send_snapshot(&mut self, pieces: Pieces) -> io::Result<()> {
        let ctx = &self.worker.ctx;
        let pipe = Pipe { worker: &self.worker, client: &self.session.client };
        pipe.send_pieces(pieces, &self.wire).await?;
        ctx.replicas.loaded(&self.session.client, ctx.clock.unix_ms());
        tracing::info!(replica = self.session.client.address, "a replica was sent its snapshot");
        Ok(())
    }

    /// Sleeps until CLIENT PAUSE lets the next command through.
    async fn pause(&mut self, until: Millis) -> io::Result<Sleep> {
        let pipe = Pipe { worker: &self.worker, client: &self.session.client };
        let paused = sleep::pause(&self.worker.ctx, &self.session.client, until);
        pipe.deliver_until(paused, &self.wire, Some(&mut self.unrun)).await
    }

    /// Reads once and runs every complete command.
    fn poll_turn(&mut self, task: &mut Task<'_>, out: &mut Vec<u8>) -> Poll<io::Result<Stop>> {
        let worker = self.worker.clone();
        if let Some(Unrun { bytes, lacking, .. }) = self.unrun.as_deref_mut() {
            // The command under way needs more: straight into its own buffer.
            let room = READ_AHEAD_MIN.max(bytes.len());
            bytes.reserve((*lacking).clamp(READ_AHEAD_MIN, room));
            match ready!(self.wire.poll_read_behind(task, bytes))? {
                0 => return Poll::Ready(Ok(Stop::EndOfInput)),
                count => self.note_input(count),
            }
            return Poll::Ready(Ok(self.run_unrun(out)));
        }
        let mut buffer = worker.read_buffer.borrow_mut();
        let bytes = match ready!(self.wire.poll_read(task, &mut buffer))? {
            0 => return Poll::Ready(Ok(Stop::EndOfInput)),
            count => &buffer[..count],
        };
        self.note_input(bytes.len());
        let mut parser = RequestParser::new();
        let Ran { consumed, lacking, stop } = self.run_commands(bytes, &mut parser, out);
        if consumed < bytes.len() {
            let bytes = bytes[consumed..].to_vec();
            self.unrun = Some(Box::new(Unrun { bytes, run: 0, parser, lacking }));
        }
        Poll::Ready(Ok(self.check_unrun(stop)))
    }

    /// Runs every complete command of the connection's own buffer.
    fn run_unrun(&mut self, out: &mut Vec<u8>) -> Stop {
        let mut unrun = self.unrun.take().unwrap_or_default();
        let rest = unrun.bytes.get(unrun.run..).unwrap_or_default();
        let Ran { consumed, lacking, stop } = self.run_commands(rest, &mut unrun.parser, out);
        if consumed < rest.len() {
            unrun.run += consumed;
            unrun.lacking = lacking;
            if unrun.run >= unrun.bytes.len() / 2 {
                unrun.bytes.drain(..unrun.run);
                unrun.run = 0;
            }
            self.unrun = Some(unrun);
        }
        self.check_unrun(stop)
    }

    /// A client that sends more than it may hold is cut off.
    fn check_unrun(&self, stop: Stop) -> Stop {
        let pipe = Pipe { worker: &self.worker, client: &self.session.client };
        match &self.unrun {
            Some(unrun) if pipe.holds_too_much(&unrun.bytes) => Stop::Close,
            _ => stop,
        }
    }

    /// Runs the complete commands of `bytes`.
    fn run_commands(&mut self, bytes: &[u8], parser: &mut RequestParser, out: &mut Vec<u8>) -> Ran {
        if out.capacity() == 0 {
            *out = self.worker.take_buffer();
        }
        let worker = self.worker.clone();
        // The deputy comes here while a turn is under way, and finds an empty one.
        let mut batch = worker.batch.take();
        let mut desk = Desk::new(&worker.ctx, worker.seat);
        self.session.client.query[0].store(bytes.len() as u64, Relaxed);
        let (mut consumed, mut lacking) = (0, 0);
        let stop = loop {
            // One at a time until the password is given: then other limits hold.
            let at_once = if self.session.authenticated { BATCH_MAX } else { 1 };
            let limits = limits(&desk.config, self.session.authenticated);
            let rest = &bytes[consumed..];
            let parsed = parser.parse(rest, &limits, &mut batch, at_once);
            let (taken, stop) = run_batch(&mut desk, &mut self.session, rest, &batch, out);
            if let Some(stop) = stop {
                // What stands behind will be parsed anew.
                *parser = RequestParser::new();
                consumed += taken;
                break stop;
            }
            if let Some(error) = parsed.error {
                Reply::new(out, self.session.proto).error(error.wire());
                desk.ctx.stats.count_error("ERR");
                break Stop::Close;
            }
            consumed += parsed.consumed;
            lacking = parsed.want;
            if batch.len() < at_once {
                break Stop::NeedsInput;
            }
        };
        worker.batch.set(batch);
        worker.moment.set(desk.end_batch());
        self.refresh_client(&desk, bytes.len() - consumed);
        Ran { consumed, lacking, stop }
    }

    fn refresh_client(&self, desk: &Desk<'_>, left: usize) {
        let client = &self.session.client;
        client.last_use.store(desk.now(), Relaxed);
        client.db.store(self.session.db as u32, Relaxed);
        client.query[0].store(left as u64, Relaxed);
        client.query[1].store(self.unrun.as_ref().map_or(0, |unrun| unrun.bytes.capacity()) as u64, Relaxed);
        let queued = self.session.transaction.as_ref().map_or(-1, |queued| queued.len() as i64);
        client.queued.store(queued, Relaxed);
        client.watching.store(self.session.watched_keys().len() as u32, Relaxed);
    }

    fn note_input(&self, count: usize) {
        Pipe { worker: &self.worker, client: &self.session.client }.note_input(count);
    }
}

/// What came of running the commands of a buffer.
struct Ran {
    /// Bytes that they took.
    consumed: usize,
    /// As in [`Unrun`].
    lacking: usize,
    /// What ended the turn.
    stop: Stop,
}

/// Tells all who know of a session that its connection has ended.
pub(super) fn take_leave(worker: &Worker, session: &mut Session) {
    let ctx = &worker.ctx;
    {
        // As in `wait::leave`.
        let _turn = ctx.turns.begin_unless(worker.seat, || ctx.scripts.is_overdue());
        multi::unwatch(ctx, session);
    }
    listen::unsubscribe_all(ctx, session);
    let client = &session.client;
    if client.is_overfull() {
        let (id, address) = (client.id, &*client.address);
        tracing::warn!(
            client = id,
            address,
            "closed: more waits to be sent to it than client-output-buffer-limit lets"
        );
        ctx.stats.limit_disconnections.fetch_add(1, Relaxed);
    }
    tracking::stop(ctx, session);
    replicas::leave(ctx, session);
}

/// Runs a batch of parsed commands in order; how many bytes they took, and what ended the turn before the batch did.
fn run_batch(
    desk: &mut Desk<'_>,
    session: &mut Session,
    bytes: &[u8],
    batch: &Batch,
    out: &mut Vec<u8>,
) -> (usize, Option<Stop>) {
    let mut taken = 0;
    let mut ahead: Ahead<'_, '_> = [None; AHEAD];
    for index in 0..batch.len() {
        if batch.len() >= PREPARE_MIN && index % AHEAD == 0 {
            desk.prepare(session, (batch, bytes), index, &mut ahead);
        }
        let flow = match &ahead[index % AHEAD] {
            Some(prepared) => desk.run_prepared(session, prepared, out),
            None => desk.run(session, &batch.get(index, bytes), None, out),
        };
        if let Flow::Paused(until) = flow {
            return (taken, Some(Stop::Paused(until)));
        }
        taken = batch.end(index);
        // Its worker is the only one to count.
        let commands = &session.client.commands;
        commands.store(commands.load(Relaxed) + 1, Relaxed);
        if let Flow::Wait(wait) = flow {
            return (taken, Some(Stop::Wait(wait)));
        }
        if session.closing {
            return (taken, Some(Stop::Close));
        }
        if out.len() >= OUTPUT_MAX {
            return (taken, Some(Stop::OutputFull));
        }
    }
    (taken, None)
}

fn limits(config: &Config, authenticated: bool) -> Limits {
    if authenticated {
        Limits { bulk_max: config.clients.proto_max_bulk_len as usize, ..Limits::default() }
    } else {
        Limits::stranger()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_what_it_makes<A, B>(_: impl FnOnce(A) -> B) -> usize {
        size_of::<B>()
    }

    /// The largest parts of an idle connection. What goes beyond these sizes takes the next larger block of the allocator,
    /// ten thousand times.
    #[test]
    fn an_idle_connection_is_small() {
        let task = size_of_what_it_makes(|it: Connection| it.serve(|_| ()));
        assert!(task <= 280, "its task has {task} bytes");
        let cell = size_of::<RefCell<Connection>>();
        assert!(cell <= 64, "what the task works on has {cell} bytes");
        let (session, client) = (size_of::<Session>(), size_of::<Client>());
        assert!(session <= 136, "its session has {session} bytes");
        assert!(client <= 240, "what others see of it has {client} bytes");
    }
}
