//! JSON that is written a piece at a time, so that a long answer neither holds up those of others nor fills the memory.
//!
//! The gateway has one thread: whoever writes a million elements without a rest keeps every other connection waiting. One
//! string is the smallest piece; it is not divided.

use super::answer::Refused;

/// Bytes between two rests: a fraction of a millisecond.
const PIECE_BYTES: usize = 64 * 1024;

/// A body that is being written.
pub(super) struct Paced {
    /// What there is of it.
    pub(super) out: Vec<u8>,
    /// Bytes that it must stay below.
    limit: u64,
    /// Its length at the last rest.
    rested_at: usize,
}

impl Paced {
    pub(super) fn new(limit: u64) -> Self {
        Paced { out: Vec::new(), limit, rested_at: 0 }
    }

    /// To be called between two parts: lets others run from time to time.
    ///
    /// # Errors
    /// When it has become too long.
    pub(super) async fn rest(&mut self) -> Result<(), Refused> {
        if self.out.len() as u64 >= self.limit {
            return Err(Refused::too_long(self.limit, "All commands were carried out"));
        }
        if self.out.len() - self.rested_at >= PIECE_BYTES {
            self.rested_at = self.out.len();
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// What lies between an element with this index and the one before it.
    pub(super) fn separate(&mut self, index: usize) {
        if index > 0 {
            self.out.push(b',');
        }
    }
}
