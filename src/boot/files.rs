//! Files that are not data: configuration, the operational log, the Unix socket.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use crate::config::{ConfigFiles, Settings};
use crate::log::replace_file;
use crate::log::storage::{File, RealStorage, Storage, write_all};
use crate::logging::Output;

/// Where configuration files are read from: the host's file system and standard input.
pub struct HostFiles(Arc<dyn Storage>);

impl HostFiles {
    /// Reads through this storage.
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        HostFiles(storage)
    }
}

impl ConfigFiles for HostFiles {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.read_all(path)
    }

    fn read_stdin(&self) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        io::stdin().lock().read_to_end(&mut text)?;
        Ok(text)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        Ok(self.0.list(directory)?.into_iter().map(OsString::from).collect())
    }
}

/// What the operational log is written to: the file, or standard error.
pub(super) fn log_output(path: Option<&Path>) -> Result<Output, String> {
    let Some(path) = path else { return Ok(Box::new(io::stderr())) };
    match open_or_create(path) {
        Ok(file) => Ok(Box::new(Appender(file))),
        Err(error) => Err(format!(
            "cannot write the log file {}: {error}. Choose another with --logfile",
            path.display()
        )),
    }
}

/// A file of the server's own that lines are added to.
pub(super) fn open_or_create(path: &Path) -> io::Result<Arc<dyn File>> {
    match RealStorage.exists(path)? {
        true => RealStorage.open_append(path),
        false => RealStorage.create(path),
    }
}

struct Appender(Arc<dyn File>);

impl Write for Appender {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        write_all(&*self.0, bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// CONFIG REWRITE.
pub(super) fn rewrite_settings(settings: &Settings, storage: &Arc<dyn Storage>) -> Result<(), String> {
    let rewritten =
        settings.rewrite(&HostFiles::new(storage.clone()), None).map_err(|error| error.to_string())?;
    replace_file(storage, &rewritten.path, &rewritten.text)
        .map_err(|error| format!("Rewriting config file: {}", error.error))
}

/// A socket that a server left behind when it was killed would stand in the way; a file that is no socket stays.
pub(super) fn remove_stale_socket(path: &Path) -> io::Result<()> {
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(io::Error::from(io::ErrorKind::AddrInUse)),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => RealStorage.remove(path),
        Err(_) => Ok(()),
    }
}

/// The socket's file goes with the server. That it could not be removed harms nobody.
pub(super) fn remove_socket(path: &str) {
    let _ = RealStorage.remove(Path::new(path));
}
