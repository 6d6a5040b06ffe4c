//! With `appendfsync always` nobody is shown what a power cut could take back. A server in this process, whose disk holds
//! its syncs back: until they are let go, no road may answer who has looked at the new state.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use super::{Context, HostFiles, context, data};
use crate::cli::Request;
use crate::exec::outage;
use crate::gateway;
use crate::log::storage::{FaultyStorage, MemoryStorage, Storage};
use crate::server::Running;
use crate::server::listener::{self, Listeners};
use crate::table::Expiry;

/// How long a reply that must not come is waited for. One that comes early comes at once.
const SILENCE: Duration = Duration::from_millis(120);
/// A reply that must come has come by then.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Served {
    pub(super) disk: FaultyStorage,
    pub(super) ctx: Arc<Context>,
    resp: SocketAddr,
    http: SocketAddr,
}

pub(super) fn serve() -> Served {
    let disk = FaultyStorage::new(Arc::new(MemoryStorage::new()));
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let set = |name: &str, value: &str| vec![name.to_owned(), value.to_owned()];
    let overrides = vec![set("appendfsync", "always"), set("io-threads", "2")];
    let loaded = Request { file: None, overrides }.load(&HostFiles::new(storage.clone())).unwrap();
    let lock = data::lock(&storage, &loaded.config).unwrap();
    let (ctx, orders) = context(loaded.config, None, &storage, lock).unwrap();
    data::load(&ctx, &storage).unwrap();
    ctx.loading.set(false);
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    let [resp, http] = [any, any].map(|place| listener::bind_tcp(place, 64).unwrap());
    let served =
        Served { disk, ctx: ctx.clone(), resp: resp.local_addr().unwrap(), http: http.local_addr().unwrap() };
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let _running = Running::start(&ctx, Listeners { tcp: vec![resp], unix: None }).unwrap();
            gateway::start(&ctx, ctx.identity.workers + 1, vec![http]).unwrap();
            let _orders = orders;
            std::future::pending::<()>().await;
        });
    });
    served
}

pub(super) struct Peer(TcpStream);

impl Peer {
    fn new(address: SocketAddr) -> Self {
        Peer(TcpStream::connect(address).unwrap())
    }

    pub(super) fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).unwrap();
    }

    #[track_caller]
    pub(super) fn hears(&mut self, expected: &str) {
        self.0.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut heard = Vec::new();
        let mut buffer = [0; 4096];
        while !String::from_utf8_lossy(&heard).contains(expected) {
            let count = self.0.read(&mut buffer).unwrap_or(0);
            assert!(count > 0, "expected {expected:?}, heard {:?}", String::from_utf8_lossy(&heard));
            heard.extend_from_slice(&buffer[..count]);
        }
    }

    #[track_caller]
    pub(super) fn hears_nothing(&mut self) {
        self.0.set_read_timeout(Some(SILENCE)).unwrap();
        let mut buffer = [0; 4096];
        match self.0.read(&mut buffer) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            other => {
                let heard = other.map(|count| String::from_utf8_lossy(&buffer[..count]).into_owned());
                panic!("told before it was on the device: {heard:?}");
            }
        }
    }
}

impl Peer {
    /// Has turns that wait for no sync, so that its worker has more to do than to sync itself (see `exec/sync_here.rs`).
    pub(super) fn looks_around(&mut self) {
        for _ in 0..64 {
            self.send("PING\r\n");
            self.hears("+PONG\r\n");
        }
    }

    /// The connection ends, and nothing was said before.
    #[track_caller]
    pub(super) fn is_closed_unanswered(&mut self) {
        self.0.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut heard = Vec::new();
        match self.0.read_to_end(&mut heard) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("the connection is open")
            }
            _ => assert!(heard.is_empty(), "heard {:?}", String::from_utf8_lossy(&heard)),
        }
    }
}

/// A write whose sync is held back, somebody who looks at it, and what both hear once the sync is let go. `ready` is what
/// the reader hears before. The writer's worker syncs itself, or it leaves that to the log's thread.
fn check(reader: fn(&Served) -> Peer, ready: (&str, &str), write: &str, wrote: &str, look: &str, sees: &str) {
    for syncs_itself in [true, false] {
        check_where(syncs_itself, reader, ready, (write, wrote), (look, sees));
    }
}

fn check_where(
    syncs_itself: bool,
    reader: fn(&Served) -> Peer,
    ready: (&str, &str),
    (write, wrote): (&str, &str),
    (look, sees): (&str, &str),
) {
    let served = serve();
    let mut writer = Peer::new(served.resp);
    if !syncs_itself {
        writer.looks_around();
    }
    // The first write of a file waits for a sync of the line that opens its section: it is not the one to look at.
    writer.send("SET first 1\r\n");
    writer.hears("+OK\r\n");
    let before = served.ctx.log.written();
    let mut reader = reader(&served);
    reader.send(ready.0);
    if !ready.1.is_empty() {
        reader.hears(ready.1);
    }
    if ready.0.starts_with("BLPOP") {
        let is_asleep =
            || served.ctx.clients.list().iter().any(|c| c.has_flag(crate::clients::flag::BLOCKED));
        while !is_asleep() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    served.disk.hold_syncs(true);
    writer.send(write);
    while served.ctx.log.written() == before {
        std::thread::sleep(Duration::from_millis(1));
    }
    reader.send(look);
    reader.hears_nothing();
    writer.hears_nothing();
    served.disk.hold_syncs(false);
    reader.hears(sees);
    writer.hears(wrote);
}

impl Served {
    fn is_http(&self, peer: &Peer) -> bool {
        peer.0.peer_addr().is_ok_and(|address| address == self.http)
    }
}

pub(super) fn resp(served: &Served) -> Peer {
    Peer::new(served.resp)
}

pub(super) fn http(served: &Served) -> Peer {
    Peer::new(served.http)
}

#[test]
fn a_read_shows_nothing_that_is_not_on_the_device() {
    check(resp, ("PING\r\n", "+PONG\r\n"), "SET k v\r\n", "+OK\r\n", "GET k\r\n", "$1\r\nv\r\n");
}

#[test]
fn a_read_of_several_keys_shows_nothing_that_is_not_on_the_device() {
    let look = "MGET other k\r\n";
    check(resp, ("PING\r\n", "+PONG\r\n"), "SET k v\r\n", "+OK\r\n", look, "*2\r\n$-1\r\n$1\r\nv\r\n");
}

#[test]
fn the_absence_of_a_key_is_not_shown_before_its_removal_is_on_the_device() {
    // Each of these takes the key away by another road.
    for (removal, removed) in [
        ("DEL first\r\n", ":1\r\n"),
        ("GETDEL first\r\n", "$1\r\n1\r\n"),
        ("RENAME first second\r\n", "+OK\r\n"),
        ("FLUSHALL\r\n", "+OK\r\n"),
        ("SWAPDB 0 1\r\n", "+OK\r\n"),
        ("MULTI\r\nDEL first\r\nEXEC\r\n", "*1\r\n:1\r\n"),
        ("EVAL \"return redis.call('del', KEYS[1])\" 1 first\r\n", ":1\r\n"),
        ("MULTI\r\nFLUSHALL\r\nEXEC\r\n", "*1\r\n+OK\r\n"),
    ] {
        check(resp, ("GET first\r\n", "$1\r\n1\r\n"), removal, removed, "GET first\r\n", "$-1\r\n");
    }
}

#[test]
fn a_script_shows_nothing_that_is_not_on_the_device() {
    let look = "EVAL \"return redis.call('get', KEYS[1])\" 1 k\r\n";
    check(resp, ("PING\r\n", "+PONG\r\n"), "SET k v\r\n", "+OK\r\n", look, "$1\r\nv\r\n");
}

/// A script lets go of a stripe before its record is written: whoever notes meanwhile which record the stripe's changes are
/// in would note one that is too old.
#[test]
fn the_regular_tasks_do_not_take_what_a_script_does_for_recorded() {
    let served = serve();
    let ctx = &served.ctx;
    let record_of_k = || {
        let address = ctx.table.address(0, b"k");
        ctx.table.read(address, b"k", 0, |slot| slot.last_record(|| u64::MAX - 1))
    };
    std::thread::scope(|scope| {
        let script = ctx.turns.everything();
        ctx.table.write(ctx.table.address(0, b"k"), b"k", 0, |slot| slot.put_text(b"v", Expiry::Clear));
        let tasks = scope.spawn(|| outage::provide(ctx, ctx.identity.workers));
        std::thread::sleep(SILENCE);
        assert_eq!(record_of_k(), u64::MAX - 1, "somebody has said which record it is in");
        assert!(!tasks.is_finished());
        drop(script);
    });
}

#[test]
fn a_write_that_changes_nothing_does_not_tell_why_before_that_is_on_the_device() {
    check(resp, ("PING\r\n", "+PONG\r\n"), "SET k v\r\n", "+OK\r\n", "SETNX k w\r\n", ":0\r\n");
}

/// A key of another stripe than this one.
fn elsewhere(served: &Served, key: &str) -> String {
    let stripe = |key: &str| served.ctx.table.address(0, key.as_bytes()).stripe();
    (0..).map(|n| format!("key:{n}")).find(|other| stripe(other) != stripe(key)).unwrap()
}

#[test]
fn who_looks_at_what_is_on_the_device_waits_for_nobody() {
    let served = serve();
    let mut writer = Peer::new(served.resp);
    writer.send("SET first 1\r\n");
    writer.hears("+OK\r\n");
    let other = elsewhere(&served, "first");
    let before = served.ctx.log.written();
    writer.looks_around();
    served.disk.hold_syncs(true);
    writer.send(&format!("SET {other} v\r\n"));
    while served.ctx.log.written() == before {
        std::thread::sleep(Duration::from_millis(1));
    }
    // Over both workers, the writer's among them.
    let mut readers = [0; 4].map(|_| resp(&served));
    for reader in &mut readers {
        reader.send("GET first\r\n");
        reader.hears("$1\r\n1\r\n");
        reader.send("SETNX first 2\r\n");
        reader.hears(":0\r\n");
    }
    writer.hears_nothing();
    readers[0].send(&format!("GET {other}\r\n"));
    readers[0].hears_nothing();
    served.disk.hold_syncs(false);
    readers[0].hears("$1\r\nv\r\n");
    writer.hears("+OK\r\n");
}

/// Whoever syncs serves nobody: so who comes while that takes long is given to another worker, and the gateway never does.
#[test]
fn who_comes_while_somebody_waits_for_the_disk_is_served() {
    for writer in [resp, http] {
        let served = serve();
        let mut first = Peer::new(served.resp);
        first.send("SET first 1\r\n");
        first.hears("+OK\r\n");
        let before = served.ctx.log.written();
        served.disk.hold_syncs(true);
        let (mut writer, other) = (writer(&served), elsewhere(&served, "first"));
        let json = "Content-Type: application/json\r\nContent-Length: 13\r\n\r\n{\"value\":\"2\"}";
        let by_http = format!("PUT /{other} HTTP/1.1\r\nHost: localhost\r\n{json}");
        writer.send(&if served.is_http(&writer) { by_http } else { format!("SET {other} 2\r\n") });
        while served.ctx.log.written() == before {
            std::thread::sleep(Duration::from_millis(1));
        }
        // What takes long for a worker is known only when it has taken so long.
        std::thread::sleep(Duration::from_millis(50));
        for mut visitor in [0; 4].map(|_| resp(&served)) {
            visitor.send("PING\r\n");
            visitor.hears("+PONG\r\n");
            visitor.send("GET first\r\n");
            visitor.hears("$1\r\n1\r\n");
        }
        let mut probe = http(&served);
        probe.send("GET /-/health HTTP/1.1\r\nHost: localhost\r\n\r\n");
        probe.hears("200 OK");
        writer.hears_nothing();
        served.disk.hold_syncs(false);
        writer.hears("OK");
    }
}

#[test]
fn a_transaction_shows_nothing_that_is_not_on_the_device() {
    let queued = ("MULTI\r\nGET k\r\n", "+QUEUED\r\n");
    check(resp, queued, "SET k v\r\n", "+OK\r\n", "EXEC\r\n", "*1\r\n$1\r\nv\r\n");
}

#[test]
fn a_blocked_pop_is_not_woken_by_what_is_not_on_the_device() {
    let asleep = ("BLPOP l 0\r\n", "");
    check(resp, asleep, "RPUSH l x\r\n", ":1\r\n", "", "*2\r\n$1\r\nl\r\n$1\r\nx\r\n");
}

#[test]
fn a_monitor_is_not_told_of_what_is_not_on_the_device() {
    check(resp, ("MONITOR\r\n", "+OK\r\n"), "SET k v\r\n", "+OK\r\n", "", "\"SET\" \"k\" \"v\"");
}

#[test]
fn the_http_gateway_shows_nothing_that_is_not_on_the_device() {
    let look = "GET /-/redis/get/k HTTP/1.1\r\nHost: localhost\r\n\r\n";
    check(http, ("", ""), "SET k v\r\n", "+OK\r\n", look, "\"v\"");
}

#[test]
fn waitaof_comes_back_when_the_write_is_on_the_device() {
    check(
        resp,
        ("PING\r\n", "+PONG\r\n"),
        "SET k v\r\n",
        "+OK\r\n",
        "WAITAOF 1 0 0\r\n",
        "*2\r\n:1\r\n:0\r\n",
    );
}
