//! Work on a directory that no server is to be started on: check, repair, restore.
//!
//! Nothing in the directory is changed. What a start would load is loaded, into tables of its own, so that "clean" means
//! that the server starts.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use super::data::{self, Replayer};
use super::{Failure, HostFiles, context};
use crate::base::date::format_time;
use crate::cli::offline::{EXIT_CLEAN, EXIT_DAMAGED, EXIT_TORN, Offline, Task};
use crate::cli::{EXIT_CANNOT_CREATE, EXIT_CONFIG, EXIT_IO};
use crate::config::Config;
use crate::exec::Context;
use crate::log::storage::{MemoryStorage, RealStorage, Storage};
use crate::log::{
    BaseKind, Batch, Chain, Condition, CopyError, DirectoryLock, FileReport, LinkKind, Loader, Target,
};

/// Does it; a report for a person, and the exit code.
pub fn run(offline: &Offline) -> Result<(String, u8), Failure> {
    let storage: Arc<dyn Storage> = Arc::new(RealStorage);
    let loaded = offline
        .request
        .load(&HostFiles::new(storage.clone()))
        .map_err(|error| Failure::new(EXIT_CONFIG, error.to_string()))?;
    let mut report = String::new();
    // Nothing that is held is needed but to keep a server from starting meanwhile.
    let _lock = match is_in_use(&storage, &offline.dir) {
        Ok(lock) => lock,
        Err(note) => {
            report.push_str(note);
            None
        }
    };
    let code = match &offline.task {
        Task::Check => check(&storage, &loaded.config, &offline.dir, &mut report)?,
        Task::Copy { to, into } => copy(&storage, &loaded.config, &offline.dir, *to, into, &mut report)?,
    };
    Ok((report, code))
}

/// Takes the lock of a directory that has one, to see whether a server runs there.
fn is_in_use(storage: &Arc<dyn Storage>, dir: &Path) -> Result<Option<DirectoryLock>, &'static str> {
    if !storage.exists(&dir.join("pinstripe.lock")).unwrap_or(false) {
        return Ok(None);
    }
    match DirectoryLock::take(&**storage, dir) {
        Ok(lock) => Ok(Some(lock)),
        Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => {
            Err("note: a server is running here; the end of what it is writing may look unfinished\n")
        }
        // A directory that cannot be written can be read all the same.
        Err(_) => Ok(None),
    }
}

fn find(storage: &Arc<dyn Storage>, config: &Config, dir: &Path) -> Result<Option<Chain>, Failure> {
    Chain::find(storage.clone(), dir, data::names(config))
        .map_err(|error| Failure::new(EXIT_DAMAGED, format!("damaged: {error}")))
}

fn check(
    storage: &Arc<dyn Storage>,
    config: &Config,
    dir: &Path,
    report: &mut String,
) -> Result<u8, Failure> {
    if !storage.exists(dir).unwrap_or(false) {
        return Err(Failure::new(EXIT_DAMAGED, format!("there is no directory {}", dir.display())));
    }
    let memory: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let lock = data::lock(&memory, config)?;
    let (ctx, _orders) = context(config.clone(), None, &memory, lock)?;
    let mut tables = Tables { ctx: &ctx, replayer: Replayer::new(&ctx) };
    let chain = find(storage, config, dir)?;
    let mut worst = EXIT_CLEAN;
    let mut end = String::new();
    let snapshot = dir.join(&config.persistence.dbfilename);
    let found = storage.exists(&snapshot).unwrap_or(false);
    if let Some(chain) = &chain {
        for file in chain.check(&mut tables) {
            let code = match file.condition {
                Condition::Clean => EXIT_CLEAN,
                Condition::Torn { .. } => EXIT_TORN,
                Condition::Damaged { .. } => EXIT_DAMAGED,
            };
            worst = worst.max(code);
            tell(&file, report);
            if let Some((_, last)) = file.seqs {
                end = format!(" up to sequence number {last}");
            }
        }
    }
    if found {
        let read = storage.read_all(&snapshot).map_err(|error| error.to_string());
        let is_data = chain.is_none();
        let verified = read.and_then(|bytes| match is_data {
            true => tables.base(&snapshot, BaseKind::Rdb, &bytes).map(|()| bytes.len()),
            false => data::verify_rdb(&bytes).map(|()| bytes.len()),
        });
        let _ = match verified {
            Ok(len) => writeln!(report, "{}: snapshot, {len} bytes: clean", config.persistence.dbfilename),
            Err(why) => {
                worst = EXIT_DAMAGED;
                writeln!(report, "{}: snapshot: DAMAGED: {why}", config.persistence.dbfilename)
            }
        };
    }
    let keys = tables.keys();
    let _ = match worst {
        EXIT_CLEAN if chain.is_none() && !found => writeln!(report, "verdict: clean: there is no data"),
        EXIT_CLEAN => writeln!(report, "verdict: clean: {keys} keys{end}"),
        EXIT_TORN => writeln!(
            report,
            "verdict: an unfinished end, as a crash leaves it. A start keeps it aside and goes on with {keys} keys{end}"
        ),
        _ => writeln!(report, "verdict: DAMAGED{}", way_out(chain.as_ref())),
    };
    Ok(worst)
}

/// What can be done about damage.
fn way_out(chain: Option<&Chain>) -> String {
    match chain.map(Chain::can_be_copied) {
        None => ". There is no log that `pinstripe repair` could copy from".to_owned(),
        Some(Ok(())) => ". `pinstripe repair` copies what is good into a new directory".to_owned(),
        Some(Err(why)) => format!(", and `pinstripe repair` cannot help: {why}"),
    }
}

/// One line for a file.
fn tell(file: &FileReport, report: &mut String) {
    let kind = match (file.link.kind, file.link.is_history) {
        (LinkKind::Base, false) => "base",
        (LinkKind::Increment, false) => "increment",
        (LinkKind::Base, true) => "base of the history",
        (LinkKind::Increment, true) => "increment of the history",
    };
    let _ = write!(report, "{}: {kind}, {} bytes", file.link.name, file.len);
    match file.seqs {
        Some((first, last)) if file.link.kind == LinkKind::Increment && last > first => {
            let _ = write!(report, ", sequence {} to {last}", first + 1);
        }
        Some((_, last)) => {
            let _ = write!(report, ", sequence {last}");
        }
        None => {}
    }
    let _ = write!(report, ", {} records", file.records);
    if let Some((first, last)) = file.times {
        let _ = write!(report, ", {} to {}", format_time(first), format_time(last));
    }
    if let Some(keys) = file.keys {
        let _ = write!(report, ", {keys} keys after it");
    }
    let _ = match &file.condition {
        Condition::Clean => writeln!(report, ": clean"),
        Condition::Torn { offset, reason } => {
            let len = file.len.saturating_sub(*offset);
            writeln!(report, ": torn: {len} bytes from byte {offset} on were never finished: {reason}")
        }
        Condition::Damaged { offset: Some(offset), reason } => {
            writeln!(report, ": DAMAGED at byte {offset}: {reason}")
        }
        Condition::Damaged { offset: None, reason } => writeln!(report, ": DAMAGED: {reason}"),
    };
}

fn copy(
    storage: &Arc<dyn Storage>,
    config: &Config,
    dir: &Path,
    target: Target,
    into: &Path,
    report: &mut String,
) -> Result<u8, Failure> {
    let Some(chain) = find(storage, config, dir)? else {
        return Err(Failure::new(EXIT_DAMAGED, format!("there is no log in {}", dir.display())));
    };
    let copied = chain.copy(target, into).map_err(|error| {
        let code = match &error {
            CopyError::Unreachable(_) => EXIT_DAMAGED,
            CopyError::Io { doing: "read" | "look for" | "list", .. } => EXIT_IO,
            CopyError::Io { .. } => EXIT_CANNOT_CREATE,
        };
        Failure::new(code, error.to_string())
    })?;
    let base = copied.base.as_deref().unwrap_or("nothing");
    let _ = writeln!(
        report,
        "copied: {base} (sequence number {}) and {} records, up to sequence number {}",
        copied.from,
        copied.to - copied.from,
        copied.to
    );
    for line in &copied.left_out {
        let _ = writeln!(report, "left out: {line}");
    }
    if copied.left_out.is_empty() {
        let _ = writeln!(report, "left out: nothing");
    }
    let _ = writeln!(report, "{}:", into.display());
    check(storage, config, into, report)
}

/// The tables that a check loads into.
struct Tables<'c> {
    ctx: &'c Context,
    replayer: Replayer<'c>,
}

impl Loader for Tables<'_> {
    fn base(&mut self, path: &Path, kind: BaseKind, bytes: &[u8]) -> Result<(), String> {
        data::load_base(self.ctx, path, kind, bytes, &mut data::Progress::new(self.ctx))
            .map_err(|failure| failure.line)
    }

    fn batch(&mut self, batch: &Batch<'_>) -> Result<(), String> {
        self.replayer
            .run_batch(batch)
            .map_err(|(seq, why)| format!("record {seq} cannot be carried out: {why}"))
    }

    fn keys(&self) -> u64 {
        data::keys(self.ctx)
    }
}
