//! `json-save FILE SECONDS`: all strings of database 0 as one JSON object, as the first of Pinstripe's ancestors kept them.
//!
//! The file is of one moment, like a snapshot, and appears whole or not at all. It holds what that ancestor knew: keys and
//! strings. Other types, other databases, and what is not UTF-8 are left out and counted in the server's log; so are the
//! times at which keys go. It is for programs that read it, and for a start on an empty directory. What makes
//! writes last is the log.

use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

use super::snapshot::Jobs;
use crate::log::ReplaceFile;
use crate::log::json::ObjectWriter;
use crate::observe::operations::Operation;
use crate::table::Cut;
use crate::value::ValueRef;

/// Keys that the file has, and keys that it cannot have.
#[derive(Debug, Default)]
struct Counts {
    written: u64,
    left_out: u64,
}

/// Writes the file, if there is to be one. `stands_still`: nobody writes meanwhile, as the caller sees to it.
pub(super) fn save(jobs: &Jobs, stands_still: bool) -> Result<(), String> {
    let ctx = &jobs.ctx;
    let config = ctx.settings.load();
    let Some((file, _)) = config.persistence.json_save.plan() else {
        ctx.saves.saving_json.store(false, Relaxed);
        return Ok(());
    };
    let path = config.persistence.dir.join(file);
    let began = ctx.clock.unix_ms();
    let result = write(jobs, &path, stands_still);
    let now = ctx.clock.unix_ms();
    ctx.saves.last_json.store(now / 1000, Relaxed);
    ctx.saves.saving_json.store(false, Relaxed);
    let counts = result.map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    tracing::info!(
        file = %path.display(), keys = counts.written, left_out = counts.left_out, ms = now - began, "JSON save written"
    );
    if ctx.operations.is_on() {
        ctx.operations.note(now, Operation::Save(&format!("json-save {file}")));
    }
    Ok(())
}

fn write(jobs: &Jobs, path: &Path, stands_still: bool) -> io::Result<Counts> {
    let ctx = &jobs.ctx;
    let mut file = ReplaceFile::create(&jobs.storage, path)?;
    let everything = (!stands_still).then(|| ctx.turns.everything());
    let changes = ctx.stats.sum(|seat| &seat.changes);
    let cut = ctx.table.cut().ok_or_else(|| io::Error::other("another snapshot is under way"))?;
    drop(everything);
    let counts = write_cut(&cut, ctx.clock.unix_ms(), &mut file)?;
    file.commit().map_err(|error| error.error)?;
    ctx.saves.changes_at_json.store(changes + 1, Relaxed);
    Ok(counts)
}

fn write_cut(cut: &Cut<'_>, now: i64, sink: &mut impl Write) -> io::Result<Counts> {
    let mut counts = Counts::default();
    let mut writer = ObjectWriter::new(sink)?;
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for db in cut.databases() {
        for stripe in 0..cut.stripes() {
            // The stripe is locked meanwhile: only copied, then written.
            cut.walk_stripe(db, stripe, |key, value, expiry| match value {
                _ if expiry <= now => {}
                ValueRef::Text(text) if db == 0 => {
                    pairs.push((key.to_vec(), text.bytes(&mut itoa::Buffer::new()).to_vec()));
                }
                _ => counts.left_out += 1,
            });
            for (key, value) in pairs.drain(..) {
                match writer.put(&key, &value)? {
                    true => counts.written += 1,
                    false => counts.left_out += 1,
                }
            }
        }
    }
    writer.finish()?.flush()?;
    Ok(counts)
}
