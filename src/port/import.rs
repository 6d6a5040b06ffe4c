//! `pinstripe import`: into a directory, or into a running server.
//!
//! A directory's log gets one unit a key, in an increment of its own (see `log::annex`): SET for a string, RESTORE for
//! everything else. Both replace what the key held. A server gets RESTORE with REPLACE and ABSTTL, pipelined.

use std::path::Path;
use std::sync::Arc;

use super::link::{Address, Link, Reply};
use super::notes::Notes;
use super::source::{Desk, Source, text_of};
use super::{Entry, Sink};
use crate::base::clock::Clock;
use crate::base::version::REDIS_VERSION;
use crate::boot::Failure;
use crate::cli::{
    EXIT_CANNOT_CREATE, EXIT_CORRUPT_DATA, EXIT_IO, EXIT_LOCKED, EXIT_NO_INPUT, EXIT_UNAVAILABLE, Import,
};
use crate::config::Config;
use crate::log::rdb::{Decoder, Header, Item, RdbWriter, encode_payload};
use crate::log::storage::{RealStorage, Storage};
use crate::log::{self, Annex, DirectoryLock, Names, OpenError, ReplaceFile};
use crate::value::ValueRef;

/// Commands whose replies are not waited for, and their bytes.
const UNANSWERED_MAX: usize = 1024;
const UNANSWERED_BYTES_MAX: usize = 1024 * 1024;

/// Carries out an import and tells of it.
///
/// # Errors
/// What went wrong, and the exit code.
pub fn import(request: &Import) -> Result<(), Failure> {
    let storage: Arc<dyn Storage> = Arc::new(RealStorage);
    let mut config = Config::default();
    config.process.databases = request.databases;
    let source = Source::find(&storage, &request.file, request.format)?;
    match (&request.dir, &request.to) {
        (Some(dir), _) => into_directory(&storage, &config, &source, dir),
        (None, Some(url)) => into_server(&storage, &config, &source, &Address::parse(url)?),
        (None, None) => Err(Failure::new(EXIT_NO_INPUT, "give --dir or --to")),
    }
}

/// Leaves out what has expired, and counts the rest.
fn counted<'a>(
    notes: &'a Notes,
    now: i64,
    each: &'a mut Sink<'_>,
) -> impl FnMut(Entry<'_>) -> Result<(), Failure> + 'a {
    move |entry| {
        if entry.expire_at_ms.is_some_and(|at| at <= now) {
            notes.skip("expired already");
            return Ok(());
        }
        notes.key(entry.value.kind().name());
        each(entry)
    }
}

fn into_directory(
    storage: &Arc<dyn Storage>,
    config: &Config,
    source: &Source,
    dir: &Path,
) -> Result<(), Failure> {
    let lock = lock(storage, dir)?;
    let mut opened = log::open(storage.clone(), lock, Names::default()).map_err(open_failure)?;
    let dump = dir.join(&config.persistence.dbfilename);
    let has_dump = opened.fresh && storage.exists(&dump).map_err(|error| cannot_read(&dump, &error))?;
    let first = if has_dump { Some(read_dump(storage, &dump)?) } else { None };
    let clock = Clock::real();
    let notes = Notes::new(format!("importing {}", source.name()), source.size(storage));
    for cut in &opened.replay(|_| ()).map_err(open_failure)?.cuts {
        let (file, kept) = (cut.path.display(), cut.kept_as.display());
        notes.say(&format!(
            "{file} had an unfinished end, as a crash leaves it; it was cut off and kept as {kept}"
        ));
    }
    let mut annex = opened.annex().map_err(open_failure)?;
    let databases = config.process.databases;
    let mut append = |entry: Entry<'_>| {
        if entry.db >= databases {
            let why =
                format!("database {} does not exist: give --databases, and the server the same", entry.db);
            return Err(Failure::new(EXIT_CORRUPT_DATA, why));
        }
        append(&mut annex, entry)
    };
    let outcome = source
        .visit(&Desk { storage, config, notes: &notes }, &mut counted(&notes, clock.unix_ms(), &mut append));
    if let Err(failure) = outcome {
        notes.quiet();
        return Err(unchanged(failure, &dir.display().to_string()));
    }
    let header = Header {
        redis_version: REDIS_VERSION,
        created_unix_s: clock.unix_ms() / 1000,
        used_memory: 0,
        aof_base: true,
        seq: Some(0),
    };
    annex
        .commit(&header, |writer| first.map_or(Ok(()), |bytes| copy(&bytes, writer)))
        .map_err(open_failure)?;
    notes.report(&format!("imported into {}", dir.display()));
    Ok(())
}

fn unchanged(failure: Failure, place: &str) -> Failure {
    Failure::new(failure.code, format!("{}. Nothing was changed in {place}", failure.line))
}

fn lock(storage: &Arc<dyn Storage>, dir: &Path) -> Result<Arc<DirectoryLock>, Failure> {
    match DirectoryLock::take(&**storage, dir) {
        Ok(lock) => Ok(Arc::new(lock)),
        Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => Err(Failure::new(
            EXIT_LOCKED,
            format!("a server uses {}: import into it with --to redis://…, or stop it", dir.display()),
        )),
        Err(error) => {
            Err(Failure::new(EXIT_CANNOT_CREATE, format!("cannot write in {}: {error}", dir.display())))
        }
    }
}

/// A snapshot without a log beside it is what a server would start with, so it becomes the first base.
fn read_dump(storage: &Arc<dyn Storage>, path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = storage.read_all(path).map_err(|error| cannot_read(path, &error))?;
    let check = || -> Result<(), log::rdb::RdbError> {
        let mut decoder = Decoder::new(&bytes)?;
        while decoder.next()?.is_some() {}
        Ok(())
    };
    check().map_err(|error| Failure::new(EXIT_CORRUPT_DATA, format!("{}: {error}", path.display())))?;
    Ok(bytes)
}

fn copy(bytes: &[u8], writer: &mut RdbWriter<ReplaceFile>) -> std::io::Result<()> {
    let damaged = |error: log::rdb::RdbError| std::io::Error::other(error.to_string());
    let mut decoder = Decoder::new(bytes).map_err(damaged)?;
    let (mut db, mut staged) = (0, Vec::new());
    while let Some(item) = decoder.next().map_err(damaged)? {
        match item {
            Item::SelectDb(number) => {
                db = number;
                writer.select(db, 0, 0)?;
            }
            Item::Entry { key, value, expires_unix_ms, .. } => {
                staged.clear();
                writer.stage(db, &key, value.as_ref(), expires_unix_ms, &mut staged);
                writer.raw_entry(&staged)?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn append(annex: &mut Annex, entry: Entry<'_>) -> Result<(), Failure> {
    let mut digits = itoa::Buffer::new();
    let at = digits.format(entry.expire_at_ms.unwrap_or(0)).as_bytes();
    let appended = match entry.value {
        ValueRef::Text(text) => {
            let value = text_of(text);
            let words: &[&[u8]] = &[b"SET", entry.key, &value, b"PXAT", at];
            let count = if entry.expire_at_ms.is_some() { words.len() } else { 3 };
            annex.append(entry.db, words.iter().take(count).copied())
        }
        value => {
            let payload = encode_payload(value, true);
            let words: [&[u8]; 6] = [b"RESTORE", entry.key, at, &payload, b"ABSTTL", b"REPLACE"];
            annex.append(entry.db, words.into_iter())
        }
    };
    appended.map_err(open_failure)
}

fn open_failure(error: OpenError) -> Failure {
    let code = match error {
        OpenError::Io { .. } => EXIT_IO,
        _ => EXIT_CORRUPT_DATA,
    };
    Failure::new(code, error.to_string())
}

fn cannot_read(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(EXIT_IO, format!("cannot read {}: {error}", path.display()))
}

fn into_server(
    storage: &Arc<dyn Storage>,
    config: &Config,
    source: &Source,
    address: &Address,
) -> Result<(), Failure> {
    let link = Link::connect(address)?;
    let clock = Clock::real();
    // Twice: what is not good must not be half sent. A log is good when it has been replayed, which comes first anyway.
    if !matches!(source, Source::Log(_)) {
        let notes = Notes::new(format!("checking {}", source.name()), source.size(storage));
        let checked = source.visit(&Desk { storage, config, notes: &notes }, &mut |_| Ok(()));
        notes.quiet();
        checked.map_err(|failure| unchanged(failure, &address.place()))?;
    }
    let notes = Notes::new(format!("importing {}", source.name()), source.size(storage));
    let mut sender =
        Sender { link, notes: &notes, forced: address.db, db: address.db, sent: Vec::new(), bytes: 0 };
    let mut send = |entry: Entry<'_>| sender.send(entry);
    let outcome = source
        .visit(&Desk { storage, config, notes: &notes }, &mut counted(&notes, clock.unix_ms(), &mut send));
    let outcome = outcome.and_then(|()| sender.settle());
    notes.report(&format!("sent to {}", address.place()));
    outcome?;
    match notes.refused() {
        0 => Ok(()),
        count => Err(Failure::new(EXIT_UNAVAILABLE, format!("the server has refused {count} of them"))),
    }
}

/// Sends keys without waiting for the reply to each.
struct Sender<'n> {
    link: Link,
    notes: &'n Notes,
    /// The database that takes all keys, if the address names one.
    forced: Option<u32>,
    /// The database that is selected.
    db: Option<u32>,
    /// The keys whose replies are to come.
    sent: Vec<Vec<u8>>,
    bytes: usize,
}

impl Sender<'_> {
    fn send(&mut self, entry: Entry<'_>) -> Result<(), Failure> {
        let db = self.forced.unwrap_or(entry.db);
        if self.db != Some(db) {
            self.settle()?;
            self.link.must(&[b"SELECT", db.to_string().as_bytes()])?;
            self.db = Some(db);
        }
        let at = entry.expire_at_ms.unwrap_or(0).to_string();
        let payload = encode_payload(entry.value, true);
        self.link.send(&[b"RESTORE", entry.key, at.as_bytes(), &payload, b"REPLACE", b"ABSTTL"])?;
        self.sent.push(entry.key.to_vec());
        self.bytes += payload.len() + entry.key.len();
        match self.sent.len() >= UNANSWERED_MAX || self.bytes >= UNANSWERED_BYTES_MAX {
            true => self.settle(),
            false => Ok(()),
        }
    }

    /// Takes the replies that are to come.
    fn settle(&mut self) -> Result<(), Failure> {
        self.link.flush()?;
        for key in self.sent.drain(..) {
            if let Reply::Error(line) = self.link.receive()? {
                self.notes.refuse(&key, &line);
            }
        }
        self.bytes = 0;
        Ok(())
    }
}
