//! What is to be sent to a client unasked: messages of channels, MONITOR's lines. Any thread puts in, the connection's own
//! takes out between two commands, or is woken to.
//!
//! A client that does not read is ended rather than fed without end (`client-output-buffer-limit`): at once when more than
//! the hard bound waits for it, or when more than the soft bound has waited without a break for the time that goes with it.
//! What counts is what waits here and what is being written to the socket.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::base::clock::Millis;

/// A buffer larger than this is not kept for the next message.
const KEPT_MAX: usize = 64 * 1024;

/// How much may wait for a client.
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    /// Bytes that end it at once.
    pub hard: u64,
    /// Bytes that end it after a time.
    pub soft: u64,
    /// That time.
    pub soft_ms: Millis,
}

impl Bound {
    /// No bound.
    pub const NONE: Bound = Bound { hard: u64::MAX, soft: u64::MAX, soft_ms: 0 };
}

/// The bounds of the classes of clients, and the time at which they are applied.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// For those who do not subscribe to anything, MONITOR's included.
    pub normal: Bound,
    /// For those who do.
    pub pubsub: Bound,
    /// For replicas.
    pub replica: Bound,
    /// Wall time.
    pub now: Millis,
}

/// See the module.
#[derive(Default)]
pub(super) struct Outbox {
    bytes: Mutex<Vec<u8>>,
    /// True while there are any.
    filled: AtomicBool,
    /// Since when the soft bound is exceeded; 0 when it is not.
    over_since: AtomicI64,
    /// Bytes that the connection is writing.
    pub(super) writing: AtomicU64,
}

/// What came of putting something in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Posted {
    /// It is the first since the client last looked, which needs to be woken.
    First,
    /// It stands behind others.
    More,
    /// There is no room: the client is to be ended.
    Full,
}

impl Outbox {
    /// Puts in what `write` writes, of this many bytes.
    pub(super) fn post(
        &self,
        len: usize,
        bound: Bound,
        now: Millis,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Posted {
        let mut bytes = self.bytes.lock();
        let waiting = (bytes.len() + len) as u64 + self.writing.load(Ordering::Relaxed);
        if waiting >= bound.hard || self.is_overdue(waiting, bound, now) {
            return Posted::Full;
        }
        write(&mut bytes);
        if self.filled.swap(true, Ordering::AcqRel) { Posted::More } else { Posted::First }
    }

    /// Appends all that is there to `out`. `meanwhile` is called while nobody can put anything in.
    pub(super) fn take(&self, out: &mut Vec<u8>, meanwhile: impl FnOnce()) {
        let mut bytes = self.bytes.lock();
        self.filled.store(false, Ordering::Release);
        if out.is_empty() {
            std::mem::swap(out, &mut bytes);
        } else {
            out.extend_from_slice(&bytes);
            bytes.clear();
        }
        if bytes.capacity() > KEPT_MAX {
            *bytes = Vec::new();
        }
        meanwhile();
    }

    #[inline]
    pub(super) fn is_filled(&self) -> bool {
        self.filled.load(Ordering::Acquire)
    }

    /// Bytes that wait here.
    pub(super) fn len(&self) -> usize {
        self.bytes.lock().len()
    }

    /// True when more than the bounds allow has waited for long enough, as of `now`.
    pub(super) fn is_over(&self, bound: Bound, now: Millis) -> bool {
        let bytes = self.bytes.lock();
        let waiting = bytes.len() as u64 + self.writing.load(Ordering::Relaxed);
        waiting >= bound.hard || self.is_overdue(waiting, bound, now)
    }

    /// To be called while the bytes are locked.
    fn is_overdue(&self, waiting: u64, bound: Bound, now: Millis) -> bool {
        if waiting < bound.soft {
            self.over_since.store(0, Ordering::Relaxed);
            return false;
        }
        match self.over_since.load(Ordering::Relaxed) {
            0 => {
                self.over_since.store(now.max(1), Ordering::Relaxed);
                false
            }
            since => now - since > bound.soft_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(outbox: &Outbox, text: &[u8], bound: Bound, now: Millis) -> Posted {
        outbox.post(text.len(), bound, now, |bytes| bytes.extend_from_slice(text))
    }

    #[test]
    fn what_is_put_in_comes_out_in_order_and_once() {
        let outbox = Outbox::default();
        assert_eq!(post(&outbox, b"one ", Bound::NONE, 0), Posted::First);
        assert_eq!(post(&outbox, b"two", Bound::NONE, 0), Posted::More);
        assert!(outbox.is_filled());
        let mut out = b"replies, ".to_vec();
        outbox.take(&mut out, || {});
        assert_eq!(out, b"replies, one two");
        assert!(!outbox.is_filled() && outbox.len() == 0);
        assert_eq!(post(&outbox, b"three", Bound::NONE, 0), Posted::First);
        let mut out = Vec::new();
        outbox.take(&mut out, || {});
        assert_eq!(out, b"three");
    }

    #[test]
    fn the_hard_bound_counts_what_is_being_written() {
        let outbox = Outbox::default();
        let bound = Bound { hard: 10, ..Bound::NONE };
        assert_eq!(post(&outbox, b"12345", bound, 0), Posted::First);
        assert_eq!(post(&outbox, b"1234", bound, 0), Posted::More);
        assert_eq!(post(&outbox, b"1", bound, 0), Posted::Full);
        outbox.take(&mut Vec::new(), || {});
        outbox.writing.store(9, Ordering::Relaxed);
        assert_eq!(post(&outbox, b"1", bound, 0), Posted::Full);
        outbox.writing.store(0, Ordering::Relaxed);
        assert_eq!(post(&outbox, b"1", bound, 0), Posted::First);
    }

    #[test]
    fn the_soft_bound_ends_only_who_is_over_it_without_a_break() {
        let outbox = Outbox::default();
        let bound = Bound { soft: 5, soft_ms: 1000, ..Bound::NONE };
        post(&outbox, b"123456", bound, 1_000);
        assert!(!outbox.is_over(bound, 2_000));
        assert!(outbox.is_over(bound, 2_001));
        outbox.take(&mut Vec::new(), || {});
        assert!(!outbox.is_over(bound, 2_500), "there is nothing any more");
        post(&outbox, b"123456", bound, 3_000);
        assert!(!outbox.is_over(bound, 4_000), "the time begins anew");
        assert_eq!(post(&outbox, b"7", bound, 4_001), Posted::Full);
    }
}
