//! Who is connected: what CLIENT LIST shows, CLIENT KILL ends, CLIENT PAUSE holds and MONITOR feeds.
//!
//! A connection owns its session; what others may know or do about it stands here, in atomics that its worker refreshes
//! once a turn, and in an outbox for what is sent to it unasked.

mod outbox;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context as Task, Poll};

use atomic_waker::AtomicWaker;
use parking_lot::Mutex;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, oneshot};

use crate::base::clock::Millis;
use outbox::{Outbox, Posted};

pub use outbox::{Bound, Bounds};

/// Bits of [`Client::flags`].
pub mod flag {
    /// Its transaction is being queued.
    pub const MULTI: u32 = 1;
    /// A key it watches changed.
    pub const DIRTY: u32 = 1 << 1;
    /// It sleeps until data comes.
    pub const BLOCKED: u32 = 1 << 2;
    /// It sees all commands.
    pub const MONITOR: u32 = 1 << 3;
    /// It came over the Unix socket.
    pub const UNIX: u32 = 1 << 4;
    /// Its connection is not evicted.
    pub const NO_EVICT: u32 = 1 << 5;
    /// Its commands do not count as use of keys.
    pub const NO_TOUCH: u32 = 1 << 6;
    /// It subscribes to channels.
    pub const PUBSUB: u32 = 1 << 7;
    /// It is closed when its reply has been written.
    pub const CLOSING: u32 = 1 << 8;
    /// It is told what it must forget of its cache.
    pub const TRACKING: u32 = 1 << 9;
    /// It is told of all keys with its prefixes.
    pub const BROADCASTS: u32 = 1 << 10;
    /// The client that should be told in its place is gone.
    pub const BROKEN_REDIRECT: u32 = 1 << 11;
    /// Its connection has ended.
    pub const GONE: u32 = 1 << 12;
    /// It is a replica: it is fed what changes, and never answered.
    pub const REPLICA: u32 = 1 << 13;
    /// It has said something of itself that is of use when it becomes a replica.
    pub const INTRODUCED: u32 = 1 << 14;
    /// It has not given the password yet. (One that did, and says RESET, is none.)
    pub const STRANGER: u32 = 1 << 15;
}

/// One connection, as seen from outside of it. There may be very many, so what few have is behind a pointer.
pub struct Client {
    /// Never used twice.
    pub id: u64,
    /// Peer, as `ip:port` or the socket's path with `:0`.
    pub address: Box<str>,
    /// Own end.
    pub local: Box<str>,
    /// The descriptor's number, for CLIENT LIST.
    pub descriptor: i32,
    /// When it connected.
    pub since: Millis,
    /// When it last sent a command.
    pub last_use: AtomicI64,
    /// See [`flag`].
    pub flags: AtomicU32,
    /// The selected database.
    pub db: AtomicU32,
    /// 2 or 3.
    pub protocol: AtomicU32,
    /// Commands queued by MULTI; -1 outside of one.
    pub queued: AtomicI64,
    /// Bytes of these commands.
    pub queued_bytes: AtomicU64,
    /// Number of watched keys.
    pub watching: AtomicU32,
    /// The client that is told in its place what to forget; 0 when that is itself, -1 when nobody is told.
    pub redirect: AtomicI64,
    /// Registry number of the last command; `u32::MAX` before the first.
    pub last_command: AtomicU32,
    /// Bytes waiting in the read buffer and its free room.
    pub query: [AtomicU64; 2],
    /// How many channels, patterns and shard channels it subscribes to.
    pub subscriptions: [AtomicU32; 3],
    /// Commands it has sent.
    pub commands: AtomicU64,
    /// Bytes read from it and written to it.
    pub traffic: [AtomicU64; 2],
    /// None while it has said nothing about itself.
    names: Mutex<Option<Box<Names>>>,
    /// There once something was posted, or was written that the socket did not take at once.
    outbox: OnceLock<Box<Outbox>>,
    killed: AtomicBool,
    /// More was to be sent to it than may wait.
    overfull: AtomicBool,
    /// Wakes its connection for what was posted, or for its end.
    wake: AtomicWaker,
    /// There while the client sleeps and can be woken.
    asleep: Mutex<Option<oneshot::Sender<Wake>>>,
}

/// The user that every client is: there is no other.
pub const DEFAULT_USER: &str = "default";

/// What others end a client's sleep with.
#[derive(Debug)]
pub enum Wake {
    /// What it waited for came: the reply, and the number of the log's record that must be safe before it is sent.
    Reply(Vec<u8>, u64),
    /// As if its time were up.
    TimedOut,
    /// This error, its prefix word included.
    Error(&'static str),
}

/// What came of trying to wake a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woke {
    /// It was woken.
    Yes,
    /// It sleeps on, because nothing was given to wake it with.
    No,
    /// It did not sleep, or could not be woken.
    Gone,
}

/// What a client calls itself.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// CLIENT SETNAME.
    pub name: String,
    /// CLIENT SETINFO LIB-NAME.
    pub library: String,
    /// CLIENT SETINFO LIB-VER.
    pub version: String,
}

impl Client {
    /// A client with this number that nobody else knows of: replay has one.
    pub fn new(id: u64, arrival: Arrival) -> Self {
        Client {
            id,
            address: arrival.address.into(),
            local: arrival.local.into(),
            descriptor: arrival.descriptor,
            since: arrival.now,
            last_use: AtomicI64::new(arrival.now),
            flags: AtomicU32::new(if arrival.is_unix { flag::UNIX } else { 0 }),
            db: AtomicU32::new(0),
            protocol: AtomicU32::new(2),
            queued: AtomicI64::new(-1),
            queued_bytes: AtomicU64::new(0),
            watching: AtomicU32::new(0),
            redirect: AtomicI64::new(-1),
            last_command: AtomicU32::new(u32::MAX),
            query: Default::default(),
            subscriptions: Default::default(),
            commands: AtomicU64::new(0),
            traffic: Default::default(),
            names: Mutex::default(),
            outbox: OnceLock::new(),
            killed: AtomicBool::new(false),
            overfull: AtomicBool::new(false),
            wake: AtomicWaker::new(),
            asleep: Mutex::default(),
        }
    }

    /// What it calls itself.
    pub fn names(&self) -> Names {
        self.names.lock().as_deref().cloned().unwrap_or_default()
    }

    /// Changes what it calls itself.
    pub fn rename(&self, change: impl FnOnce(&mut Names)) {
        change(self.names.lock().get_or_insert_default());
    }

    /// Sets or clears bits of the flags.
    pub fn set_flag(&self, bits: u32, on: bool) {
        if on {
            self.flags.fetch_or(bits, Ordering::Relaxed);
        } else {
            self.flags.fetch_and(!bits, Ordering::Relaxed);
        }
    }

    /// True when all of these bits are set.
    pub fn has_flag(&self, bits: u32) -> bool {
        self.flags.load(Ordering::Relaxed) & bits == bits
    }

    /// Asks its worker to end the connection.
    pub fn kill(&self) {
        self.killed.store(true, Ordering::Release);
        self.wake.wake();
    }

    /// Has its connection look what there is to do.
    pub fn nudge(&self) {
        self.wake.wake();
    }

    /// True when the connection is to end.
    pub fn is_killed(&self) -> bool {
        self.killed.load(Ordering::Acquire)
    }

    /// True when it is to end because more was to be sent to it than may wait.
    pub fn is_overfull(&self) -> bool {
        self.overfull.load(Ordering::Relaxed)
    }

    /// Sends bytes to it, after what it is being sent.
    pub fn post(&self, bytes: &[u8], bounds: &Bounds) {
        self.post_with(bytes.len(), bounds, |outbox| outbox.extend_from_slice(bytes));
    }

    /// As [`Client::post`] for a frame that is a RESP3 push. In RESP2 it is an array.
    pub fn post_push(&self, frame: &[u8], bounds: &Bounds) {
        self.post_with(frame.len(), bounds, |outbox| {
            let start = outbox.len();
            outbox.extend_from_slice(frame);
            // Read under the outbox's lock, in which the protocol is switched.
            if self.protocol.load(Ordering::Relaxed) == 2
                && let Some(mark) = outbox.get_mut(start)
            {
                *mark = b'*';
            }
        });
    }

    fn post_with(&self, len: usize, bounds: &Bounds, write: impl FnOnce(&mut Vec<u8>)) {
        if self.is_killed() {
            return;
        }
        match self.outbox().post(len, self.bound(bounds), bounds.now, write) {
            Posted::First => self.wake.wake(),
            Posted::More => {}
            Posted::Full => self.end_overfull(),
        }
    }

    /// Ends it if more waits for it than may.
    pub fn check_outbox(&self, bounds: &Bounds) {
        let Some(outbox) = self.outbox.get() else { return };
        if !self.is_killed() && outbox.is_over(self.bound(bounds), bounds.now) {
            self.end_overfull();
        }
    }

    fn end_overfull(&self) {
        self.overfull.store(true, Ordering::Relaxed);
        self.kill();
    }

    fn bound(&self, bounds: &Bounds) -> Bound {
        if self.has_flag(flag::REPLICA) {
            bounds.replica
        } else if self.has_flag(flag::PUBSUB) {
            bounds.pubsub
        } else {
            bounds.normal
        }
    }

    /// Appends to `out` what waits to be sent to it.
    pub fn take_posted(&self, out: &mut Vec<u8>) {
        self.outbox().take(out, || {});
    }

    /// Switches its protocol. What waits to be sent in the one before is appended to `out`.
    pub fn switch_protocol(&self, protocol: u32, out: &mut Vec<u8>) {
        self.outbox().take(out, || self.protocol.store(protocol, Ordering::Relaxed));
    }

    /// True when something waits to be sent to it.
    #[inline]
    pub fn has_posted(&self) -> bool {
        self.outbox.get().is_some_and(|outbox| outbox.is_filled())
    }

    /// Bytes that wait to be sent to it and that nobody has begun to write.
    pub fn posted_bytes(&self) -> u64 {
        self.outbox.get().map_or(0, |outbox| outbox.len() as u64)
    }

    /// Bytes being written to it.
    pub fn output(&self) -> u64 {
        self.outbox.get().map_or(0, |outbox| outbox.writing.load(Ordering::Relaxed))
    }

    /// Tells how many bytes are being written to it.
    pub fn show_output(&self, bytes: u64) {
        self.outbox().writing.store(bytes, Ordering::Relaxed);
    }

    /// Bytes of all its buffers, and of what it has queued.
    pub fn held_bytes(&self) -> u64 {
        let query: u64 = self.query.iter().map(|bytes| bytes.load(Ordering::Relaxed)).sum();
        query + self.output() + self.posted_bytes() + self.queued_bytes.load(Ordering::Relaxed)
    }

    fn outbox(&self) -> &Outbox {
        self.outbox.get_or_init(Box::default)
    }

    /// Falls asleep: from now on it can be woken, once, with what the receiver gets.
    pub fn fall_asleep(&self) -> oneshot::Receiver<Wake> {
        let (sender, receiver) = oneshot::channel();
        *self.asleep.lock() = Some(sender);
        self.set_flag(flag::BLOCKED, true);
        receiver
    }

    /// Wakes it with what `give` gives, if it sleeps. `give` is called while nobody else can wake it: what it does for the
    /// client is not done twice.
    pub fn wake_with(&self, give: impl FnOnce() -> Option<Wake>) -> Woke {
        let mut asleep = self.asleep.lock();
        if self.is_killed() || asleep.as_ref().is_none_or(oneshot::Sender::is_closed) {
            return Woke::Gone;
        }
        let Some(wake) = give() else { return Woke::No };
        self.set_flag(flag::BLOCKED, false);
        match asleep.take().map(|sender| sender.send(wake)) {
            Some(Ok(())) => Woke::Yes,
            _ => Woke::Gone,
        }
    }

    /// Ends the sleep from within; false when somebody else had woken it before.
    pub fn get_up(&self) -> bool {
        self.set_flag(flag::BLOCKED, false);
        self.asleep.lock().take().is_some()
    }

    /// Ready once it was killed or something was posted. Only the task that its connection belongs to may ask: it is the
    /// one that is woken.
    pub fn poll_woken(&self, task: &mut Task<'_>) -> Poll<()> {
        self.wake.register(task.waker());
        if self.is_killed() || self.has_posted() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Comes back when it was killed. As [`Client::poll_woken`], for the task of its connection.
    pub async fn killed(&self) {
        poll_fn(|task| {
            self.wake.register(task.waker());
            if self.is_killed() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// Whether a peer is on this machine: protected mode lets nobody else in.
pub fn is_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V6(v6) => v6.is_loopback() || v6.to_ipv4_mapped().is_some_and(|v4| v4.is_loopback()),
        IpAddr::V4(v4) => v4.is_loopback(),
    }
}

/// All connections of the process.
#[derive(Default)]
pub struct Clients {
    connected: Mutex<BTreeMap<u64, Arc<Client>>>,
    count: AtomicUsize,
    next_id: AtomicU64,
    monitors: Mutex<Vec<Arc<Client>>>,
    monitoring: AtomicUsize,
    pause: Pause,
}

/// CLIENT PAUSE.
#[derive(Default)]
struct Pause {
    until: AtomicI64,
    writes_only: AtomicBool,
    ended: Notify,
}

/// What a new connection is known by.
#[derive(Debug, Default)]
pub struct Arrival {
    /// Peer address.
    pub address: String,
    /// Own address.
    pub local: String,
    /// The descriptor's number.
    pub descriptor: i32,
    /// True for the Unix socket.
    pub is_unix: bool,
    /// Wall time.
    pub now: Millis,
}

impl Clients {
    /// Adds a connection, unless there are `limit` already.
    pub fn admit(&self, arrival: Arrival, limit: usize) -> Option<Arc<Client>> {
        if self.count.fetch_add(1, Ordering::AcqRel) >= limit {
            self.count.fetch_sub(1, Ordering::AcqRel);
            return None;
        }
        let id = self.next_id.fetch_add(1, Ordering::Relaxed) + 1;
        let client = Arc::new(Client::new(id, arrival));
        self.connected.lock().insert(id, client.clone());
        Some(client)
    }

    /// Removes a connection that has ended.
    pub fn leave(&self, client: &Arc<Client>) {
        client.set_flag(flag::GONE, true);
        if self.connected.lock().remove(&client.id).is_some() {
            self.count.fetch_sub(1, Ordering::AcqRel);
        }
        self.stop_monitor(client);
    }

    /// Number of connections.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// True when nobody is connected.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All connections, in the order in which they came.
    pub fn list(&self) -> Vec<Arc<Client>> {
        self.connected.lock().values().cloned().collect()
    }

    /// The sum of a figure over all connections. Nobody can come or go meanwhile.
    pub fn sum(&self, figure: impl Fn(&Client) -> u64) -> u64 {
        self.connected.lock().values().map(|client| figure(client)).sum()
    }

    /// The connection with this number.
    pub fn find(&self, id: u64) -> Option<Arc<Client>> {
        self.connected.lock().get(&id).cloned()
    }

    /// From now on the client sees all commands.
    pub fn start_monitor(&self, client: &Arc<Client>) {
        let mut monitors = self.monitors.lock();
        if !monitors.iter().any(|other| other.id == client.id) {
            monitors.push(client.clone());
            client.set_flag(flag::MONITOR, true);
        }
        self.monitoring.store(monitors.len(), Ordering::Release);
    }

    /// Ends [`Clients::start_monitor`].
    pub fn stop_monitor(&self, client: &Client) {
        if !client.has_flag(flag::MONITOR) {
            return;
        }
        let mut monitors = self.monitors.lock();
        monitors.retain(|other| other.id != client.id);
        client.set_flag(flag::MONITOR, false);
        self.monitoring.store(monitors.len(), Ordering::Release);
    }

    /// True when somebody wants to see commands.
    #[inline]
    pub fn is_monitored(&self) -> bool {
        self.monitoring.load(Ordering::Relaxed) > 0
    }

    /// Sends a line to all who want to see commands.
    pub fn feed_monitors(&self, line: &[u8], bounds: &Bounds) {
        for monitor in self.monitors.lock().iter() {
            monitor.post(line, bounds);
        }
    }

    /// Holds all commands, or only those that may write, until this time. A later end and the wider reach win over a
    /// pause under way. Gives the end of the pause.
    pub fn pause(&self, until: Millis, writes_only: bool, now: Millis) -> Millis {
        let was_paused = self.pause.until.load(Ordering::Acquire) > now;
        let narrow = writes_only && (!was_paused || self.pause.writes_only.load(Ordering::Acquire));
        self.pause.writes_only.store(narrow, Ordering::Release);
        self.pause.until.fetch_max(until, Ordering::AcqRel).max(until)
    }

    /// Ends a pause.
    pub fn unpause(&self) {
        self.pause.until.store(0, Ordering::Release);
        self.pause.ended.notify_waiters();
    }

    /// The end of a pause that holds such a command now.
    #[inline]
    pub fn paused_until(&self, may_write: bool, now: Millis) -> Option<Millis> {
        let until = self.pause.until.load(Ordering::Relaxed);
        (until > now && (may_write || !self.pause.writes_only.load(Ordering::Relaxed))).then_some(until)
    }

    /// The end of a pause under way, and whether it holds only writes.
    pub fn pause_state(&self, now: Millis) -> Option<(Millis, bool)> {
        let until = self.pause.until.load(Ordering::Relaxed);
        (until > now).then(|| (until, self.pause.writes_only.load(Ordering::Relaxed)))
    }

    /// Comes back when a pause was ended by hand.
    pub fn unpaused(&self) -> Notified<'_> {
        self.pause.ended.notified()
    }
}
