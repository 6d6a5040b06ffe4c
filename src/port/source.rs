//! Where keys come from: what a path or an address leads to, and handing its keys on one by one.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::link::{Address, Link, Reply};
use super::notes::{Counted, Notes};
use super::{Entry, OwnedEntry, Sink, line};
use crate::base::clock::NEVER;
use crate::boot::Failure;
use crate::boot::foreign::{self, ForeignLog};
use crate::cli::{EXIT_CORRUPT_DATA, EXIT_IO, EXIT_NO_INPUT, EXIT_UNAVAILABLE, InputFormat};
use crate::config::Config;
use crate::exec::limits;
use crate::log::json::{JsonError, JsonKind, read_object, skip_mark};
use crate::log::manifest::Manifest;
use crate::log::rdb::{Decoder, Item, Limits, decode_payload};
use crate::log::storage::{Storage, parent_of};
use crate::value::{Text, TextRef, ValueRef};

/// The longest line of JSON Lines: a value of 512 MB, the most that a server takes, written in base64.
const LINE_BYTES_MAX: u64 = 1 << 30;
/// How much of a file is looked at to tell its form.
const LOOK_BYTES: u64 = 64 * 1024;
/// Keys of one SCAN.
const SCAN_COUNT: &[u8] = b"512";

/// Something that holds keys.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// JSON Lines.
    Lines(PathBuf),
    /// A JSON object of keys to values.
    Object(PathBuf),
    /// An RDB file.
    Snapshot(PathBuf),
    /// A log.
    Log(ForeignLog),
    /// A running server.
    Server(Address),
}

/// What every source needs.
pub(super) struct Desk<'d> {
    pub(super) storage: &'d Arc<dyn Storage>,
    pub(super) config: &'d Config,
    pub(super) notes: &'d Notes,
}

impl Source {
    /// What a path leads to.
    pub(super) fn find(
        storage: &Arc<dyn Storage>,
        path: &Path,
        format: InputFormat,
    ) -> Result<Source, Failure> {
        let there = storage.exists(path).map_err(|error| unreadable(path, &error))?;
        if !there {
            return Err(Failure::new(EXIT_NO_INPUT, format!("{} does not exist", path.display())));
        }
        if storage.list(path).is_ok() {
            return in_directory(storage, path);
        }
        let file = || path.to_path_buf();
        Ok(match format {
            InputFormat::Jsonl => Source::Lines(file()),
            InputFormat::Json => Source::Object(file()),
            InputFormat::Rdb => Source::Snapshot(file()),
            InputFormat::Aof => Source::Log(ForeignLog { files: vec![file()] }),
            InputFormat::Auto => return guess(storage, path),
        })
    }

    /// Bytes to read, as far as that is known.
    pub(super) fn size(&self, storage: &Arc<dyn Storage>) -> u64 {
        let len = |path: &PathBuf| storage.len(path).unwrap_or(0);
        match self {
            Source::Lines(path) | Source::Object(path) | Source::Snapshot(path) => len(path),
            Source::Log(log) => log.files.iter().map(len).sum(),
            Source::Server(_) => 0,
        }
    }

    /// For a person.
    pub(super) fn name(&self) -> String {
        match self {
            Source::Lines(path) | Source::Object(path) | Source::Snapshot(path) => path.display().to_string(),
            Source::Log(log) => match &log.files[..] {
                [file] => file.display().to_string(),
                files => files.first().map_or_else(String::new, |file| parent_of(file).display().to_string()),
            },
            Source::Server(address) => address.place(),
        }
    }

    /// Hands on every key.
    pub(super) fn visit(&self, desk: &Desk<'_>, each: &mut Sink<'_>) -> Result<(), Failure> {
        match self {
            Source::Lines(path) => lines(path, desk, each),
            Source::Object(path) => object(path, desk, each),
            Source::Snapshot(path) => snapshot(path, desk, each),
            Source::Log(log) => replay(log, desk, each),
            Source::Server(address) => server(address, desk, each),
        }
    }
}

/// A directory is that of a log, or one that holds it, or one that holds a snapshot.
fn in_directory(storage: &Arc<dyn Storage>, path: &Path) -> Result<Source, Failure> {
    for dir in [path.to_path_buf(), path.join("appendonlydir")] {
        let names = storage.list(&dir).unwrap_or_default();
        let Some(name) = names.iter().find(|name| name.ends_with(".manifest")) else { continue };
        let manifest = dir.join(name);
        let bytes = storage.read_all(&manifest).map_err(|error| unreadable(&manifest, &error))?;
        let parsed = Manifest::parse(&bytes)
            .map_err(|error| bad(&manifest, &format!("line {}: {}", error.line, error.reason)))?;
        let files = parsed.base.iter().chain(&parsed.increments).map(|entry| dir.join(&entry.name)).collect();
        return Ok(Source::Log(ForeignLog { files }));
    }
    for name in ["appendonly.aof", "dump.rdb"] {
        let file = path.join(name);
        if storage.exists(&file).map_err(|error| unreadable(&file, &error))? {
            return guess(storage, &file);
        }
    }
    let why = format!("{} holds neither a log (appendonlydir) nor a snapshot (dump.rdb)", path.display());
    Err(Failure::new(EXIT_NO_INPUT, why))
}

fn guess(storage: &Arc<dyn Storage>, path: &Path) -> Result<Source, Failure> {
    let mut beginning = Vec::new();
    let opened = storage.open_read(path);
    let read = opened.and_then(|file| file.take(LOOK_BYTES).read_to_end(&mut beginning));
    read.map_err(|error| unreadable(path, &error))?;
    let named = |end: &str| path.to_string_lossy().to_ascii_lowercase().ends_with(end);
    let text = beginning.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&beginning).trim_ascii_start();
    let first_line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let is_line = || std::str::from_utf8(first_line).is_ok_and(line::is_line);
    match text.first() {
        Some(b'R') if text.starts_with(b"REDIS") && !named(".aof") => {
            Ok(Source::Snapshot(path.to_path_buf()))
        }
        Some(b'R') if text.starts_with(b"REDIS") => {
            Ok(Source::Log(ForeignLog { files: vec![path.to_path_buf()] }))
        }
        Some(b'*' | b'#') => Ok(Source::Log(ForeignLog { files: vec![path.to_path_buf()] })),
        Some(b'{') if named(".jsonl") || named(".ndjson") || is_line() => {
            Ok(Source::Lines(path.to_path_buf()))
        }
        Some(b'{') => Ok(Source::Object(path.to_path_buf())),
        None if named(".jsonl") || named(".ndjson") => Ok(Source::Lines(path.to_path_buf())),
        _ => Err(bad(
            path,
            "it is neither JSON nor an RDB file nor an append-only file; --format can say what it is",
        )),
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let code = match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied => EXIT_NO_INPUT,
        _ => EXIT_IO,
    };
    Failure::new(code, format!("cannot read {}: {error}", path.display()))
}

fn bad(path: &Path, why: &str) -> Failure {
    Failure::new(EXIT_CORRUPT_DATA, format!("{}: {why}", path.display()))
}

fn open<'d>(path: &Path, desk: &Desk<'d>) -> Result<impl BufRead + use<'d>, Failure> {
    let inner = desk.storage.open_read(path).map_err(|error| unreadable(path, &error))?;
    let mut reader = BufReader::with_capacity(256 * 1024, Counted { inner, notes: desk.notes });
    skip_mark(&mut reader).map_err(|error| unreadable(path, &error))?;
    Ok(reader)
}

fn lines(path: &Path, desk: &Desk<'_>, each: &mut Sink<'_>) -> Result<(), Failure> {
    let limits = limits::of(desk.config);
    let mut reader = open(path, desk)?;
    let mut line = Vec::new();
    let mut number = 0u64;
    loop {
        line.clear();
        let read = (&mut reader).take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut line);
        if read.map_err(|error| unreadable(path, &error))? == 0 {
            return Ok(());
        }
        number += 1;
        let at = |why: &str| bad(path, &format!("line {number}: {why}"));
        if line.len() as u64 > LINE_BYTES_MAX {
            return Err(at("it is longer than 1 GiB"));
        }
        let text = std::str::from_utf8(&line).map_err(|_| at("it is not UTF-8"))?.trim();
        if text.is_empty() {
            continue;
        }
        let entry: OwnedEntry = line::parse(text, &limits).map_err(|why| at(&why))?;
        each(entry.as_ref())?;
    }
}

fn object(path: &Path, desk: &Desk<'_>, each: &mut Sink<'_>) -> Result<(), Failure> {
    let reader = open(path, desk)?;
    let outcome = read_object(reader, |key, text, kind| {
        if kind != JsonKind::String {
            desk.notes.remark(format!("{} stored as their text", kind.name()));
        }
        let text = Text::new(text);
        let value = ValueRef::Text(text.as_ref());
        each(Entry { db: 0, key: key.as_bytes(), value, expire_at_ms: None })
    });
    outcome.map_err(|error| match error {
        JsonError::Io(error) => unreadable(path, &error),
        JsonError::Malformed(why) => bad(path, &format!("it is no JSON object of keys to values: {why}")),
        JsonError::Stopped(failure) => failure,
    })
}

fn snapshot(path: &Path, desk: &Desk<'_>, each: &mut Sink<'_>) -> Result<(), Failure> {
    let bytes = desk.storage.read_all(path).map_err(|error| unreadable(path, &error))?;
    let decoder = Decoder::new(&bytes).map_err(|error| bad(path, &error.to_string()))?;
    let mut decoder = decoder.with_limits(limits::of(desk.config));
    let (mut db, mut told) = (0, 0);
    while let Some(item) = decoder.next().map_err(|error| bad(path, &error.to_string()))? {
        match item {
            Item::SelectDb(number) => db = number,
            Item::Entry { key, value, expires_unix_ms, .. } => {
                each(Entry { db, key: &key, value: value.as_ref(), expire_at_ms: expires_unix_ms })?;
                desk.notes.advance((decoder.offset() - told) as u64);
                told = decoder.offset();
            }
            Item::Function { .. } => desk.notes.skip("function libraries"),
            Item::ModuleSkipped => desk.notes.skip("data of modules"),
            Item::Aux { .. } | Item::ResizeDb { .. } => {}
        }
    }
    match decoder.offset() == bytes.len() {
        true => Ok(()),
        false => {
            Err(bad(path, "commands follow the snapshot, so it is an append-only file: give --format aof"))
        }
    }
}

fn replay(log: &ForeignLog, desk: &Desk<'_>, each: &mut Sink<'_>) -> Result<(), Failure> {
    let read = |bytes| desk.notes.advance(bytes);
    let (ctx, remarks) = foreign::replay(log, desk.storage, desk.config.clone(), read)?;
    remarks.iter().for_each(|line| desk.notes.say(line));
    let Some(cut) = ctx.table.cut() else { return Ok(()) };
    let mut outcome = Ok(());
    for db in cut.databases() {
        for stripe in 0..cut.stripes() {
            cut.walk_stripe(db, stripe, |key, value, expiry| {
                if outcome.is_ok() {
                    let expire_at_ms = (expiry != NEVER).then_some(expiry);
                    outcome = each(Entry { db: db as u32, key, value, expire_at_ms });
                }
            });
        }
    }
    outcome
}

/// Walks a running server. Keys that change meanwhile come as they are when it is their turn.
fn server(address: &Address, desk: &Desk<'_>, each: &mut Sink<'_>) -> Result<(), Failure> {
    let mut link = Link::connect(address)?;
    let databases = match address.db {
        Some(db) => vec![db],
        None => used_databases(&mut link)?,
    };
    let limits = limits::of(desk.config);
    for db in databases {
        link.must(&[b"SELECT", db.to_string().as_bytes()])?;
        let mut cursor = b"0".to_vec();
        loop {
            let reply = link.must(&[b"SCAN", &cursor, b"COUNT", SCAN_COUNT])?;
            let (next, keys) = page(reply).ok_or_else(|| strange(address, "SCAN"))?;
            fetch(&mut link, address, db, &keys, &limits, desk.notes, each)?;
            if next == b"0" {
                break;
            }
            cursor = next;
        }
    }
    Ok(())
}

fn strange(address: &Address, command: &str) -> Failure {
    let why = format!("the server at {}: what it answered to {command} is not understood", address.place());
    Failure::new(EXIT_UNAVAILABLE, why)
}

fn page(reply: Reply) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
    let Reply::List(parts) = reply else { return None };
    let [Reply::Text(next), Reply::List(keys)] = <[Reply; 2]>::try_from(parts).ok()? else { return None };
    let text = |reply| if let Reply::Text(text) = reply { Some(text) } else { None };
    Some((next, keys.into_iter().map(text).collect::<Option<_>>()?))
}

/// The databases that hold keys, from `INFO keyspace`: `db0:keys=…`.
fn used_databases(link: &mut Link) -> Result<Vec<u32>, Failure> {
    let Reply::Text(text) = link.must(&[b"INFO", b"keyspace"])? else { return Ok(vec![0]) };
    let text = String::from_utf8_lossy(&text).into_owned();
    let number = |line: &str| line.strip_prefix("db")?.split(':').next()?.parse().ok();
    Ok(text.lines().filter_map(number).collect())
}

fn fetch(
    link: &mut Link,
    address: &Address,
    db: u32,
    keys: &[Vec<u8>],
    limits: &Limits,
    notes: &Notes,
    each: &mut Sink<'_>,
) -> Result<(), Failure> {
    for key in keys {
        link.send(&[b"DUMP", key])?;
        link.send(&[b"PEXPIRETIME", key])?;
    }
    link.flush()?;
    for key in keys {
        let (payload, expiry) = (link.receive()?, link.receive()?);
        let payload = match payload {
            Reply::Text(payload) => payload,
            // It has gone since SCAN.
            Reply::Nil => continue,
            Reply::Error(line) => {
                notes.refuse(key, &line);
                continue;
            }
            _ => return Err(strange(address, "DUMP")),
        };
        let expire_at_ms = match expiry {
            Reply::Int(at) => (at >= 0).then_some(at),
            Reply::Error(line) => {
                return Err(Failure::new(
                    EXIT_UNAVAILABLE,
                    format!("the server at {}: {line} (PEXPIRETIME came with Redis 7.0)", address.place()),
                ));
            }
            _ => return Err(strange(address, "PEXPIRETIME")),
        };
        match decode_payload(&payload, limits) {
            Ok(found) => each(Entry { db, key, value: found.value.as_ref(), expire_at_ms })?,
            Err(_) => notes.skip("of a type that is not known here"),
        }
    }
    Ok(())
}

/// The text of a string value.
pub(super) fn text_of(text: TextRef<'_>) -> Vec<u8> {
    text.bytes(&mut itoa::Buffer::new()).to_vec()
}
