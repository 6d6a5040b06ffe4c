//! The deputy of a worker whose thread runs a script that takes too long.
//!
//! The script has the thread, so the connections' own tasks do not get their turns. But every now and then it looks up, and
//! then what has come on the worker's other connections is seen to right there: commands are refused (`-BUSY`), SCRIPT KILL
//! and the few others that may run meanwhile do, and whoever has just connected is let in. A connection that is in the middle
//! of something waits for its task, as does what cannot be answered at once.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use tokio::sync::mpsc::UnboundedReceiver;

use super::connection::Connection;
use super::worker::{Passenger, Worker, welcome};

/// The least time between two rounds, in nanoseconds.
const PAUSE_MIN: u64 = 5_000_000;
/// A round takes this part of the time at most: one of so many.
const PART: u64 = 4;
/// What is read of a connection in one round, in bytes.
const READ_BYTES: usize = 16 * 1024;

thread_local! {
    /// Of the worker whose thread this is.
    static DUTY: RefCell<Option<Duty>> = const { RefCell::new(None) };
}

struct Duty {
    worker: Rc<Worker>,
    arrivals: Rc<RefCell<UnboundedReceiver<Passenger>>>,
    /// When the next round may begin, in monotonic nanoseconds.
    not_before: u64,
}

/// From now on this thread is the worker's.
pub(super) fn take_up(worker: Rc<Worker>, arrivals: Rc<RefCell<UnboundedReceiver<Passenger>>>) {
    DUTY.set(Some(Duty { worker, arrivals, not_before: 0 }));
}

/// Sees to the other clients of the thread that this is called on, if it is a worker's and some time has passed since the
/// last time.
pub fn attend() {
    DUTY.with(|duty| {
        // Borrowed only in here, and nothing in here runs a script.
        let Ok(mut duty) = duty.try_borrow_mut() else { return };
        let Some(duty) = &mut *duty else { return };
        let began = duty.worker.ctx.clock.elapsed_nanos();
        if began >= duty.not_before {
            duty.round();
            let ended = duty.worker.ctx.clock.elapsed_nanos();
            duty.not_before = ended + PAUSE_MIN.max((ended - began) * (PART - 1));
        }
    });
}

impl Duty {
    fn round(&self) {
        let worker = &self.worker;
        while let Ok(passenger) = self.arrivals.borrow_mut().try_recv() {
            welcome(worker, passenger);
        }
        let guests: Vec<Rc<RefCell<Connection>>> =
            worker.guests.borrow().values().filter_map(Weak::upgrade).collect();
        let mut buffer = vec![0; READ_BYTES];
        for guest in guests {
            if let Ok(mut guest) = guest.try_borrow_mut() {
                guest.serve_aside(&mut buffer);
            }
        }
        worker.outgoing.send(worker);
    }
}
