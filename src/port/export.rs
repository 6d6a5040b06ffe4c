//! `pinstripe export`: JSON Lines with everything, or the ancestors' JSON object with what it can hold.

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use super::link::Address;
use super::notes::Notes;
use super::source::{Desk, Source, text_of};
use super::{Entry, line};
use crate::base::clock::Clock;
use crate::boot::Failure;
use crate::cli::{EXIT_CANNOT_CREATE, EXIT_CONFIG, EXIT_LOCKED, Export, InputFormat, OutputFormat};
use crate::config::Config;
use crate::log::json::ObjectWriter;
use crate::log::storage::{RealStorage, Storage};
use crate::log::{DirectoryLock, ReplaceFile};
use crate::value::ValueRef;

/// Carries out an export and tells of it.
///
/// # Errors
/// What went wrong, and the exit code.
pub fn export(request: &Export) -> Result<(), Failure> {
    let storage: Arc<dyn Storage> = Arc::new(RealStorage);
    let mut config = Config::default();
    config.process.databases = request.databases;
    let (source, _lock) = match request.from.to_str().filter(|text| text.contains("://")) {
        Some(url) => (Source::Server(Address::parse(url)?), None),
        None => {
            let path = Path::new(&request.from);
            let lock = lock(&storage, path)?;
            (Source::find(&storage, path, InputFormat::Auto)?, lock)
        }
    };
    let notes = Notes::new(format!("exporting {}", source.name()), source.size(&storage));
    let desk = Desk { storage: &storage, config: &config, notes: &notes };
    let end = match &request.output {
        None => {
            write(&source, &desk, request.format, BufWriter::with_capacity(256 * 1024, io::stdout().lock()))?;
            "exported".to_owned()
        }
        Some(path) => {
            let cannot = |error: io::Error| cannot_write(&path.display().to_string(), &error);
            let file = ReplaceFile::create(&storage, path).map_err(cannot)?;
            let file = write(&source, &desk, request.format, file)?;
            file.commit().map_err(|error| cannot(error.error))?;
            format!("exported into {}", path.display())
        }
    };
    notes.report(&end);
    Ok(())
}

fn cannot_write(place: &str, error: &io::Error) -> Failure {
    Failure::new(EXIT_CANNOT_CREATE, format!("cannot write {place}: {error}"))
}

/// Keeps a server away from its directory meanwhile. Where there never was one of ours, there is nothing to lock.
fn lock(storage: &Arc<dyn Storage>, path: &Path) -> Result<Option<DirectoryLock>, Failure> {
    if !storage.exists(&path.join("pinstripe.lock")).unwrap_or(false) {
        return Ok(None);
    }
    match DirectoryLock::take(&**storage, path) {
        Ok(lock) => Ok(Some(lock)),
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => Err(Failure::new(
            EXIT_LOCKED,
            format!("a server uses {}: export from it with redis://…, or stop it", path.display()),
        )),
        // A directory that cannot be written is not written by anybody else either.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => Ok(None),
        Err(error) => Err(Failure::new(EXIT_CONFIG, format!("cannot lock {}: {error}", path.display()))),
    }
}

fn write<W: Write>(source: &Source, desk: &Desk<'_>, format: OutputFormat, sink: W) -> Result<W, Failure> {
    let failed = |error: io::Error| cannot_write("the output", &error);
    let now = Clock::real().unix_ms();
    let is_gone = |entry: &Entry<'_>| {
        let gone = entry.expire_at_ms.is_some_and(|at| at <= now);
        if gone {
            desk.notes.skip("expired already");
        }
        gone
    };
    let mut sink = match format {
        OutputFormat::Jsonl => {
            let (mut sink, mut text) = (sink, Vec::new());
            source.visit(desk, &mut |entry| {
                if is_gone(&entry) {
                    return Ok(());
                }
                desk.notes.key(entry.value.kind().name());
                text.clear();
                line::write(entry, &mut text);
                sink.write_all(&text).map_err(failed)
            })?;
            sink
        }
        OutputFormat::Json => {
            let mut object = ObjectWriter::new(sink).map_err(failed)?;
            source.visit(desk, &mut |entry| {
                if is_gone(&entry) {
                    return Ok(());
                }
                let ValueRef::Text(text) = entry.value else {
                    desk.notes
                        .skip(format!("of type {}: only JSON Lines can hold it", entry.value.kind().name()));
                    return Ok(());
                };
                if entry.db != 0 {
                    desk.notes.skip("of other databases than 0: only JSON Lines can hold them");
                } else if object.put(entry.key, &text_of(text)).map_err(failed)? {
                    desk.notes.key("string");
                    if entry.expire_at_ms.is_some() {
                        desk.notes.remark("written without the time at which they go");
                    }
                } else {
                    desk.notes.skip("not UTF-8: only JSON Lines can hold it");
                }
                Ok(())
            })?;
            object.finish().map_err(failed)?
        }
    };
    sink.flush().map_err(failed)?;
    Ok(sink)
}
