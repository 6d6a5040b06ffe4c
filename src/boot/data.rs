//! Loading: the directory's lock, the log's base and increments, or a `dump.rdb` where there is no log yet.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::{Failure, Report};
use crate::cli::{EXIT_CANNOT_CREATE, EXIT_CORRUPT_DATA, EXIT_IO, EXIT_LOCKED};
use crate::clients::{Arrival, Client};
use crate::config::{AppendFsync, Config};
use crate::exec::{Context, Session, limits, replay};
use crate::log::rdb::{Decoder, Header, Item};
use crate::log::storage::Storage;
use crate::log::{self, BaseKind, Command, DirectoryLock, Fsync, Log, LogOptions, Names, OpenError};
use crate::resp::request::OwnedRequest;
use crate::server::snapshot;
use crate::table::Expiry;

/// Proof that the directory is ours.
pub(super) type Lock = Arc<DirectoryLock>;

/// Takes the directory for this server. Nothing in it is touched before.
pub(super) fn lock(storage: &Arc<dyn Storage>, config: &Config) -> Result<Lock, Failure> {
    let dir = &config.persistence.dir;
    match DirectoryLock::take(&**storage, dir) {
        Ok(lock) => Ok(Arc::new(lock)),
        Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => Err(Failure::new(
            EXIT_LOCKED,
            format!(
                "{} is in use by another server. Stop it, or choose another directory with --dir",
                dir.display()
            ),
        )),
        Err(error) => Err(Failure::new(
            EXIT_CANNOT_CREATE,
            format!(
                "cannot write in {}: {error}. Make it writable, or choose another with --dir",
                dir.display()
            ),
        )),
    }
}

/// The log, off until the data is loaded.
pub(super) fn log(storage: &Arc<dyn Storage>, config: &Config, lock: Lock) -> Arc<Log> {
    let persistence = &config.persistence;
    let options =
        LogOptions { fsync: fsync(persistence.appendfsync), timestamps: persistence.aof_timestamp_enabled };
    Log::off(storage.clone(), lock, names(config), options)
}

fn names(config: &Config) -> Names {
    Names {
        directory: config.persistence.appenddirname.clone(),
        file: config.persistence.appendfilename.clone(),
    }
}

/// The log's name for the setting.
pub(super) fn fsync(setting: AppendFsync) -> Fsync {
    match setting {
        AppendFsync::Always => Fsync::Always,
        AppendFsync::Everysec => Fsync::EverySecond,
        AppendFsync::No => Fsync::Never,
    }
}

/// Loads what the directory holds, and turns the log on if there is to be one.
pub(super) fn load(ctx: &Context, storage: &Arc<dyn Storage>) -> Result<Report, Failure> {
    let began = ctx.clock.elapsed();
    ctx.loading.since.store(ctx.clock.unix_ms() / 1000, Relaxed);
    let config = Arc::clone(&ctx.settings.load());
    if config.persistence.appendonly {
        load_log(ctx, storage, &config)?;
    } else {
        let dump = dump_path(&config);
        if storage.exists(&dump).map_err(|error| unreadable(&dump, &error))? {
            load_dump(ctx, storage, &dump)?;
        }
    }
    let keys = (0..ctx.table.databases()).map(|db| ctx.table.len(db) as u64).sum();
    Ok(Report { keys, took: ctx.clock.elapsed() - began })
}

/// Loads the data into an empty table while the server runs: DEBUG RELOAD and LOADAOF.
pub(super) fn reload(ctx: &Context, storage: &Arc<dyn Storage>, from_log: bool) -> Result<(), String> {
    let config = Arc::clone(&ctx.settings.load());
    let result = if from_log {
        ctx.log
            .open_again()
            .map_err(open_failure)
            .and_then(|mut opened| replay_log(ctx, storage, &mut opened))
    } else {
        load_dump(ctx, storage, &dump_path(&config))
    };
    result.map_err(|failure| failure.line)
}

fn dump_path(config: &Config) -> PathBuf {
    config.persistence.dir.join(&config.persistence.dbfilename)
}

fn load_log(ctx: &Context, storage: &Arc<dyn Storage>, config: &Config) -> Result<(), Failure> {
    let mut opened = ctx.log.open_again().map_err(open_failure)?;
    ctx.loading.total.store(opened.size(), Relaxed);
    let dump = dump_path(config);
    if opened.fresh && storage.exists(&dump).map_err(|error| unreadable(&dump, &error))? {
        tracing::info!(file = %dump.display(), "there is no log yet: loading the snapshot");
        load_dump(ctx, storage, &dump)?;
        let header = header(ctx);
        opened
            .set_first_base(&header, |writer| {
                snapshot::write_entries(&ctx.table, ctx.clock.unix_ms(), writer)
            })
            .map_err(open_failure)?;
    } else {
        replay_log(ctx, storage, &mut opened)?;
    }
    for cut in &opened.recovery().cuts {
        tracing::warn!(
            file = %cut.path.display(), offset = cut.offset, bytes = cut.len, kept = %cut.kept_as.display(),
            reason = cut.reason, "the log's end was never finished, as a crash leaves it; it was cut off and kept aside"
        );
    }
    opened.attach(&ctx.log, &header(ctx)).map_err(open_failure)?;
    ctx.log
        .spawn_sync_thread()
        .map_err(|error| Failure::new(EXIT_IO, format!("no thread to sync the log: {error}")))
}

fn header(ctx: &Context) -> Header<'static> {
    Header {
        redis_version: crate::base::version::REDIS_VERSION,
        created_unix_s: ctx.clock.unix_ms() / 1000,
        used_memory: ctx.table.bytes() as u64,
        aof_base: true,
        seq: Some(0),
    }
}

fn replay_log(ctx: &Context, storage: &Arc<dyn Storage>, opened: &mut log::Opened) -> Result<(), Failure> {
    let mut replayer = Replayer::new(ctx);
    if let Some(base) = opened.base.clone() {
        let bytes = storage.read_all(&base.path).map_err(|error| unreadable(&base.path, &error))?;
        let tail = match base.kind {
            BaseKind::Rdb => load_rdb(ctx, &bytes, &base.path)?,
            BaseKind::Commands => 0,
        };
        replayer.run_commands(&bytes[tail..], &base.path)?;
        ctx.loading.done.store(base.len, Relaxed);
    }
    let mut refused = None;
    opened
        .replay(|batch| {
            for unit in batch.units() {
                for command in unit.commands() {
                    if let Err(why) = replayer.run(&command) {
                        refused.get_or_insert((unit.seq, why));
                    }
                }
            }
        })
        .map_err(open_failure)?;
    match refused {
        None => Ok(()),
        Some((seq, why)) => Err(Failure::new(
            EXIT_CORRUPT_DATA,
            format!("the log's record {seq} cannot be carried out: {why}. Nothing was changed on the disk"),
        )),
    }
}

/// Runs records on the table.
struct Replayer<'c> {
    ctx: &'c Context,
    session: Session,
    request: OwnedRequest,
    out: Vec<u8>,
}

impl<'c> Replayer<'c> {
    fn new(ctx: &'c Context) -> Self {
        let client = Arc::new(Client::new(0, Arrival::default()));
        Replayer {
            ctx,
            session: Session::new(client, true),
            request: OwnedRequest::default(),
            out: Vec::new(),
        }
    }

    fn run(&mut self, command: &Command<'_, '_>) -> Result<(), String> {
        let db = command.db as usize;
        if db >= self.ctx.table.databases() {
            return Err(format!("database {db} does not exist; raise `databases`"));
        }
        self.session.db = db;
        self.request.refill(command.args);
        replay::apply(self.ctx, &mut self.session, &self.request.as_request(), &mut self.out)
            .map_err(|refusal| refusal.text().into_owned())
    }

    /// Commands behind a base's RDB part, or a base that is all commands.
    fn run_commands(&mut self, bytes: &[u8], path: &Path) -> Result<(), Failure> {
        let mut reader = log::Reader::new(bytes, None);
        let mut refused = None;
        while let Some(batch) = reader.next_batch() {
            for command in batch.units().flat_map(|unit| unit.commands()) {
                if let Err(why) = self.run(&command) {
                    refused.get_or_insert(why);
                }
            }
        }
        let verdict = reader.finish().verdict;
        if verdict != log::Verdict::Clean {
            return Err(damaged(path, &format!("{verdict:?}")));
        }
        refused.map_or(Ok(()), |why| Err(damaged(path, &why)))
    }
}

fn load_dump(ctx: &Context, storage: &Arc<dyn Storage>, path: &Path) -> Result<(), Failure> {
    let bytes = storage.read_all(path).map_err(|error| unreadable(path, &error))?;
    ctx.loading.total.store(bytes.len() as u64, Relaxed);
    load_rdb(ctx, &bytes, path).map(|_| ())
}

/// Loads an RDB file's entries; where its tail begins.
fn load_rdb(ctx: &Context, bytes: &[u8], path: &Path) -> Result<usize, Failure> {
    let decoder = Decoder::new(bytes).map_err(|error| damaged(path, &error.to_string()))?;
    let mut decoder = decoder.with_limits(limits::of(&ctx.settings.load()));
    let mut db = 0;
    while let Some(item) = decoder.next().map_err(|error| damaged(path, &error.to_string()))? {
        match item {
            Item::SelectDb(number) => {
                db = number as usize;
                if db >= ctx.table.databases() {
                    return Err(damaged(path, &format!("database {db} does not exist; raise `databases`")));
                }
            }
            Item::Entry { key, value, expires_unix_ms, idle_s, frequency } => {
                let expiry = expires_unix_ms.map_or(Expiry::Clear, Expiry::At);
                ctx.table.with_slot(ctx.table.address(db, &key), &key, 0, |slot| {
                    slot.put(value, expiry);
                    slot.set_use(idle_s, frequency);
                });
                ctx.loading.done.store(decoder.offset() as u64, Relaxed);
            }
            Item::Aux { .. } | Item::ResizeDb { .. } => {}
            _ => {}
        }
    }
    Ok(decoder.offset())
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(EXIT_IO, format!("cannot read {}: {error}", path.display()))
}

fn damaged(path: &Path, why: &str) -> Failure {
    Failure::new(EXIT_CORRUPT_DATA, format!("{}: {why}. Nothing was changed on the disk", path.display()))
}

fn open_failure(error: OpenError) -> Failure {
    let code = match error {
        OpenError::Io { .. } => EXIT_IO,
        _ => EXIT_CORRUPT_DATA,
    };
    Failure::new(code, error.to_string())
}
