//! The log on its way from a command to the operating system, which throws everything away here: what is measured is ours.

use std::io;
use std::path::Path;
use std::sync::Arc;

use pinstripe::log::rdb::Header;
use pinstripe::log::storage::{File, LockGuard, MemoryStorage, Storage};
use pinstripe::log::{DirectoryLock, Fsync, Log, LogOptions, Names, open};

use crate::cases::{BATCH, Case, Named, Staged, key};

pub(crate) const CASES: &[Named] = &[
    Named { name: "log/append a record", operations: BATCH, make: |_| logging(flush, append) },
    Named {
        name: "log/a group of 64, written",
        operations: BATCH,
        make: |_| {
            logging(flush, |state| {
                append(state);
                flush(state);
            })
        },
    },
];

const NOW: i64 = 1_700_000_000_000;

struct Logging {
    log: Arc<Log>,
    records: Vec<Vec<u8>>,
}

#[expect(clippy::expect_used, reason = "a bench without its log has nothing to measure")]
fn logging(prepare: fn(&mut Logging), run: fn(&mut Logging)) -> Box<dyn Case> {
    let storage: Arc<dyn Storage> = Arc::new(Void(MemoryStorage::new()));
    let lock = Arc::new(DirectoryLock::take(&*storage, Path::new("data")).expect("nobody else has it"));
    let options = LogOptions { fsync: Fsync::Never, timestamps: false };
    let header = Header {
        redis_version: "7.0.15",
        created_unix_s: NOW / 1000,
        used_memory: 0,
        aof_base: true,
        seq: Some(0),
    };
    let mut opened = open(storage, lock, Names::default()).expect("an empty directory opens");
    opened.replay(|_| ()).expect("nothing to replay");
    let log = opened.start(options, &header).expect("a new log starts");
    let value = [b'x'; 32];
    let record =
        |n| [b"*3\r\n$3\r\nSET\r\n$16\r\n".as_slice(), &key(n), b"\r\n$32\r\n", &value, b"\r\n"].concat();
    let records = (0..BATCH as usize).map(record).collect();
    Box::new(Staged { state: Logging { log, records }, prepare, run })
}

/// As a write does that is logged as it came.
fn append(state: &mut Logging) {
    for record in &state.records {
        state.log.append(0, |out| out.extend_from_slice(record));
    }
}

#[expect(clippy::expect_used, reason = "what is thrown away cannot fail to be written")]
fn flush(state: &mut Logging) {
    state.log.flush(state.log.appended(), NOW).expect("written");
}

/// A file system of which only the files of a log's start are kept: what is appended is counted and gone.
struct Void(MemoryStorage);

struct Gone(std::sync::atomic::AtomicU64);

impl Storage for Void {
    fn open_append(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(Gone(self.0.len(path)?.into())))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.0.create(path)
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn io::Read + Send>> {
        self.0.open_read(path)
    }

    fn read_all(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.read_all(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.sync_dir(dir)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.0.exists(path)
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        self.0.len(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.0.list(dir)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.0.create_dir_all(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<LockGuard> {
        self.0.lock(path)
    }
}

impl File for Gone {
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.fetch_add(bytes.len() as u64, std::sync::atomic::Ordering::Relaxed);
        Ok(bytes.len())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.0.store(len, std::sync::atomic::Ordering::Relaxed);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.load(std::sync::atomic::Ordering::Relaxed))
    }

    fn is_unlinked(&self) -> io::Result<bool> {
        Ok(false)
    }
}
