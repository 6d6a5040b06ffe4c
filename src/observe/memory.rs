//! How much memory is in use.
//!
//! No allocator is counted: that would cost every allocation of every worker. What the server holds is known anyway — the
//! table counts its entries' bytes, and connections and log know their buffers — so `used_memory` is their sum and the
//! resident bytes of the process at its start, before there were any. It leaves out what the allocator loses to
//! rounding and fragments; `used_memory_rss`, which the operating system measures, has it in.

use std::sync::atomic::{AtomicU64, Ordering};

use super::process;

/// What the process occupied at its start, and the most that it has.
#[derive(Debug)]
pub struct Memory {
    startup: u64,
    peak: AtomicU64,
}

/// Memory at one moment, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// At the start of the process, without data and connections.
    pub startup: u64,
    /// All that is in use.
    pub used: u64,
    /// The most that was seen in use.
    pub peak: u64,
    /// What the operating system counts.
    pub resident: u64,
}

impl Memory {
    /// Measures the process as it is: to be made before data is loaded.
    pub fn at_start() -> Self {
        let startup = process::resident_bytes();
        Memory { startup, peak: AtomicU64::new(startup) }
    }

    /// Bytes that the process occupied at its start.
    pub fn startup(&self) -> u64 {
        self.startup
    }

    /// Notes that so many bytes of data and buffers are held, for the peak, and returns all that is in use.
    pub fn note(&self, held: u64) -> u64 {
        let used = self.startup.saturating_add(held);
        self.peak.fetch_max(used, Ordering::Relaxed);
        used
    }

    /// The figures while so many bytes of data and buffers are held.
    pub fn usage(&self, held: u64) -> Usage {
        let used = self.note(held);
        Usage {
            startup: self.startup,
            used,
            peak: self.peak.load(Ordering::Relaxed),
            resident: process::resident_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_stays_when_memory_is_given_back() {
        let memory = Memory { startup: 1000, peak: AtomicU64::new(1000) };
        assert_eq!(memory.note(500), 1500);
        memory.note(9000);
        let usage = memory.usage(200);
        assert_eq!((usage.startup, usage.used, usage.peak), (1000, 1200, 10_000));
    }
}
