//! A worker: one thread with a runtime of its own, the connections that belong to it, and what they share.
//!
//! A connection is read, parsed, run and answered on the thread it belongs to; nothing is handed over. What a worker's
//! connections share is the read buffer, the parsed commands of the turn under way, spare output buffers (an idle connection
//! holds none of these), and the [`Flusher`].

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{self, Arc, OnceLock};

use tokio::runtime::LocalOptions;
use tokio::sync::mpsc;

use super::connection::{Connection, take_leave};
use super::deputy;
use super::outgoing::Outgoing;
use super::rest::Rest;
use super::wire::{Socket, Wire};
use crate::clients::Client;
use crate::exec::safety::Flusher;
use crate::exec::{Context, Session, SyncHere};
use crate::observe::process;
use crate::resp::request::Batch;

/// Bytes of the read buffer that a worker's connections share: what a socket gives in one read at most.
const READ_BUFFER_BYTES: usize = 64 * 1024;
/// Stack of a worker's thread, in bytes; only what is touched takes memory. A script runs on it, and one that nests calls of
/// string.gsub as deep as Lua lets it needs nearly the 2 MiB that threads get when nobody asks.
const STACK_BYTES: usize = 8 << 20;
/// A worker that waits longer than this for the disk gets no new connections meanwhile, in nanoseconds.
const STUCK_NANOS: u64 = 10_000_000;
/// Output buffers kept for the next turn.
const SPARE_BUFFERS_MAX: usize = 64;
/// An output buffer larger than this is not kept.
const SPARE_BUFFER_BYTES_MAX: usize = 256 * 1024;

/// A connection on its way to a worker: new, or moved from another with its session.
pub(super) struct Passenger {
    pub(super) socket: Socket,
    pub(super) client: Arc<Client>,
    pub(super) session: Option<Box<Session>>,
}

/// What a worker is burdened with, and what it shall give away.
#[derive(Default)]
pub(super) struct Load {
    /// The part of the time that it computes, in thousandths, as of the last look.
    pub(super) busy: AtomicU64,
    /// The part of the time that it had to wait for a core, in thousandths, as of the last look.
    pub(super) waiting: AtomicU64,
    /// Connections that it shall still give to the worker `move_to`.
    to_move: AtomicUsize,
    move_to: AtomicUsize,
    connections: AtomicUsize,
    thread: AtomicU32,
    /// Since when it waits for the disk, in nanoseconds; 0 while it does not.
    disk_since: AtomicU64,
}

impl Load {
    /// Has it give so many connections to another worker.
    pub(super) fn send(&self, connections: usize, to: usize) {
        self.move_to.store(to, Ordering::Relaxed);
        self.to_move.store(connections, Ordering::Relaxed);
    }

    /// Whether a connection shall move.
    #[inline]
    pub(super) fn is_to_give(&self) -> bool {
        self.to_move.load(Ordering::Relaxed) > 0
    }

    /// Whether it has waited for the disk for so long by now, in nanoseconds, that nobody new shall have to wait with it.
    pub(super) fn is_stuck(&self, now: u64) -> bool {
        let since = self.disk_since.load(Ordering::Relaxed);
        since > 0 && now.saturating_sub(since) > STUCK_NANOS
    }

    /// True once for each connection that shall move.
    #[inline]
    pub(super) fn takes_leave(&self) -> bool {
        self.is_to_give()
            && self
                .to_move
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                .is_ok()
    }
}

/// A worker as others see it.
pub(super) struct Handle {
    sender: mpsc::UnboundedSender<Passenger>,
    load: Arc<Load>,
    others: Arc<OnceLock<sync::Weak<Vec<Handle>>>>,
}

/// A worker as its connections see it.
pub(super) struct Worker {
    pub(super) ctx: Arc<Context>,
    /// Its seat.
    pub(super) seat: usize,
    pub(super) load: Arc<Load>,
    others: Arc<OnceLock<sync::Weak<Vec<Handle>>>>,
    pub(super) read_buffer: RefCell<Vec<u8>>,
    /// The commands under way, put back when they are over.
    pub(super) batch: Cell<Batch>,
    /// Its connections, by the numbers of their clients.
    pub(super) guests: RefCell<HashMap<u64, Weak<RefCell<Connection>>>>,
    pub(super) flusher: Flusher,
    /// Answers that are to be sent.
    pub(super) outgoing: Outgoing,
    /// Whether to rest when there is nothing to do.
    pub(super) rest: Rest,
    /// When the last command that ran here had ended, in nanoseconds.
    pub(super) moment: Cell<u64>,
    spare: RefCell<Vec<Vec<u8>>>,
}

impl Handle {
    /// Starts a worker's thread. It ends when its handle is dropped and its connections have ended, or with the process.
    pub(super) fn start(ctx: Arc<Context>, seat: usize) -> io::Result<Handle> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let load = Arc::new(Load::default());
        let others = Arc::new(OnceLock::new());
        let (own, siblings) = (load.clone(), others.clone());
        let (started, outcome) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new().name(format!("worker-{seat}")).stack_size(STACK_BYTES);
        thread.spawn(move || {
            // A runtime for tasks that stay on their thread has to be made on it.
            let built = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build_local(LocalOptions::default());
            // Whoever starts a worker waits to be told.
            let runtime = match built {
                Ok(runtime) => runtime,
                Err(fault) => return drop(started.send(Err(fault))),
            };
            drop(started.send(Ok(())));
            own.thread.store(process::thread_number(), Ordering::Relaxed);
            be_woken_in_time();
            let worker = Rc::new(Worker {
                ctx,
                seat,
                load: own,
                others: siblings,
                read_buffer: RefCell::new(vec![0; READ_BUFFER_BYTES]),
                batch: Cell::default(),
                guests: RefCell::default(),
                flusher: Flusher::new(seat),
                outgoing: Outgoing::default(),
                rest: Rest::default(),
                moment: Cell::default(),
                spare: RefCell::default(),
            });
            runtime.block_on(work(worker, receiver));
        })?;
        outcome.recv().map_err(io::Error::other)??;
        Ok(Handle { sender, load, others })
    }

    /// Number of its connections.
    pub(super) fn connections(&self) -> usize {
        self.load.connections.load(Ordering::Relaxed)
    }

    /// What it is burdened with.
    pub(super) fn load(&self) -> &Load {
        &self.load
    }

    /// Nanoseconds that its thread has computed, and that it has waited for a core.
    pub(super) fn times(&self) -> (u64, u64) {
        process::thread_times(self.load.thread.load(Ordering::Relaxed))
    }

    /// Tells it of the others, to whom it may give connections.
    pub(super) fn introduce(&self, workers: &Arc<Vec<Handle>>) {
        // Told once, at the start.
        let _ = self.others.set(Arc::downgrade(workers));
    }

    /// Gives it a connection.
    pub(super) fn adopt(&self, passenger: Passenger) {
        self.load.connections.fetch_add(1, Ordering::Relaxed);
        // The channel is closed only when the process is ending.
        let _ = self.sender.send(passenger);
    }
}

/// A thread that sleeps is woken up to 50 us late otherwise, to save power.
fn be_woken_in_time() {
    #[cfg(target_os = "linux")]
    if let Err(fault) = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1000)) {
        tracing::debug!(%fault, "a worker's timers cannot be made exact");
    }
}

async fn work(worker: Rc<Worker>, arrivals: mpsc::UnboundedReceiver<Passenger>) {
    let arrivals = Rc::new(RefCell::new(arrivals));
    deputy::take_up(worker.clone(), arrivals.clone());
    let flushing = worker.clone();
    tokio::task::spawn_local(async move {
        let flusher = &flushing.flusher;
        flusher.run(&flushing.ctx, SyncHere::default(), |work| flushing.wait_for_disk(work)).await;
    });
    let sending = worker.clone();
    tokio::task::spawn_local(async move { sending.outgoing.run(&sending).await });
    while let Some(passenger) = poll_fn(|task| arrivals.borrow_mut().poll_recv(task)).await {
        welcome(&worker, passenger);
    }
}

/// Begins to serve a connection.
pub(super) fn welcome(worker: &Rc<Worker>, passenger: Passenger) {
    let Passenger { socket, client, session } = passenger;
    let wire = Wire::new(socket, client.clone());
    Stay { worker: worker.clone(), client }.begin(wire, session);
}

/// A connection's stay with a worker.
struct Stay {
    worker: Rc<Worker>,
    client: Arc<Client>,
}

impl Stay {
    fn begin(self, wire: io::Result<Wire>, session: Option<Box<Session>>) {
        match wire {
            Ok(wire) => {
                let (worker, client) = (self.worker.clone(), self.client.clone());
                let connection = Connection::new(wire, worker, client, session);
                tokio::task::spawn_local(connection.serve(move |outcome| self.end(outcome)));
            }
            Err(fault) => {
                session.into_iter().for_each(|mut session| take_leave(&self.worker, &mut session));
                self.end(Err(fault));
            }
        }
    }

    fn end(self, outcome: io::Result<Option<Passenger>>) {
        let Stay { worker, client } = self;
        worker.load.connections.fetch_sub(1, Ordering::Relaxed);
        match outcome {
            Ok(Some(passenger)) => {
                let to = worker.load.move_to.load(Ordering::Relaxed);
                let others = worker.others.get().and_then(sync::Weak::upgrade);
                if let Some(other) = others.as_ref().and_then(|others| others.get(to)) {
                    other.adopt(passenger);
                    return;
                }
            }
            Ok(None) => {}
            Err(fault) => {
                tracing::debug!(client = client.id, address = client.address, %fault, "connection ended");
            }
        }
        worker.ctx.clients.leave(&client);
    }
}

impl Worker {
    /// Does what may take as long as the disk takes, during which the worker serves nobody. What is answered is sent before.
    fn wait_for_disk(&self, work: &mut dyn FnMut()) {
        self.outgoing.send(self);
        self.load.disk_since.store(self.ctx.clock.elapsed_nanos(), Ordering::Relaxed);
        work();
        self.load.disk_since.store(0, Ordering::Relaxed);
    }

    /// An empty output buffer.
    pub(super) fn take_buffer(&self) -> Vec<u8> {
        self.spare.borrow_mut().pop().unwrap_or_default()
    }

    /// Gives an output buffer back.
    pub(super) fn give_buffer(&self, mut buffer: Vec<u8>) {
        let mut spare = self.spare.borrow_mut();
        if buffer.capacity() > 0
            && buffer.capacity() <= SPARE_BUFFER_BYTES_MAX
            && spare.len() < SPARE_BUFFERS_MAX
        {
            buffer.clear();
            spare.push(buffer);
        }
    }
}
