//! Replicas: who follows this server, and the stream that they are fed.
//!
//! ```text
//! SYNC, PSYNC ─▶ the steward: everything stands still: cut of the table + the replica is attached   ([`Replicas::attach`])
//!                             the cut is written to a file, and the file sent
//! append ─▶ tap of the log ─▶ stream: SELECT where the database changes, the unit
//!                               ├─▶ backlog                      what a replica that comes back has missed
//!                               └─▶ outbox of every replica      taken out by its own connection
//! ```
//!
//! The stream is made of the log's units, in the log's order, and of what is no change: PUBLISH, PING, REPLCONF GETACK. A
//! replica is a client that is never answered. What is for it waits in its outbox, while the snapshot is on its way as
//! well, within the bound of its class (`client-output-buffer-limit`); and it leaves by the door of all messages, so with
//! `appendfsync always` a replica hears of nothing that a crash could take back.
//!
//! The offset counts the bytes of the stream. The name of the stream is another at each start, and whenever the stream has
//! had a gap: who knows it and an offset that is still kept can go on, everybody else begins anew.

mod backlog;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::context::Context;
use super::session::{Replies, Session};
use crate::base::clock::Millis;
use crate::base::random::Random;
use crate::clients::{Bounds, Client, flag};
use crate::config::Replication;
use crate::log::{Databases, Follower, Log, encode_command};
use backlog::Backlog;

/// A part of what a replica is sent before the stream.
pub enum Piece {
    /// A line of the handshake.
    Line(Vec<u8>),
    /// A part of the snapshot, its length first.
    Payload(Vec<u8>),
    /// The snapshot is complete.
    End,
}

/// How far a replica is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Its snapshot is not begun.
    Waiting,
    /// The snapshot is being sent to it.
    Loading,
    /// It is sent the stream.
    Online,
    /// It wanted a snapshot and nothing more.
    Done,
}

/// A replica, as INFO and ROLE show it.
#[derive(Debug, Clone)]
pub struct Replica {
    /// Its address.
    pub ip: String,
    /// The port that it serves.
    pub port: u16,
    /// See [`Stage`].
    pub stage: Stage,
    /// The offset that it has acknowledged.
    pub acked: u64,
    /// When it did, in Unix milliseconds.
    pub acked_at: Millis,
}

/// What a client says of itself before it becomes a replica.
#[derive(Debug, Clone, Default)]
struct Introduction {
    ip: Option<String>,
    port: u16,
    /// It understands the name of the stream behind CONTINUE.
    psync2: bool,
    /// It wants a snapshot and nothing more.
    rdb_only: bool,
}

/// A client that has become a replica.
struct Member {
    client: Arc<Client>,
    shown: Replica,
    /// It never acknowledges anything.
    is_silent: bool,
}

/// Somebody who waits until replicas have all up to an offset.
struct Waiter {
    offset: u64,
    replicas: usize,
    done: oneshot::Sender<()>,
}

/// What the stream is at a moment.
#[derive(Debug, Clone)]
pub struct Position {
    /// Its name, 40 hexadecimal digits.
    pub id: String,
    /// Bytes so far.
    pub offset: u64,
    /// Bytes of its end that are kept; none while nothing is.
    pub kept: Option<u64>,
}

/// How replicas have begun, since the start or CONFIG RESETSTAT.
#[derive(Debug, Default)]
pub struct Syncs {
    /// Times that one was to have everything.
    pub full: AtomicU64,
    /// Times that one went on where it was.
    pub resumed: AtomicU64,
    /// Times that one wanted to go on where it was and could not.
    pub refused: AtomicU64,
}

impl Syncs {
    /// Counts from zero again.
    pub fn reset(&self) {
        [&self.full, &self.resumed, &self.refused].iter().for_each(|count| count.store(0, Ordering::Relaxed));
    }
}

/// All replicas and their stream.
pub struct Replicas {
    /// See [`Syncs`].
    pub syncs: Syncs,
    stream: Mutex<Stream>,
    introduced: Mutex<HashMap<u64, Introduction>>,
    offset: AtomicU64,
    count: AtomicUsize,
    bounds: Arc<ArcSwap<Bounds>>,
    backlog_size: AtomicU64,
}

struct Stream {
    id: String,
    /// The database that it is in; none where the next unit has to say.
    db: Option<u32>,
    backlog: Option<Backlog>,
    members: Vec<Member>,
    waiters: Vec<Waiter>,
    /// When the last replica left.
    alone_since: Millis,
    /// When the last PING was put in.
    pinged: Millis,
}

impl Replicas {
    /// None yet.
    pub fn new(bounds: Arc<ArcSwap<Bounds>>, config: &Replication, now: Millis) -> Self {
        Replicas {
            syncs: Syncs::default(),
            stream: Mutex::new(Stream {
                id: Random::from_os().hex40(),
                db: None,
                backlog: None,
                members: Vec::new(),
                waiters: Vec::new(),
                alone_since: now,
                pinged: now,
            }),
            introduced: Mutex::default(),
            offset: AtomicU64::new(0),
            count: AtomicUsize::new(0),
            bounds,
            backlog_size: AtomicU64::new(config.repl_backlog_size),
        }
    }

    /// How many there are, those included that wait for their snapshot.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// True when nobody follows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the stream so far.
    pub fn offset(&self) -> u64 {
        self.offset.load(Ordering::Relaxed)
    }

    /// Where the stream is.
    pub fn position(&self) -> Position {
        let stream = self.stream.lock();
        let kept = stream.backlog.as_ref().map(|backlog| backlog.len() as u64);
        Position { id: stream.id.clone(), offset: self.offset(), kept }
    }

    /// All of them, in the order in which they came.
    pub fn list(&self) -> Vec<Replica> {
        self.stream.lock().members.iter().map(|member| member.shown.clone()).collect()
    }

    /// How many have been heard within so many milliseconds.
    pub fn good(&self, now: Millis, lag_ms: Millis) -> usize {
        let stream = self.stream.lock();
        let is_good = |shown: &Replica| shown.stage == Stage::Online && now - shown.acked_at <= lag_ms;
        stream.members.iter().filter(|member| is_good(&member.shown)).count()
    }

    /// How many have acknowledged this offset.
    pub fn acked(&self, offset: u64) -> usize {
        self.stream.lock().acked(offset)
    }

    /// The receiver hears when so many replicas have acknowledged this offset. They are asked to tell.
    pub fn wait_for(&self, offset: u64, replicas: usize) -> oneshot::Receiver<()> {
        let (done, receiver) = oneshot::channel();
        let mut stream = self.stream.lock();
        if stream.acked(offset) >= replicas {
            // Whoever asked may have gone meanwhile.
            let _ = done.send(());
            return receiver;
        }
        stream.waiters.retain(|waiter| !waiter.done.is_closed());
        stream.waiters.push(Waiter { offset, replicas, done });
        self.feed_command(&mut stream, &[b"REPLCONF", b"GETACK", b"*"]);
        receiver
    }

    /// A client says something of itself that is of use when it becomes a replica.
    fn introduce(&self, client: &Client, change: impl FnOnce(&mut Introduction)) {
        client.set_flag(flag::INTRODUCED, true);
        change(self.introduced.lock().entry(client.id).or_default());
    }

    /// REPLCONF listening-port.
    pub fn set_port(&self, client: &Client, port: u16) {
        self.introduce(client, |known| known.port = port);
    }

    /// REPLCONF ip-address.
    pub fn set_ip(&self, client: &Client, ip: String) {
        self.introduce(client, |known| known.ip = Some(ip));
    }

    /// REPLCONF capa psync2.
    pub fn set_psync2(&self, client: &Client) {
        self.introduce(client, |known| known.psync2 = true);
    }

    /// REPLCONF rdb-only.
    pub fn set_rdb_only(&self, client: &Client, on: bool) {
        self.introduce(client, |known| known.rdb_only = on);
    }

    /// Makes a client a replica that waits for its snapshot. `is_silent`: it came by SYNC, so it never acknowledges.
    pub fn join(&self, session: &mut Session, is_silent: bool, now: Millis) {
        self.syncs.full.fetch_add(1, Ordering::Relaxed);
        let mut stream = self.stream.lock();
        self.add(&mut stream, session, is_silent, Stage::Waiting, now);
    }

    fn add(&self, stream: &mut Stream, session: &mut Session, is_silent: bool, stage: Stage, now: Millis) {
        let client = &session.client;
        let known = self.introduced.lock().get(&client.id).cloned().unwrap_or_default();
        let ip = known.ip.unwrap_or_else(|| host_of(&client.address).to_owned());
        let shown = Replica { ip, port: known.port, stage, acked: 0, acked_at: now };
        stream.members.push(Member { client: client.clone(), shown, is_silent });
        self.count.store(stream.members.len(), Ordering::Relaxed);
        client.set_flag(flag::REPLICA, true);
        // What it says from now on is for us alone.
        session.replies = Replies::Off;
    }

    /// Attaches a replica to the stream, at a moment when everything stands still and the cut for its snapshot is made: the
    /// next unit appended is the first that it hears. Where the stream is then; none if the replica has gone.
    pub fn attach(&self, client: &Client, log: &Log) -> Option<Position> {
        let mut stream = self.stream.lock();
        let rdb_only = self.introduced.lock().get(&client.id).is_some_and(|known| known.rdb_only);
        let member = stream.members.iter_mut().find(|member| member.client.id == client.id)?;
        member.shown.stage = if rdb_only { Stage::Done } else { Stage::Loading };
        if !rdb_only {
            // It does not know what database the others are in.
            stream.db = None;
            stream.backlog.get_or_insert_default();
            log.open_tap();
        }
        Some(Position { id: stream.id.clone(), offset: self.offset(), kept: None })
    }

    /// Its snapshot is sent.
    pub fn loaded(&self, client: &Client, now: Millis) {
        self.of(client, |member| {
            if member.shown.stage == Stage::Loading {
                (member.shown.stage, member.shown.acked_at) = (Stage::Online, now);
            }
        });
    }

    /// Goes on with a replica that knows the stream by this name and has it up to before this offset. False when it has to
    /// begin anew.
    pub fn resume(&self, session: &mut Session, id: &[u8], from: u64, now: Millis) -> bool {
        let mut stream = self.stream.lock();
        let Some(missed) = (self.offset() + 1).checked_sub(from) else { return false };
        if !id.eq_ignore_ascii_case(stream.id.as_bytes()) {
            return false;
        }
        let missed = usize::try_from(missed).unwrap_or(usize::MAX);
        let Some(missed) = stream.backlog.as_ref().and_then(|backlog| backlog.last(missed)) else {
            return false;
        };
        let psync2 = self.introduced.lock().get(&session.client.id).is_some_and(|known| known.psync2);
        let mut answer = match psync2 {
            true => format!("+CONTINUE {}\r\n", stream.id).into_bytes(),
            false => b"+CONTINUE\r\n".to_vec(),
        };
        answer.extend_from_slice(&missed);
        self.syncs.resumed.fetch_add(1, Ordering::Relaxed);
        self.add(&mut stream, session, false, Stage::Online, now);
        session.client.post(&answer, &self.bounds.load());
        true
    }

    /// REPLCONF ACK.
    pub fn acknowledge(&self, client: &Client, offset: u64, now: Millis) {
        let mut stream = self.stream.lock();
        let Some(member) = stream.members.iter_mut().find(|member| member.client.id == client.id) else {
            return;
        };
        member.shown.acked = member.shown.acked.max(offset);
        member.shown.acked_at = now;
        member.is_silent = false;
        let due: Vec<Waiter> = {
            let Stream { members, waiters, .. } = &mut *stream;
            let is_due = |waiter: &mut Waiter| acked(members, waiter.offset) >= waiter.replicas;
            waiters.extract_if(.., is_due).collect()
        };
        for waiter in due {
            let _ = waiter.done.send(());
        }
    }

    fn of(&self, client: &Client, change: impl FnOnce(&mut Member)) {
        let mut stream = self.stream.lock();
        if let Some(member) = stream.members.iter_mut().find(|member| member.client.id == client.id) {
            change(member);
        }
    }

    /// Forgets a connection that has ended.
    pub fn leave(&self, client: &Client, now: Millis) {
        if client.has_flag(flag::INTRODUCED) {
            self.introduced.lock().remove(&client.id);
        }
        if client.has_flag(flag::REPLICA) {
            let mut stream = self.stream.lock();
            stream.members.retain(|member| member.client.id != client.id);
            self.count.store(stream.members.len(), Ordering::Relaxed);
            stream.alone_since = now;
        }
    }

    /// What is due once a second: PINGs, the end of replicas that are not heard any more, the end of the backlog.
    pub fn tend(&self, log: &Log, config: &Replication, now: Millis) {
        self.backlog_size.store(config.repl_backlog_size, Ordering::Relaxed);
        let mut stream = self.stream.lock();
        if now - stream.pinged >= Millis::from(config.repl_ping_replica_period) * 1000 {
            stream.pinged = now;
            if !stream.members.is_empty() {
                self.feed_command(&mut stream, &[b"PING"]);
            }
        }
        let timeout = Millis::from(config.repl_timeout) * 1000;
        for Member { client, shown, is_silent } in &stream.members {
            if shown.stage == Stage::Online && !is_silent && now - shown.acked_at > timeout {
                tracing::warn!(replica = client.address, "a replica has not been heard for too long: closed");
                client.kill();
            }
        }
        let kept_ms = Millis::try_from(config.repl_backlog_ttl).unwrap_or(Millis::MAX).saturating_mul(1000);
        let is_over = stream.members.is_empty() && kept_ms > 0 && now - stream.alone_since > kept_ms;
        if stream.backlog.is_some() && is_over {
            stream.forget(log);
        }
    }

    /// Gives the stream another name. Those who are here go on.
    pub fn rename(&self) {
        self.stream.lock().id = Random::from_os().hex40();
    }

    /// The data has become other than the stream tells: all begin anew.
    pub fn begin_anew(&self, log: &Log) {
        let mut stream = self.stream.lock();
        stream.members.iter().for_each(|member| member.client.kill());
        stream.forget(log);
    }

    fn feed_command(&self, stream: &mut Stream, words: &[&[u8]]) {
        let mut command = Vec::new();
        encode_command(&mut command, words.iter().copied());
        self.feed(stream, &command);
    }

    fn feed(&self, stream: &mut Stream, bytes: &[u8]) {
        self.offset.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if let Some(backlog) = &mut stream.backlog {
            let size = self.backlog_size.load(Ordering::Relaxed);
            backlog.push(bytes, usize::try_from(size).unwrap_or(usize::MAX));
        }
        let bounds = self.bounds.load();
        for member in &stream.members {
            if matches!(member.shown.stage, Stage::Loading | Stage::Online) {
                member.client.post(bytes, &bounds);
            }
        }
    }
}

/// The log's way to the stream.
pub struct Feed(pub Arc<Replicas>);

impl Follower for Feed {
    fn follow(&self, (first, last): Databases, unit: &[u8]) {
        let mut stream = self.0.stream.lock();
        if stream.backlog.is_none() {
            // The tap has just been closed.
            return;
        }
        if stream.db != Some(first) {
            self.0.feed_command(&mut stream, &[b"SELECT", itoa::Buffer::new().format(first).as_bytes()]);
        }
        stream.db = Some(last);
        self.0.feed(&mut stream, unit);
    }
}

impl Stream {
    fn acked(&self, offset: u64) -> usize {
        acked(&self.members, offset)
    }

    /// What comes next does not continue what was.
    fn forget(&mut self, log: &Log) {
        log.close_tap();
        self.backlog = None;
        self.db = None;
        self.id = Random::from_os().hex40();
    }
}

fn acked(members: &[Member], offset: u64) -> usize {
    let has_it = |shown: &Replica| shown.stage == Stage::Online && shown.acked >= offset;
    members.iter().filter(|member| has_it(&member.shown)).count()
}

/// The address without its port.
fn host_of(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(host, _)| host.trim_matches(['[', ']']))
}

/// What a replica that waits for its snapshot is sent by.
pub type Pieces = mpsc::Receiver<Piece>;

/// Ends what there is of a session as a replica.
pub fn leave(ctx: &Context, session: &Session) {
    ctx.replicas.leave(&session.client, ctx.clock.unix_ms());
}
