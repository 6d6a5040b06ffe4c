//! From settings to a running server, and back down again.
//!
//! The order matters: addresses are bound and the directory is locked before anything is touched, so that a second
//! server started by mistake ends with one clear line; connections are accepted before the data is loaded, and told so.

mod data;
#[cfg(test)]
mod durable_tests;
mod fail_stop;
mod files;
pub mod foreign;
#[cfg(test)]
mod full_disk_tests;
mod lanes;
pub mod offline;
mod operations;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::base::clock::Clock;
use crate::base::hash::Seed;
use crate::base::huge_pages::HugePages;
use crate::base::random::Random;
use crate::cli::{
    self, EXIT_ADDRESS_IN_USE, EXIT_CANNOT_CREATE, EXIT_CONFIG, EXIT_INTERNAL, EXIT_IO, EXIT_OK,
};
use crate::clients::Clients;
use crate::command;
use crate::config::{BindAddress, Changed, Config, MaxmemoryPolicy, Settings};
use crate::exec;
use crate::exec::context::{ApplySettings, Context, Identity, Loading, Saves};
use crate::exec::evict::Evictor;
use crate::exec::freer::Freer;
use crate::exec::mailbox::{Mailbox, Order};
use crate::exec::registry::Registry;
use crate::exec::replicas::{Feed, Replicas};
use crate::exec::room::Room;
use crate::exec::turn::Turns;
use crate::gateway;
use crate::log::storage::{RealStorage, Storage};
use crate::logging::{self, BannerInfo, LogHandle};
use crate::observe::latency::Latency;
use crate::observe::operations::Operations;
use crate::observe::process;
use crate::observe::slowlog::Slowlog;
use crate::observe::stats::Stats;
use crate::script::Scripts;
use crate::server::Running;
use crate::server::deputy;
use crate::server::listener::{self, Listeners};
use crate::server::snapshot::Jobs;
use crate::server::steward::{self, End, Steward};
use crate::table::Table;
use crate::tracking::Tracking;

pub use files::HostFiles;

/// Why the server did not start, or did not end well: one line for a person, and the exit code.
#[derive(Debug)]
pub struct Failure {
    /// What went wrong, and what to do about it.
    pub line: String,
    /// One of `cli::EXIT_…`.
    pub code: u8,
}

impl Failure {
    /// A failure with this exit code and line.
    pub fn new(code: u8, line: impl Into<String>) -> Self {
        Failure { line: line.into(), code }
    }
}

/// Runs the server until it is told to end; the exit code.
pub fn run(request: &cli::Request) -> Result<u8, Failure> {
    // First of all, since every page touched before is a huge one.
    let pages = huge_pages();
    let storage: Arc<dyn Storage> = Arc::new(RealStorage);
    let loaded = request
        .load(&HostFiles::new(storage.clone()))
        .map_err(|error| Failure::new(EXIT_CONFIG, error.to_string()))?;
    let mut config = loaded.config;
    config.persistence.dir = absolute(&config.persistence.dir);
    let output = files::log_output(config.observe.logfile.as_deref())
        .map_err(|error| Failure::new(EXIT_CANNOT_CREATE, error))?;
    let logging = logging::start(config.observe.log_format, config.observe.loglevel, output)
        .map_err(|_| Failure::new(EXIT_INTERNAL, "logging was started twice"))?;
    fail_stop::install();
    report_without_effect(&config);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(EXIT_INTERNAL, format!("no runtime: {error}")))?;
    let listeners = bind(&config)?;
    let http = bind_http(&config)?;
    if listeners.tcp.is_empty() && listeners.unix.is_none() && http.is_empty() {
        return Err(Failure::new(
            EXIT_CONFIG,
            "nothing to listen on: set --port, --unixsocket or --http-port",
        ));
    }
    let lock = data::lock(&storage, &config)?;
    let file = loaded.file.map(|file| absolute(&file));
    let (ctx, orders) = context(config, file, &storage, lock)?;
    if let Some(pages) = pages {
        ctx.freer.watch_over(pages);
    }
    let code = runtime.block_on(serve(ctx, orders, listeners, http, storage, logging));
    // The runtime's threads may still be writing a snapshot that nobody needs any more.
    runtime.shutdown_background();
    code
}

fn absolute(path: &std::path::Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

fn report_without_effect(config: &Config) {
    let names = config.without_effect();
    if !names.is_empty() {
        tracing::warn!(directives = names.join(" "), "accepted for compatibility, without effect here");
    }
}

/// Workers, when `io-threads` leaves it to us: one for each core, as far as it pays.
fn workers(config: &Config) -> usize {
    match config.network.io_threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from).min(64),
        set => usize::from(set),
    }
}

fn bind(config: &Config) -> Result<Listeners, Failure> {
    let network = &config.network;
    let mut listeners = Listeners { tcp: bind_tcp(config, &[])?.1, unix: None };
    if let Some(path) = &network.unixsocket {
        let text = path.to_string_lossy().into_owned();
        let mode = Some(network.unixsocketperm.0).filter(|mode| *mode != 0);
        let socket = files::remove_stale_socket(path)
            .and_then(|()| listener::bind_unix(&text, mode, network.tcp_backlog))
            .map_err(|error| bind_failure(&text, &error))?;
        listeners.unix = Some((text, socket));
    }
    Ok(listeners)
}

/// Binds the TCP addresses of the settings that are not bound already: those that were, and the new ones.
fn bind_tcp(
    config: &Config,
    bound: &[SocketAddr],
) -> Result<(Vec<SocketAddr>, Vec<std::net::TcpListener>), Failure> {
    let network = &config.network;
    bind_all("bind", &network.bind, network.port, network.tcp_backlog, bound)
}

/// Binds the addresses of the HTTP gateway; none while it is off.
fn bind_http(config: &Config) -> Result<Vec<std::net::TcpListener>, Failure> {
    let network = &config.network;
    Ok(bind_all("http-bind", &network.http_bind, network.http_port, network.tcp_backlog, &[])?.1)
}

/// Binds these addresses at a port, none at port 0; `directive` is what names them.
fn bind_all(
    directive: &str,
    addresses: &[BindAddress],
    port: u16,
    backlog: i32,
    bound: &[SocketAddr],
) -> Result<(Vec<SocketAddr>, Vec<std::net::TcpListener>), Failure> {
    let (mut kept, mut sockets) = (Vec::new(), Vec::new());
    if port == 0 {
        return Ok((kept, sockets));
    }
    for address in addresses {
        let attempt = resolve(address.host(), port).and_then(|place| {
            if bound.contains(&place) {
                kept.push(place);
                return Ok(());
            }
            let socket = listener::bind_tcp(place, backlog).map_err(|e| (place.to_string(), e))?;
            sockets.push(socket);
            Ok(())
        });
        match attempt {
            Ok(()) => {}
            Err((place, error)) if address.is_optional() => {
                tracing::debug!(place, %error, "an optional address could not be bound");
            }
            Err((place, error)) => return Err(bind_failure(&place, &error)),
        }
    }
    if kept.is_empty() && sockets.is_empty() {
        let line = format!("none of the addresses of `{directive}` can be bound");
        return Err(Failure::new(EXIT_ADDRESS_IN_USE, line));
    }
    Ok((kept, sockets))
}

fn resolve(host: &str, port: u16) -> Result<SocketAddr, (String, std::io::Error)> {
    let host = match host {
        "*" => "0.0.0.0",
        "::*" => "::",
        other => other,
    };
    use std::net::ToSocketAddrs;
    let found = (host, port).to_socket_addrs().map_err(|error| (host.to_owned(), error))?.next();
    found.ok_or_else(|| (host.to_owned(), std::io::Error::from(std::io::ErrorKind::NotFound)))
}

fn bind_failure(place: &str, error: &std::io::Error) -> Failure {
    if error.kind() == std::io::ErrorKind::AddrInUse {
        return Failure::new(
            EXIT_ADDRESS_IN_USE,
            format!("{place} is in use: another server runs there. Stop it, or choose another with --port"),
        );
    }
    Failure::new(EXIT_ADDRESS_IN_USE, format!("cannot listen on {place}: {error}"))
}

/// Takes the allocator's memory over. What the allocator has reserved is what any piece of it lies in.
#[expect(unsafe_code, reason = "that no other thread runs is known here, at the start")]
fn huge_pages() -> Option<HugePages> {
    let piece = Box::new(0u8);
    let reserved = process::mapping_of(std::ptr::from_ref(&*piece).addr())?;
    let pages = process::may_use_huge_pages().then(|| HugePages::over(reserved)).flatten()?;
    if process::is_single_threaded() {
        // SAFETY: so no other thread is running.
        unsafe { pages.give_back_untouched() };
    }
    Some(pages)
}

type Orders = tokio::sync::mpsc::UnboundedReceiver<Order>;

fn context(
    config: Config,
    file: Option<PathBuf>,
    storage: &Arc<dyn Storage>,
    lock: data::Lock,
) -> Result<(Arc<Context>, Orders), Failure> {
    let workers = workers(&config);
    let renames: Vec<(String, String)> =
        config.access.rename_commands.iter().map(|rename| (rename.from.clone(), rename.to.clone())).collect();
    let registry =
        Registry::new(command::FAMILIES, &renames).map_err(|why| Failure::new(EXIT_CONFIG, why))?;
    let clock = Clock::real();
    let (mailbox, orders) = Mailbox::new();
    let table = Table::new(config.process.databases as usize, Seed::random());
    apply_access(&table, &config);
    table.access.tick(clock.unix_ms());
    let tracking = Arc::new(Tracking::default());
    exec::tracking::observe(&table, &tracking);
    exec::tracking::set_limits(&tracking, &config);
    let log = data::log(storage, &config, lock);
    let identity = Identity {
        run_id: Random::from_os().hex40(),
        started_at: clock.unix_ms(),
        workers,
        config_file: file.as_ref().map(|file| file.display().to_string()).unwrap_or_default(),
        executable: std::env::current_exe().map(|path| path.display().to_string()).unwrap_or_default(),
    };
    let bounds = Arc::new(ArcSwap::from_pointee(exec::limits::outbox(&config, clock.unix_ms())));
    let replicas = Arc::new(Replicas::new(bounds.clone(), &config.replication, clock.unix_ms()));
    log.set_follower(Box::new(Feed(replicas.clone())));
    let saves = Saves::default();
    saves.last_save.store(clock.unix_ms() / 1000, Ordering::Relaxed);
    saves.last_json.store(clock.unix_ms() / 1000, Ordering::Relaxed);
    saves.last_save_ok.store(true, Ordering::Relaxed);
    saves.last_rewrite_ok.store(true, Ordering::Relaxed);
    saves.last_save_seconds.store(-1, Ordering::Relaxed);
    saves.last_rewrite_seconds.store(-1, Ordering::Relaxed);
    let loading = Loading::default();
    loading.set(true);
    let ctx = Context {
        table,
        log,
        clients: Clients::default(),
        pubsub: Arc::default(),
        scripts: Scripts::new(clock.clone()),
        tracking,
        replicas,
        bounds,
        stats: Stats::new(workers + 2, registry.total()),
        slowlog: Slowlog::default(),
        operations: Operations::default(),
        latency: Latency::default(),
        clock,
        registry,
        // One seat for each worker, then one for the regular tasks and one for the HTTP gateway.
        turns: Turns::new(workers + 2),
        freer: Freer::default(),
        mailbox,
        identity,
        loading,
        saves,
        active_expiry: AtomicBool::new(true),
        cron_paused: AtomicBool::new(false),
        room: Room::new(config.memory.maxmemory),
        evictor: Evictor::default(),
        memory_used: AtomicU64::new(0),
        apply_settings: OnceLock::new(),
        settings: Settings::new(config, file),
    };
    Ok((Arc::new(ctx), orders))
}

fn apply_access(table: &Table, config: &Config) {
    let memory = &config.memory;
    let is_lfu =
        matches!(memory.maxmemory_policy, MaxmemoryPolicy::AllkeysLfu | MaxmemoryPolicy::VolatileLfu);
    table.access.set(is_lfu, memory.lfu_log_factor, memory.lfu_decay_time);
}

async fn serve(
    ctx: Arc<Context>,
    orders: Orders,
    listeners: Listeners,
    http: Vec<std::net::TcpListener>,
    storage: Arc<dyn Storage>,
    logging: LogHandle,
) -> Result<u8, Failure> {
    // A handler of any kind turns the end of the process into an error of the write: the log answers with a new file.
    let _file_too_long =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(libc::SIGXFSZ))
            .map_err(|error| Failure::new(EXIT_INTERNAL, error.to_string()))?;
    let unix_path = listeners.unix.as_ref().map(|(path, _)| path.clone());
    let mut addresses = listeners.addresses();
    let http_addresses = http.iter().filter_map(|socket| socket.local_addr().ok());
    addresses.extend(http_addresses.map(|address| format!("http://{address}")));
    ctx.scripts.set_attendant(deputy::attend);
    let running = Arc::new(
        Running::start(&ctx, listeners).map_err(|error| Failure::new(EXIT_INTERNAL, error.to_string()))?,
    );
    let operations = operations::Writer::start(&ctx).map_err(|why| Failure::new(EXIT_CANNOT_CREATE, why))?;
    if !http.is_empty() {
        gateway::start(&ctx, ctx.identity.workers + 1, http)
            .map_err(|error| Failure::new(EXIT_INTERNAL, format!("no HTTP gateway: {error}")))?;
    }
    let load = {
        let (ctx, storage) = (ctx.clone(), storage.clone());
        // A thread of its own: the runtime goes on accepting, and telling the time.
        let (sender, receiver) = tokio::sync::oneshot::channel();
        std::thread::Builder::new()
            .name("load".to_owned())
            .spawn(move || sender.send(data::load(&ctx, &storage)))
            .map_err(|error| Failure::new(EXIT_INTERNAL, error.to_string()))?;
        receiver
    };
    let mut signals = Signals::new().map_err(|error| Failure::new(EXIT_INTERNAL, error.to_string()))?;
    let report = tokio::select! {
        report = load => report.map_err(|_| Failure::new(EXIT_INTERNAL, "loading ended unexpectedly"))??,
        // Nothing has been acknowledged yet, so nothing can be lost.
        () = signals.ended() => return Ok(EXIT_OK),
    };
    ctx.loading.took_ms.store(report.took.as_millis() as u64, Ordering::Relaxed);
    ctx.loading.keys.store(report.keys, Ordering::Relaxed);
    // What loading does to keys is no news to anybody.
    ctx.table.set_heard(ctx.settings.load().observe.notify_keyspace_events.wants_any());
    exec::outage::provide(&ctx, ctx.identity.workers);
    ctx.loading.set(false);
    let banner = logging::banner(&BannerInfo {
        addresses,
        port: Some(ctx.settings.load().network.port).filter(|port| *port > 0),
        workers: ctx.identity.workers,
        directory: ctx.settings.load().persistence.dir.display().to_string(),
        durability: durability(&ctx.settings.load()),
        keys_loaded: report.keys,
        load_ms: report.took.as_millis() as u64,
    });
    banner.lines().for_each(|line| tracing::info!("{line}"));
    let apply: ApplySettings = {
        let (ctx, running) = (Arc::downgrade(&ctx), running.clone());
        Box::new(move |changed| match ctx.upgrade() {
            Some(ctx) => apply_settings(&ctx, &running, &logging, changed),
            None => Ok(()),
        })
    };
    // Set once: this is the only place.
    let _ = ctx.apply_settings.set(apply);
    let steward = Steward {
        ctx: ctx.clone(),
        jobs: Arc::new(Jobs { ctx: ctx.clone(), storage: storage.clone(), load: data::reload }),
        rewrite_settings: {
            let ctx = ctx.clone();
            Box::new(move || files::rewrite_settings(&ctx.settings, &storage))
        },
    };
    let mailbox_ctx = ctx.clone();
    tokio::spawn(async move {
        loop {
            signals.ended().await;
            let (done, outcome) = tokio::sync::oneshot::channel();
            mailbox_ctx.mailbox.post(Order::Shutdown { save: None, force: false, done });
            // Answered only when it could not be done; another signal tries again.
            let _ = outcome.await;
        }
    });
    let end = steward::run(steward, orders).await;
    running.stop();
    if let Some(operations) = operations {
        operations.end();
    }
    if let Some(path) = unix_path {
        files::remove_socket(&path);
    }
    match end {
        End::Clean => {
            tracing::info!("ended: every acknowledged write is safe");
            Ok(EXIT_OK)
        }
        End::Unsafe(why) => {
            Err(Failure::new(EXIT_IO, format!("ended by force, not everything is safe: {why}")))
        }
    }
}

fn durability(config: &Config) -> String {
    if !config.persistence.appendonly {
        return "no log: data lives in memory only".to_owned();
    }
    config.text_of("appendfsync").unwrap_or_default()
}

/// What a CONFIG SET needs besides the new value being read. What can fail comes first.
fn apply_settings(
    ctx: &Arc<Context>,
    running: &Running,
    logging: &LogHandle,
    changed: &Changed,
) -> Result<(), (&'static str, String)> {
    let config = &changed.now;
    for name in ["port", "bind"].into_iter().filter(|name| changed.has(name)) {
        let (kept, sockets) = bind_tcp(config, &running.addresses()).map_err(|failure| {
            tracing::warn!(why = failure.line, "the new setting was refused");
            let reason = if name == "port" {
                "Unable to listen on this port. Check server logs."
            } else {
                "Failed to bind to specified addresses."
            };
            (name, reason.to_owned())
        })?;
        running.listen(&kept, sockets).map_err(|error| (name, error.to_string()))?;
    }
    if changed.has("appendonly") {
        if config.persistence.appendonly {
            ctx.log.want_on();
            ctx.saves.rewrite_scheduled.store(true, Ordering::Relaxed);
            ctx.mailbox.post(Order::Rewrite { done: None });
        } else {
            ctx.log.turn_off(ctx.clock.unix_ms()).map_err(|fault| ("appendonly", fault.to_string()))?;
        }
    }
    for name in &changed.names {
        match *name {
            "notify-keyspace-events" => {
                ctx.table.set_heard(config.observe.notify_keyspace_events.wants_any());
            }
            "maxmemory" => {
                ctx.room.set_limit(config.memory.maxmemory);
                ctx.measure_memory();
            }
            "loglevel" => logging.set_level(config.observe.loglevel),
            "appendfsync" => ctx.log.set_fsync(data::fsync(config.persistence.appendfsync)),
            "tracking-table-max-keys" => exec::tracking::set_limits(&ctx.tracking, config),
            "no-appendfsync-on-rewrite" => {
                ctx.log.set_no_sync_on_rewrite(config.persistence.no_appendfsync_on_rewrite);
            }
            "aof-timestamp-enabled" => ctx.log.set_timestamps(config.persistence.aof_timestamp_enabled),
            "aof-keep-history" => ctx.log.set_keep_history(data::keep_history(config)),
            "maxmemory-policy" | "lfu-log-factor" | "lfu-decay-time" => apply_access(&ctx.table, config),
            _ => {}
        }
    }
    Ok(())
}

/// SIGTERM and SIGINT.
struct Signals {
    term: tokio::signal::unix::Signal,
    int: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())? })
    }

    async fn ended(&mut self) {
        tokio::select! {
            _ = self.term.recv() => tracing::info!("SIGTERM received"),
            _ = self.int.recv() => tracing::info!("SIGINT received"),
        }
    }
}

/// How long loading took and what it found.
pub struct Report {
    /// Keys in all databases.
    pub keys: u64,
    /// Time from the first byte read.
    pub took: Duration,
}
