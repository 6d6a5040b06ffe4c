//! Answers that wait a moment for others, so that they leave together.
//!
//! An answer wakes who waits for it. Where a turn takes longer than a client needs to read its answer and to ask again, each
//! answer sent at once would wake a client that has just fallen asleep, and waking costs more than sending. Sent one after
//! the other, several answers wake it once. So those of a worker are held until all of its connections that were ready
//! have had their turns, or for [`HELD_MAX_NANOS`], or until the worker is about to wait for the disk, whichever is first. A
//! turn that takes long delays those that are held, as it delays those who come after it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::Notify;

use super::pipe::Pipe;
use super::wire::Line;
use super::worker::Worker;

/// How long an answer may wait for others, in nanoseconds, as seen at the end of each turn.
const HELD_MAX_NANOS: u64 = 50_000;
/// An answer that is longer does not wait: reading it takes the client some time, too.
const HELD_BYTES_MAX: usize = 16 * 1024;

/// What a connection has to send.
#[derive(Default)]
pub(super) struct Held {
    bytes: RefCell<Vec<u8>>,
    is_listed: Cell<bool>,
    /// The socket did not take all of it: its connection has to wait for room.
    is_stuck: Cell<bool>,
}

/// What a worker's connections have to send.
#[derive(Default)]
pub(super) struct Outgoing {
    lines: RefCell<Vec<Rc<Line>>>,
    /// When the first of these was held, in nanoseconds.
    since: Cell<u64>,
    /// Whether the connections of other turns send their answers themselves, when they may be told.
    is_more_to_come: Cell<bool>,
    is_there: Notify,
}

impl Held {
    /// Puts what is not sent yet before `out`, for its connection to send.
    pub(super) fn put_before(&self, out: &mut Vec<u8>) {
        let mut held = self.bytes.take();
        if !held.is_empty() {
            held.append(out);
            *out = held;
        }
    }

    /// True while there is nothing to be sent.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.borrow().is_empty()
    }

    /// True once where the socket did not take all.
    pub(super) fn was_stuck(&self) -> bool {
        self.is_stuck.take()
    }

    fn add(&self, answer: &mut Vec<u8>) {
        let mut bytes = self.bytes.borrow_mut();
        match bytes.is_empty() {
            true => std::mem::swap(&mut *bytes, answer),
            false => bytes.append(answer),
        }
    }
}

impl Outgoing {
    /// Takes an answer that may be told, to send it soon. `now` is the time in nanoseconds.
    pub(super) fn hold(&self, worker: &Worker, line: &Rc<Line>, answer: &mut Vec<u8>, now: u64) {
        let is_long = answer.len() > HELD_BYTES_MAX;
        line.held.add(answer);
        if !line.held.is_listed.replace(true) {
            let mut lines = self.lines.borrow_mut();
            if lines.is_empty() {
                self.since.set(now);
                self.is_there.notify_one();
            }
            lines.push(line.clone());
        }
        if is_long {
            self.send(worker);
        }
    }

    /// Sends what is held if that has waited long enough: to be asked at the end of each turn.
    pub(super) fn send_if_due(&self, worker: &Worker, now: u64) {
        if now.saturating_sub(self.since.get()) >= HELD_MAX_NANOS {
            self.send(worker);
        }
    }

    /// A turn was had whose answer is not held.
    pub(super) fn leaves_later(&self) {
        if !self.is_more_to_come.replace(true) {
            self.is_there.notify_one();
        }
    }

    /// Sends what is held, whenever all connections that were ready have had their turns, for ever: a task that is woken by
    /// the first of them, and so comes after the others. Then there is nothing to do, and the worker may rest.
    pub(super) async fn run(&self, worker: &Worker) {
        loop {
            self.is_there.notified().await;
            self.send(worker);
            let Some(rest) = worker.rest.length() else {
                self.is_more_to_come.set(false);
                continue;
            };
            if self.is_more_to_come.take() {
                // Those who only waited for their records to be written have their turns before.
                tokio::task::yield_now().await;
                self.send(worker);
            }
            std::thread::sleep(rest);
        }
    }

    /// Sends what is held.
    pub(super) fn send(&self, worker: &Worker) {
        for line in self.lines.borrow_mut().drain(..) {
            line.held.is_listed.set(false);
            if !send_held(worker, &line) {
                line.held.is_stuck.set(true);
                line.client.nudge();
            }
        }
    }

    /// Forgets a connection that ends or moves.
    pub(super) fn forget(&self, line: &Rc<Line>) {
        if line.held.is_listed.get() {
            self.lines.borrow_mut().retain(|listed| !Rc::ptr_eq(listed, line));
        }
    }
}

/// Sends what a connection has to send, as far as the socket takes it now: false if not all.
pub(super) fn send_held(worker: &Worker, line: &Line) -> bool {
    let mut bytes = line.held.bytes.take();
    let is_sent = (Pipe { worker, client: &line.client }).write_now(&line.socket, &mut bytes);
    match is_sent {
        true => worker.give_buffer(bytes),
        false => drop(line.held.bytes.replace(bytes)),
    }
    is_sent
}
