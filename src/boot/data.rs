//! Loading: the directory's lock, the log's base and increments, or a `dump.rdb` where there is no log yet.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::{Failure, Report, lanes};
use crate::cli::{EXIT_CANNOT_CREATE, EXIT_CORRUPT_DATA, EXIT_IO, EXIT_LOCKED};
use crate::clients::{Arrival, Client};
use crate::config::{AppendFsync, Config};
use crate::exec::{Context, Session, replay};
use crate::log::json::{JsonError, JsonKind, read_object, skip_mark};
use crate::log::rdb::{Decoder, Header, Item};
use crate::log::storage::Storage;
use crate::log::{
    self, BaseKind, Command, DirectoryLock, Fsync, KeepHistory, Log, LogOptions, Names, OpenError,
};
use crate::resp::request::OwnedRequest;
use crate::server::snapshot;
use crate::table::Expiry;
use crate::value::{Text, Value};

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
    let log = Log::off(storage.clone(), lock, names(config), options);
    log.set_keep_history(keep_history(config));
    log.set_no_sync_on_rewrite(persistence.no_appendfsync_on_rewrite);
    log
}

/// The log's form of `aof-keep-history`.
pub(super) fn keep_history(config: &Config) -> KeepHistory {
    let bounds = config.persistence.aof_keep_history;
    KeepHistory { seconds: bounds.seconds, bytes: bounds.bytes }
}

pub(super) fn names(config: &Config) -> Names {
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
        } else {
            load_json(ctx, storage, &config)?;
        }
    }
    Ok(Report { keys: keys(ctx), took: ctx.clock.elapsed() - began })
}

/// Keys in all databases.
pub(super) fn keys(ctx: &Context) -> u64 {
    (0..ctx.table.databases()).map(|db| ctx.table.len(db) as u64).sum()
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
    if !config.persistence.aof_load_truncated {
        opened.refuse_torn();
    }
    ctx.loading.total.store(opened.size(), Relaxed);
    let dump = dump_path(config);
    if opened.fresh && storage.exists(&dump).map_err(|error| unreadable(&dump, &error))? {
        tracing::info!(file = %dump.display(), "there is no log yet: loading the snapshot");
        load_dump(ctx, storage, &dump)?;
        begin_with_table(ctx, &mut opened)?;
    } else if opened.fresh && load_json(ctx, storage, config)? {
        begin_with_table(ctx, &mut opened)?;
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

/// Makes what is in the table the first base of a log.
fn begin_with_table(ctx: &Context, opened: &mut log::Opened) -> Result<(), Failure> {
    let fill = |writer: &mut _| snapshot::write_entries(&ctx.table, ctx.clock.unix_ms(), writer);
    opened.set_first_base(&header(ctx), fill).map_err(open_failure)
}

/// Loads the file of `json-save`, where there is one; whether there was.
fn load_json(ctx: &Context, storage: &Arc<dyn Storage>, config: &Config) -> Result<bool, Failure> {
    let Some((file, _)) = config.persistence.json_save.plan() else { return Ok(false) };
    let path = config.persistence.dir.join(file);
    if !storage.exists(&path).map_err(|error| unreadable(&path, &error))? {
        return Ok(false);
    }
    tracing::info!(file = %path.display(), "there is neither a log nor a snapshot: loading the JSON save");
    ctx.loading.total.store(storage.len(&path).unwrap_or(0), Relaxed);
    let source = storage.open_read(&path).map_err(|error| unreadable(&path, &error))?;
    let mut source = std::io::BufReader::new(source);
    skip_mark(&mut source).map_err(|error| unreadable(&path, &error))?;
    let mut as_text = 0u64;
    let outcome = read_object(source, |key, text, kind| {
        as_text += u64::from(kind != JsonKind::String);
        let key = key.as_bytes();
        ctx.table.write(ctx.table.address(0, key), key, 0, |slot| {
            slot.put(Value::from(Text::new(text)), Expiry::Clear);
        });
        Ok::<(), ()>(())
    });
    outcome.map_err(|error| match error {
        JsonError::Io(error) => unreadable(&path, &error),
        JsonError::Malformed(why) => damaged(&path, &why),
        JsonError::Stopped(()) => damaged(&path, "it could not be read to its end"),
    })?;
    if as_text > 0 {
        tracing::warn!(
            values = as_text,
            "values of the JSON save that are no strings were loaded as their text"
        );
    }
    Ok(true)
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
    let mut progress = Progress::new(ctx);
    if let Some(base) = opened.base.clone() {
        let bytes = storage.read_all(&base.path).map_err(|error| unreadable(&base.path, &error))?;
        load_base(ctx, &base.path, base.kind, &bytes, &mut progress)?;
        progress.file_done(base.len);
    }
    for index in 0..opened.increments() {
        let bytes = opened.read_increment(index).map_err(open_failure)?;
        let (summary, refused) = run_units(ctx, opened.reader(&bytes), &mut progress);
        let goes_on = opened.conclude(index, &bytes, &summary).map_err(open_failure)?;
        if let Some((seq, why)) = refused {
            return Err(Failure::new(
                EXIT_CORRUPT_DATA,
                format!(
                    "the log's record {seq} cannot be carried out: {why}. Nothing was changed on the disk"
                ),
            ));
        }
        progress.file_done(bytes.len() as u64);
        if !goes_on {
            break;
        }
    }
    Ok(())
}

/// Carries out all units that a reader gives; how the file ended, and the first record that could not be carried out.
pub(super) fn run_units(
    ctx: &Context,
    mut reader: log::Reader<'_>,
    progress: &mut Progress<'_>,
) -> (log::Summary, Option<(log::Seq, String)>) {
    let mut replayer = Replayer::new(ctx);
    lanes::over(ctx, |lanes| {
        while let Some(batch) = reader.next_batch() {
            for unit in batch.units() {
                for command in unit.commands() {
                    let alone = || replayer.run(&command);
                    lanes.command(unit.seq, command.db as usize, command.args, alone);
                }
            }
            progress.within_file(reader.offset());
        }
        reader.finish()
    })
}

/// Carries out commands behind a base's RDB part, or a base that is all commands.
fn run_commands(ctx: &Context, bytes: &[u8], path: &Path) -> Result<(), Failure> {
    let reader = log::Reader::new(bytes, None);
    let (summary, refused) = run_units(ctx, reader, &mut Progress::new(ctx));
    if summary.verdict != log::Verdict::Clean {
        return Err(damaged(path, &format!("{:?}", summary.verdict)));
    }
    refused.map_or(Ok(()), |(_, why)| Err(damaged(path, &why)))
}

/// Loads a base: its entries, and the commands behind them or in their place.
pub(super) fn load_base(
    ctx: &Context,
    path: &Path,
    kind: BaseKind,
    bytes: &[u8],
    progress: &mut Progress<'_>,
) -> Result<(), Failure> {
    let tail = match kind {
        BaseKind::Rdb => load_rdb(ctx, bytes, path, progress)?,
        BaseKind::Commands => 0,
    };
    run_commands(ctx, &bytes[tail..], path)
}

/// Reads an RDB file to its end and keeps nothing of it.
pub(super) fn verify_rdb(bytes: &[u8]) -> Result<(), String> {
    let mut decoder = Decoder::new(bytes).map_err(|error| error.to_string())?;
    while decoder.next().map_err(|error| error.to_string())?.is_some() {}
    Ok(())
}

/// Runs records on the table.
pub(super) struct Replayer<'c> {
    ctx: &'c Context,
    session: Session,
    request: OwnedRequest,
    out: Vec<u8>,
}

impl<'c> Replayer<'c> {
    pub(super) fn new(ctx: &'c Context) -> Self {
        let client = Arc::new(Client::new(0, Arrival::default()));
        Replayer {
            ctx,
            session: Session::new(client, true),
            request: OwnedRequest::default(),
            out: Vec::new(),
        }
    }

    /// Runs all units of a batch; the number of the first that could not be run, and why.
    pub(super) fn run_batch(&mut self, batch: &log::Batch<'_>) -> Result<(), (log::Seq, String)> {
        let mut refused = None;
        for unit in batch.units() {
            for command in unit.commands() {
                if let Err(why) = self.run(&command) {
                    refused.get_or_insert((unit.seq, why));
                }
            }
        }
        refused.map_or(Ok(()), Err)
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
}

/// How far loading is: for INFO and, when it takes long, for whoever looks at the log.
pub(super) struct Progress<'c> {
    ctx: &'c Context,
    files_done: u64,
    told: Duration,
}

/// Time between two lines.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

impl<'c> Progress<'c> {
    pub(super) fn new(ctx: &'c Context) -> Self {
        Progress { ctx, files_done: ctx.loading.done.load(Relaxed), told: ctx.clock.elapsed() }
    }

    fn within_file(&mut self, offset: u64) {
        let done = self.files_done + offset;
        self.ctx.loading.done.store(done, Relaxed);
        let now = self.ctx.clock.elapsed();
        if now.saturating_sub(self.told) >= PROGRESS_EVERY {
            self.told = now;
            let total = self.ctx.loading.total.load(Relaxed).max(done);
            let percent = (done * 100).checked_div(total).unwrap_or(100);
            tracing::info!("loading: {percent} % of {} MB", total >> 20);
        }
    }

    fn file_done(&mut self, bytes: u64) {
        self.files_done += bytes;
        self.ctx.loading.done.store(self.files_done, Relaxed);
    }
}

fn load_dump(ctx: &Context, storage: &Arc<dyn Storage>, path: &Path) -> Result<(), Failure> {
    let bytes = storage.read_all(path).map_err(|error| unreadable(path, &error))?;
    ctx.loading.total.store(bytes.len() as u64, Relaxed);
    load_rdb(ctx, &bytes, path, &mut Progress::new(ctx)).map(|_| ())
}

/// Loads an RDB file's entries; where its tail begins.
pub(super) fn load_rdb(
    ctx: &Context,
    bytes: &[u8],
    path: &Path,
    progress: &mut Progress<'_>,
) -> Result<usize, Failure> {
    let mut decoder = Decoder::new(bytes).map_err(|error| damaged(path, &error.to_string()))?;
    let (offset, refused) = lanes::over(ctx, |lanes| {
        let mut db = 0;
        let mut entries = 0u64;
        while let Some(item) = decoder.next_stored().map_err(|error| damaged(path, &error.to_string()))? {
            match item {
                Item::SelectDb(number) => {
                    db = number as usize;
                    if db >= ctx.table.databases() {
                        let why = format!("database {db} does not exist; raise `databases`");
                        return Err(damaged(path, &why));
                    }
                }
                Item::ResizeDb { keys, .. } => {
                    // A damaged file may say anything, but a key takes at least so many bytes of it.
                    let most = (bytes.len() - decoder.offset().min(bytes.len())) / ENTRY_BYTES_MIN;
                    ctx.table.reserve(db, usize::try_from(keys).unwrap_or(usize::MAX).min(most));
                }
                Item::Entry { key, value, expires_unix_ms, idle_s, frequency } => {
                    let expiry = expires_unix_ms.map_or(Expiry::Clear, Expiry::At);
                    lanes.entry(db, lanes::Entry { key, value, expiry, idle_s, frequency });
                    entries += 1;
                    if entries.is_multiple_of(PROGRESS_ENTRIES) {
                        progress.within_file(decoder.offset() as u64);
                    }
                }
                _ => {}
            }
        }
        Ok(decoder.offset())
    });
    match refused {
        Some((_, why)) => Err(damaged(path, &why)),
        None => offset,
    }
}

/// Bytes of the shortest entry: its type, the empty key, the empty value.
const ENTRY_BYTES_MIN: usize = 3;
/// Entries after which it is looked how far loading is.
const PROGRESS_ENTRIES: u64 = 1024;

pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(EXIT_IO, format!("cannot read {}: {error}", path.display()))
}

pub(super) fn damaged(path: &Path, why: &str) -> Failure {
    Failure::new(EXIT_CORRUPT_DATA, format!("{}: {why}. Nothing was changed on the disk", path.display()))
}

fn open_failure(error: OpenError) -> Failure {
    let code = match error {
        OpenError::Io { .. } => EXIT_IO,
        _ => EXIT_CORRUPT_DATA,
    };
    Failure::new(code, error.to_string())
}
