//! An append-only log that is not our own: replayed into a table apart, to see what its keys are.
//!
//! Nothing of it is changed, so its directory need not be writable. The end that a crash leaves in the last file is passed
//! over, and told of; any other damage is an error.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::data::{Progress, damaged, load_rdb, run_units, unreadable};
use super::{Failure, context};
use crate::cli::EXIT_INTERNAL;
use crate::config::Config;
use crate::exec::Context;
use crate::log::storage::{MemoryStorage, Storage};
use crate::log::{DirectoryLock, Reader, Verdict};

/// The files of a log, in the order in which they load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignLog {
    /// Snapshot or commands, or a snapshot with commands behind it; then commands.
    pub files: Vec<PathBuf>,
}

/// Replays it. The table is in what comes back; besides, what is to be told to its owner.
///
/// # Errors
/// When a file cannot be read, or holds what cannot be carried out.
pub fn replay(
    log: &ForeignLog,
    storage: &Arc<dyn Storage>,
    config: Config,
    mut read: impl FnMut(u64),
) -> Result<(Arc<Context>, Vec<String>), Failure> {
    let ctx = scratch(config)?;
    let mut remarks = Vec::new();
    let mut expected = None;
    for (index, path) in log.files.iter().enumerate() {
        let bytes = storage.read_all(path).map_err(|error| unreadable(path, &error))?;
        let mut progress = Progress::new(&ctx);
        let begin = match bytes.starts_with(b"REDIS") {
            true => load_rdb(&ctx, &bytes, path, &mut progress)?,
            false => 0,
        };
        let is_last = index + 1 == log.files.len();
        let commands = bytes.get(begin..).unwrap_or_default();
        let reader = Reader::new(commands, expected.filter(|_| begin == 0));
        let (summary, refused) = run_units(&ctx, reader, &mut progress);
        if let Some((_, why)) = refused {
            return Err(damaged(path, &why));
        }
        match summary.verdict {
            Verdict::Clean => {}
            Verdict::Torn { offset, reason } if is_last => {
                remarks.push(torn(path, begin as u64 + offset, reason))
            }
            verdict => return Err(damaged(path, &format!("{verdict:?}"))),
        }
        expected = summary.first.map(|_| summary.last).or(expected);
        read(bytes.len() as u64);
    }
    Ok((ctx, remarks))
}

fn torn(path: &Path, offset: u64, reason: &str) -> String {
    format!(
        "{}: the end from byte {offset} on was never finished, and is left out ({reason})",
        path.display()
    )
}

/// A context without files, sockets or a log.
fn scratch(config: Config) -> Result<Arc<Context>, Failure> {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let lock = DirectoryLock::take(&*storage, Path::new("scratch"))
        .map_err(|error| Failure::new(EXIT_INTERNAL, error.to_string()))?;
    // Nobody gives orders to it.
    context(config, None, &storage, Arc::new(lock)).map(|(ctx, _orders)| ctx)
}
