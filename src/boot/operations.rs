//! Writes the operation log: a thread that takes what was noted, and a new file when the present one is full.
//!
//! ```text
//! FILE        being written
//! FILE.1 …    older ones, the higher the older
//! ```

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::files::open_or_create;
use crate::exec::Context;
use crate::log::storage::{File, RealStorage, Storage, write_all};

/// How long lines may wait, so that one write takes many.
const MOMENT: Duration = Duration::from_millis(50);
/// Older files that are kept.
const OLDER_FILES: u32 = 4;

/// The thread that writes.
pub(super) struct Writer {
    ctx: Arc<Context>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Starts it if the settings name a file.
    pub(super) fn start(ctx: &Arc<Context>) -> Result<Option<Writer>, String> {
        let config = ctx.settings.load();
        let Some(path) = config.observe.operation_log.clone() else { return Ok(None) };
        let cannot = |error: io::Error| {
            format!(
                "cannot write the operation log {}: {error}. Choose another with --operation-log",
                path.display()
            )
        };
        let mut file = open_or_create(&path).map_err(cannot)?;
        let writer = ctx.clone();
        let log_path = path.clone();
        let write = move || {
            let ctx = writer;
            let mut lines = Vec::new();
            let mut is_failing = false;
            while ctx.operations.take(&mut lines, MOMENT) {
                let limit = ctx.settings.load().observe.operation_log_max_size;
                let result =
                    rotate_if_full(&log_path, &mut file, limit).and_then(|()| write_all(&*file, &lines));
                if let Err(error) = &result
                    && !is_failing
                {
                    tracing::warn!(%error, "the operation log cannot be written; operations are missing in it");
                }
                is_failing = result.is_err();
            }
        };
        let thread =
            std::thread::Builder::new().name("operations".to_owned()).spawn(write).map_err(cannot)?;
        ctx.operations.turn_on();
        Ok(Some(Writer { ctx: ctx.clone(), thread }))
    }

    /// Writes what still waits.
    pub(super) fn end(self) {
        self.ctx.operations.end();
        // A thread that has died has nothing more to write.
        let _ = self.thread.join();
    }
}

fn rotate_if_full(path: &Path, file: &mut Arc<dyn File>, limit: u64) -> io::Result<()> {
    if file.len()? < limit {
        return Ok(());
    }
    let numbered = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    for number in (1..OLDER_FILES).rev() {
        if RealStorage.exists(&numbered(number))? {
            RealStorage.rename(&numbered(number), &numbered(number + 1))?;
        }
    }
    RealStorage.rename(path, &numbered(1))?;
    *file = RealStorage.create(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_becomes_an_older_one_and_the_oldest_goes() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("operations.log");
        let mut file = open_or_create(&path).unwrap();
        for round in 0..8 {
            rotate_if_full(&path, &mut file, 5).unwrap();
            write_all(&*file, format!("round{round}").as_bytes()).unwrap();
        }
        let names = RealStorage.list(home.path()).unwrap();
        let expected = ["", ".1", ".2", ".3", ".4"].map(|suffix| format!("operations.log{suffix}"));
        assert_eq!(names, expected);
        let text =
            |name: &str| String::from_utf8(RealStorage.read_all(&home.path().join(name)).unwrap()).unwrap();
        assert_eq!(
            [text("operations.log"), text("operations.log.1"), text("operations.log.4")],
            ["round7", "round6", "round3"]
        );
        // A file that is there already is gone on with.
        let again = open_or_create(&path).unwrap();
        write_all(&*again, b"+").unwrap();
        assert_eq!(text("operations.log"), "round7+");
    }
}
