//! Who is connected: what CLIENT LIST shows, CLIENT KILL ends, CLIENT PAUSE holds and MONITOR feeds.
//!
//! A connection owns its session; what others may know or do about it stands here, in atomics that its worker refreshes
//! once a turn, and in an outbox for what is sent to it unasked.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use crate::base::clock::Millis;

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
}

/// One connection, as seen from outside of it.
pub struct Client {
    /// Never used twice.
    pub id: u64,
    /// Peer, as `ip:port` or the socket's path with `:0`.
    pub address: String,
    /// Own end.
    pub local: String,
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
    /// Number of watched keys.
    pub watching: AtomicU32,
    /// Registry number of the last command; `u32::MAX` before the first.
    pub last_command: AtomicU32,
    /// Bytes waiting in the read buffer and its free room.
    pub query: [AtomicU64; 2],
    /// Bytes waiting to be written.
    pub output: AtomicU64,
    /// Commands it has sent.
    pub commands: AtomicU64,
    /// Bytes read from it and written to it.
    pub traffic: [AtomicU64; 2],
    names: Mutex<Names>,
    outbox: Mutex<Vec<u8>>,
    posted: AtomicBool,
    killed: AtomicBool,
    wake: Notify,
    /// There while the client sleeps and can be woken.
    asleep: Mutex<Option<oneshot::Sender<Wake>>>,
}

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
    /// The user it is authenticated as.
    pub user: String,
}

impl Client {
    /// A client with this number that nobody else knows of: replay has one.
    pub fn new(id: u64, arrival: Arrival) -> Self {
        Client {
            id,
            address: arrival.address,
            local: arrival.local,
            descriptor: arrival.descriptor,
            since: arrival.now,
            last_use: AtomicI64::new(arrival.now),
            flags: AtomicU32::new(if arrival.is_unix { flag::UNIX } else { 0 }),
            db: AtomicU32::new(0),
            protocol: AtomicU32::new(2),
            queued: AtomicI64::new(-1),
            watching: AtomicU32::new(0),
            last_command: AtomicU32::new(u32::MAX),
            query: Default::default(),
            output: AtomicU64::new(0),
            commands: AtomicU64::new(0),
            traffic: Default::default(),
            names: Mutex::new(Names { user: "default".to_owned(), ..Names::default() }),
            outbox: Mutex::default(),
            posted: AtomicBool::new(false),
            killed: AtomicBool::new(false),
            wake: Notify::new(),
            asleep: Mutex::default(),
        }
    }

    /// What it calls itself.
    pub fn names(&self) -> Names {
        self.names.lock().clone()
    }

    /// Changes what it calls itself.
    pub fn rename(&self, change: impl FnOnce(&mut Names)) {
        change(&mut self.names.lock());
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
        self.wake.notify_one();
    }

    /// True when the connection is to end.
    pub fn is_killed(&self) -> bool {
        self.killed.load(Ordering::Acquire)
    }

    /// Sends bytes to it, after what it is being sent. `limit` is the most that may wait: a client that does not read
    /// is ended rather than fed.
    pub fn post(&self, bytes: &[u8], limit: usize) {
        let mut outbox = self.outbox.lock();
        if outbox.len() + bytes.len() > limit {
            drop(outbox);
            self.kill();
            return;
        }
        outbox.extend_from_slice(bytes);
        self.posted.store(true, Ordering::Release);
        drop(outbox);
        self.wake.notify_one();
    }

    /// Takes what waits to be sent to it.
    pub fn take_posted(&self) -> Vec<u8> {
        let mut outbox = self.outbox.lock();
        self.posted.store(false, Ordering::Release);
        std::mem::take(&mut outbox)
    }

    /// True when something waits to be sent to it.
    #[inline]
    pub fn has_posted(&self) -> bool {
        self.posted.load(Ordering::Acquire)
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

    /// Comes back when it was killed or something was posted.
    pub async fn woken(&self) {
        self.wake.notified().await;
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
    pub fn feed_monitors(&self, line: &[u8], limit: usize) {
        for monitor in self.monitors.lock().iter() {
            monitor.post(line, limit);
        }
    }

    /// Holds all commands, or only those that may write, until this time. A later end and the wider reach win over a
    /// pause under way.
    pub fn pause(&self, until: Millis, writes_only: bool, now: Millis) {
        let was_paused = self.pause.until.load(Ordering::Acquire) > now;
        let narrow = writes_only && (!was_paused || self.pause.writes_only.load(Ordering::Acquire));
        self.pause.writes_only.store(narrow, Ordering::Release);
        self.pause.until.fetch_max(until, Ordering::AcqRel);
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
    pub async fn unpaused(&self) {
        self.pause.ended.notified().await;
    }
}
