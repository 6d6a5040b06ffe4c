//! What can go wrong with the log, told so that a caller knows whether waiting helps.

use std::fmt;
use std::io;
use std::path::Path;

/// Kinds of fault. While there is one, no write may be acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFaultKind {
    /// The operating system did not take a write: disk full, quota, broken device. The file has been cut
    /// back to its last whole group, what is pending is kept, and later flushes try again: this one can
    /// pass by itself.
    Write,
    /// The file may not grow any more: `ulimit -f`, or the file system's bound. A shorter one may, so it ends with a
    /// rewrite.
    TooLong,
    /// A sync failed. What the file holds is unknown, and no later sync of it counts. Only a rewrite, whose
    /// files are all new, ends this.
    Sync,
    /// The file has no name any more: somebody removed it. Ends with a rewrite.
    Unlinked,
    /// A rewrite that was to end one of the two above has cut the log and then failed; the file now written
    /// to is not named in the manifest yet. Ends with the next rewrite.
    Detached,
    /// A step of a rewrite or save failed. The log itself goes on as before.
    Rewrite,
    /// A rewrite is running already, or the log is not in a state to start one.
    Busy,
}

impl LogFaultKind {
    /// Whether only a new generation of files helps.
    pub fn is_sticky(self) -> bool {
        matches!(self, Self::TooLong | Self::Sync | Self::Unlinked | Self::Detached)
    }
}

/// A fault with its circumstances. `Display` gives one line for the server's log.
#[derive(Debug, Clone)]
pub struct LogFault {
    pub kind: LogFaultKind,
    /// The system's error number, where there is one.
    pub errno: Option<i32>,
    /// What was being done, and the system's words; the text for `-MISCONF Errors writing to the AOF file:
    /// …`.
    pub text: String,
}

impl LogFault {
    pub(crate) fn new(kind: LogFaultKind, doing: &str, path: &Path, error: &io::Error) -> Self {
        Self { kind, errno: error.raw_os_error(), text: format!("{doing} {}: {error}", path.display()) }
    }

    pub(crate) fn busy(text: &str) -> Self {
        Self { kind: LogFaultKind::Busy, errno: None, text: text.to_owned() }
    }
}

impl fmt::Display for LogFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for LogFault {}
