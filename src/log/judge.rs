//! What becomes of a log whose increments ended as they did: a pure decision over bytes, which the recovery carries out
//! and the offline check only tells.
//!
//! ```text
//! clean                       go on with the next increment
//! torn                        the log ends here, and all later increments go with it, unless a watermark in one of
//!                             them shows that what is missing had reached the device: then it is corruption
//! gap at a later file's       the file before has lost its end to the last whole group: torn there, by the same rule
//! beginning
//! any other gap, corruption   refused
//! ```

use std::path::PathBuf;

use super::manifest::Entry;
use super::open::OpenError;
use super::place::Place;
use super::reader::{Reader, Summary, Verdict};

/// The increments of a manifest, to be read where they lie.
pub(super) struct Increments<'p> {
    pub(super) place: &'p Place,
    pub(super) entries: &'p [Entry],
}

/// How an increment lets the log go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// With the next one.
    GoesOn,
    /// Not at all: what is behind `offset` was never finished, and is promised to nobody.
    EndsAt { offset: u64, reason: &'static str },
}

impl Increments<'_> {
    pub(super) fn path(&self, index: usize) -> PathBuf {
        self.place.path(self.entries.get(index).map_or("", |entry| &entry.name))
    }

    pub(super) fn read(&self, index: usize) -> Result<Vec<u8>, OpenError> {
        let path = self.path(index);
        let read = self.place.storage.read_all(&path);
        read.map_err(|error| OpenError::Io { doing: "read", path, error })
    }

    /// Judges the end of increment `index`, whose bytes gave `summary`.
    pub(super) fn judge(&self, index: usize, bytes: &[u8], summary: &Summary) -> Result<Outcome, OpenError> {
        let (offset, reason) = match summary.verdict {
            Verdict::Clean => return Ok(Outcome::GoesOn),
            Verdict::Torn { offset, reason } => (offset, reason),
            Verdict::Gap { offset: 0, seq, found } if index > 0 && found > seq => {
                if Reader::new(bytes, None).finish().watermark > seq {
                    return Err(OpenError::Gap { path: self.path(index), seq, found });
                }
                (0, "the file before has lost its end")
            }
            Verdict::Gap { seq, found, .. } => {
                return Err(OpenError::Gap { path: self.path(index), seq, found });
            }
            Verdict::Corrupt { offset, seq, reason } => {
                return Err(OpenError::Corrupt { path: self.path(index), offset, seq, reason });
            }
        };
        for later in index + 1..self.entries.len() {
            if Reader::new(&self.read(later)?, None).finish().watermark > summary.last {
                let (path, seq) = (self.path(index), summary.last);
                return Err(OpenError::Corrupt { path, offset, seq, reason });
            }
        }
        Ok(Outcome::EndsAt { offset, reason })
    }
}
