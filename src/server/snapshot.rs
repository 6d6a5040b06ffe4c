//! Snapshots: `dump.rdb`, the log's base, what a replica begins with, and DEBUG RELOAD. All are a walk of one cut of the
//! table; nothing is forked.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, Release};

use tokio::sync::mpsc;

use crate::base::clock::{Millis, NEVER};
use crate::clients::Client;
use crate::exec::Context;
use crate::exec::replicas::Piece;
use crate::log::rdb::{Header, RdbWriter};
use crate::log::storage::Storage;
use crate::log::{ReplaceFile, Seq};
use crate::table::{Cut, Table};

/// What jobs need.
pub struct Jobs {
    /// The process.
    pub ctx: Arc<Context>,
    /// The files.
    pub storage: Arc<dyn Storage>,
    /// Loads the data from disk into an empty table: the snapshot file, or with true the log.
    pub load: Load,
}

/// See [`Jobs::load`].
pub type Load = fn(&Context, &Arc<dyn Storage>, bool) -> Result<(), String>;

/// Writes `dump.rdb`. `in_background`: nobody waits for it.
pub fn save(jobs: &Jobs, in_background: bool) -> Result<(), String> {
    let ctx = &jobs.ctx;
    let began = ctx.clock.unix_ms();
    ctx.saves.saving.store(true, Relaxed);
    ctx.saves.began.store(began / 1000, Relaxed);
    let result = save_to(jobs, &dump_path(ctx));
    let now = ctx.clock.unix_ms();
    if result.is_ok() {
        ctx.saves.last_save.store(now / 1000, Relaxed);
        ctx.saves.saves.fetch_add(1, Relaxed);
        tracing::info!(ms = now - began, "snapshot written");
    }
    ctx.saves.note_end(result.is_ok(), in_background, ctx.clock.elapsed());
    if in_background {
        ctx.saves.last_save_seconds.store((now - began) / 1000, Relaxed);
    }
    ctx.saves.saving.store(false, Relaxed);
    result
}

fn dump_path(ctx: &Context) -> PathBuf {
    let config = ctx.settings.load();
    config.persistence.dir.join(&config.persistence.dbfilename)
}

fn save_to(jobs: &Jobs, path: &std::path::Path) -> Result<(), String> {
    let ctx = &jobs.ctx;
    let text = |error: std::io::Error| format!("cannot write {}: {error}", path.display());
    let mut file = ReplaceFile::create(&jobs.storage, path).map_err(text)?;
    let everything = ctx.turns.everything();
    let changes = ctx.stats.sum(|seat| &seat.changes);
    let cut = ctx.table.cut().ok_or("another snapshot is under way")?;
    drop(everything);
    write(ctx, &cut, &mut file, None).map_err(text)?;
    file.commit().map_err(|error| text(error.error))?;
    ctx.saves.changes_at_save.store(changes, Relaxed);
    Ok(())
}

/// Rewrites the log: a base of the present state and an increment for what follows.
pub fn rewrite(jobs: &Jobs) -> Result<(), String> {
    let ctx = &jobs.ctx;
    let began = ctx.clock.unix_ms();
    ctx.saves.rewriting.store(true, Relaxed);
    // After that, so that who looks at this first always sees one of the two.
    ctx.saves.rewrite_scheduled.store(false, Release);
    ctx.saves.began.store(began / 1000, Relaxed);
    let result = rewrite_log(jobs);
    let now = ctx.clock.unix_ms();
    if result.is_ok() {
        ctx.saves.rewrites.fetch_add(1, Relaxed);
        tracing::info!(ms = now - began, "log rewritten");
    }
    ctx.saves.last_rewrite_ok.store(result.is_ok(), Relaxed);
    ctx.saves.last_rewrite_seconds.store((now - began) / 1000, Relaxed);
    ctx.saves.rewriting.store(false, Relaxed);
    result
}

fn rewrite_log(jobs: &Jobs) -> Result<(), String> {
    let ctx = &jobs.ctx;
    let mut rewrite = ctx.log.begin_rewrite().map_err(|fault| fault.to_string())?;
    let everything = ctx.turns.everything();
    let cut = ctx.table.cut().ok_or("another snapshot is under way")?;
    let seq = rewrite.cut(ctx.clock.unix_ms()).map_err(|fault| fault.to_string())?;
    drop(everything);
    let mut base = rewrite.base_file().map_err(|fault| fault.to_string())?;
    write(ctx, &cut, &mut base, Some(seq)).map_err(|error| error.to_string())?;
    rewrite.finish(base).map_err(|fault| fault.to_string())
}

/// What is read of a snapshot's file and handed to the connection at once.
const PIECE_BYTES: usize = 256 * 1024;

/// Attaches a replica to the stream and sends it what there is at this moment: by way of a file, so that the cut is over as
/// soon as the disk has it, however slowly the replica reads.
pub fn send(jobs: &Jobs, client: &Client, is_named: bool, pieces: mpsc::Sender<Piece>) -> Result<(), String> {
    let ctx = &jobs.ctx;
    if pieces.is_closed() {
        return Ok(());
    }
    // One snapshot is written at a time, and this one's file has no name any more when the next one is begun.
    let path = ctx.settings.load().persistence.dir.join("replica.rdb");
    let text =
        |error: std::io::Error| format!("cannot write a replica's snapshot to {}: {error}", path.display());
    let mut file = ReplaceFile::create(&jobs.storage, &path).map_err(text)?;
    let everything = ctx.turns.everything();
    let cut = ctx.table.cut().ok_or("another snapshot is under way")?;
    let Some(position) = ctx.replicas.attach(client, &ctx.log) else { return Ok(()) };
    drop(everything);
    if is_named {
        let line = format!("+FULLRESYNC {} {}\r\n", position.id, position.offset);
        // Whoever does not receive it any more has gone, and is no failure of ours.
        let _ = pieces.blocking_send(Piece::Line(line.into_bytes()));
    }
    write(ctx, &cut, &mut file, None).map_err(text)?;
    drop(cut);
    let (reader, len) = file.reopen().map_err(text)?;
    drop(file);
    // It is sent beside, so that the next snapshot need not wait for it.
    let sending = std::thread::Builder::new().name("replica".to_owned()).spawn(move || {
        if let Err(error) = send_file(reader, len, &pieces) {
            tracing::error!(%error, "a replica's snapshot could not be read back");
        }
    });
    sending.map(|_| ()).map_err(|error| format!("no thread to send a replica's snapshot: {error}"))
}

fn send_file(
    mut reader: Box<dyn Read + Send>,
    len: u64,
    pieces: &mpsc::Sender<Piece>,
) -> std::io::Result<()> {
    let mut left = len;
    let mut piece = Piece::Payload(format!("${len}\r\n").into_bytes());
    while pieces.blocking_send(piece).is_ok() {
        if left == 0 {
            let _ = pieces.blocking_send(Piece::End);
            break;
        }
        let mut bytes = vec![0; left.min(PIECE_BYTES as u64) as usize];
        reader.read_exact(&mut bytes)?;
        left -= bytes.len() as u64;
        piece = Piece::Payload(bytes);
    }
    Ok(())
}

/// Writes everything that the cut holds. `base_of` is the sequence number whose state a log's base is.
fn write(ctx: &Context, cut: &Cut<'_>, sink: &mut impl Write, base_of: Option<Seq>) -> std::io::Result<()> {
    let now = ctx.clock.unix_ms();
    let compress = ctx.settings.load().persistence.rdbcompression;
    let header = Header {
        redis_version: crate::base::version::REDIS_VERSION,
        created_unix_s: now / 1000,
        used_memory: ctx.table.bytes() as u64,
        aof_base: base_of.is_some(),
        seq: base_of,
    };
    let mut writer = RdbWriter::new(sink, &header, compress)?;
    write_cut(&ctx.table, cut, now, || ctx.saves.ending.load(Relaxed), &mut writer)?;
    writer.finish()?.flush()
}

/// Writes the entries of the whole table, for a first base. Nothing else may run meanwhile.
pub fn write_entries<W: Write>(table: &Table, now: Millis, writer: &mut RdbWriter<W>) -> std::io::Result<()> {
    match table.cut() {
        Some(cut) => write_cut(table, &cut, now, || false, writer),
        None => Err(std::io::Error::from(std::io::ErrorKind::ResourceBusy)),
    }
}

fn write_cut<W: Write>(
    table: &Table,
    cut: &Cut<'_>,
    now: Millis,
    gives_up: impl Fn() -> bool,
    writer: &mut RdbWriter<W>,
) -> std::io::Result<()> {
    let mut entries = Vec::new();
    for db in cut.databases() {
        let counts = table.counts(db, now);
        let mut selected = false;
        for stripe in 0..cut.stripes() {
            if gives_up() {
                return Err(std::io::Error::other("the server is about to end"));
            }
            entries.clear();
            cut.walk_stripe(db, stripe, |key, value, expiry| {
                let expires = (expiry != NEVER).then_some(expiry);
                writer.stage(db as u32, key, value, expires, &mut entries);
            });
            if entries.is_empty() {
                continue;
            }
            if !selected {
                writer.select(db as u32, counts.keys as u64, counts.expires as u64)?;
                selected = true;
            }
            writer.raw_entry(&entries)?;
        }
    }
    Ok(())
}

/// DEBUG RELOAD (`from_log` false) and DEBUG LOADAOF: the data is written, forgotten and loaded back, while everything
/// stands still.
pub fn reload(jobs: &Jobs, from_log: bool, save: bool) -> Result<(), String> {
    let ctx = &jobs.ctx;
    let everything = ctx.turns.everything();
    if from_log {
        ctx.log.flush(ctx.log.appended(), ctx.clock.unix_ms()).map_err(|fault| fault.to_string())?;
    } else if save {
        save_still(jobs)?;
    }
    for db in 0..ctx.table.databases() {
        ctx.table.clear(db);
    }
    // Not left to the freer: two copies of everything would need twice the memory.
    drop(ctx.table.take_garbage());
    ctx.tracking.flushed();
    ctx.replicas.begin_anew(&ctx.log);
    // Whoever caches has just been told to forget everything, so no key needs to be named as it comes back.
    ctx.table.observe(false);
    let result = (jobs.load)(ctx, &jobs.storage, from_log);
    ctx.table.observe(ctx.tracking.is_on());
    drop(everything);
    result
}

/// Writes `dump.rdb` while everything stands still already.
pub(super) fn save_still(jobs: &Jobs) -> Result<(), String> {
    let ctx = &jobs.ctx;
    let path = dump_path(ctx);
    let text = |error: std::io::Error| format!("cannot write {}: {error}", path.display());
    let mut file = ReplaceFile::create(&jobs.storage, &path).map_err(text)?;
    let cut = ctx.table.cut().ok_or("another snapshot is under way")?;
    write(ctx, &cut, &mut file, None).map_err(text)?;
    file.commit().map(|_| ()).map_err(|error| text(error.error))
}
