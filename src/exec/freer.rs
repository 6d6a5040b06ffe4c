//! Frees in the background what would take long: big values that were removed, and all that FLUSHALL leaves. What else is to
//! be done to memory while nobody waits is done here, too.
//!
//! The table lays such garbage aside, the end of each turn hands it over ([`Freer::free`]), and one thread drops it. So it
//! is done whatever the command was, and the directives `lazyfree-*` have nothing to choose. What waits is counted, in
//! objects and bytes: it is memory in use.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::base::allocator;
use crate::base::background::Background;
use crate::base::huge_pages::HugePages;
use crate::table::Garbage;

/// The way to the thread. It ends when this is dropped, or with the process.
pub struct Freer {
    thread: Background,
    counts: Arc<Counts>,
    pages: Arc<Mutex<Option<HugePages>>>,
    /// Full stretches were not made huge yet.
    pages_left: Arc<AtomicBool>,
}

#[derive(Default)]
struct Counts {
    pending: AtomicU64,
    pending_bytes: AtomicU64,
    freed: AtomicU64,
}

impl Default for Freer {
    fn default() -> Self {
        Freer {
            thread: Background::new("free"),
            counts: Arc::default(),
            pages: Arc::default(),
            pages_left: Arc::default(),
        }
    }
}

impl Freer {
    /// Has garbage freed.
    #[inline]
    pub fn free(&self, garbage: Vec<Garbage>) {
        if !garbage.is_empty() {
            self.hand_over(garbage);
        }
    }

    #[cold]
    fn hand_over(&self, garbage: Vec<Garbage>) {
        for piece in &garbage {
            self.counts.pending.fetch_add(piece.objects as u64, Ordering::Relaxed);
            self.counts.pending_bytes.fetch_add(piece.bytes as u64, Ordering::Relaxed);
        }
        let counts = self.counts.clone();
        self.thread.run(Box::new(move || garbage.into_iter().for_each(|piece| counts.dispose(piece))));
    }

    /// Has free memory given back to the operating system, after all that was handed over is freed.
    pub fn give_back(&self) {
        self.thread.run(Box::new(allocator::give_back));
    }

    /// Whose pages are tended.
    pub fn watch_over(&self, pages: HugePages) {
        *self.pages.lock() = Some(pages);
    }

    /// Has full stretches of memory made huge pages, if memory is calm.
    pub fn tend_pages(&self, is_calm: bool) {
        let (pages, left) = (self.pages.clone(), self.pages_left.clone());
        self.thread.run(Box::new(move || {
            if let Some(pages) = &mut *pages.lock() {
                left.store(pages.tend(is_calm), Ordering::Relaxed);
            }
        }));
    }

    /// True when there are full stretches that were not made huge yet.
    pub fn has_pages_left(&self) -> bool {
        self.pages_left.load(Ordering::Relaxed)
    }

    /// Objects that wait to be freed.
    pub fn pending(&self) -> u64 {
        self.counts.pending.load(Ordering::Acquire)
    }

    /// Bytes of the objects that wait to be freed.
    pub fn pending_bytes(&self) -> u64 {
        self.counts.pending_bytes.load(Ordering::Relaxed)
    }

    /// Objects that were freed, since the start or since [`Freer::forget`].
    pub fn freed(&self) -> u64 {
        self.counts.freed.load(Ordering::Relaxed)
    }

    /// Counts what is freed from 0 again.
    pub fn forget(&self) {
        self.counts.freed.store(0, Ordering::Relaxed);
    }
}

impl Counts {
    fn dispose(&self, garbage: Garbage) {
        let (objects, bytes) = (garbage.objects as u64, garbage.bytes as u64);
        drop(garbage);
        self.freed.fetch_add(objects, Ordering::Relaxed);
        self.pending_bytes.fetch_sub(bytes, Ordering::Relaxed);
        // Last, so that who sees that nothing is pending sees the other counts as well.
        self.pending.fetch_sub(objects, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Tells the name of the thread that drops it, then waits until it may go.
    struct Held(Sender<Option<String>>, Receiver<()>);

    impl Drop for Held {
        fn drop(&mut self) {
            self.0.send(std::thread::current().name().map(str::to_owned)).unwrap();
            self.1.recv().unwrap();
        }
    }

    #[test]
    fn garbage_counts_as_pending_until_the_other_thread_has_dropped_it() {
        let freer = Freer::default();
        let (sender, dropped_by) = channel();
        let (release, released) = channel();
        freer.free(vec![Garbage::new(3, 500, Held(sender, released)), Garbage::new(4, 70, ())]);
        assert_eq!(dropped_by.recv().unwrap().as_deref(), Some("free"));
        assert_eq!((freer.pending(), freer.pending_bytes(), freer.freed()), (7, 570, 0));
        release.send(()).unwrap();
        while freer.pending() > 0 {
            std::thread::yield_now();
        }
        assert_eq!((freer.pending_bytes(), freer.freed()), (0, 7));
        freer.forget();
        assert_eq!(freer.freed(), 0);
    }

    #[test]
    fn the_end_waits_for_nothing_that_is_still_to_be_freed() {
        let freer = Freer::default();
        let (sender, dropped_by) = channel();
        let (release, released) = channel();
        freer.free(vec![Garbage::new(1, 1, Held(sender, released))]);
        dropped_by.recv().unwrap();
        // Comes back although the thread is held.
        drop(freer);
        release.send(()).unwrap();
    }
}
