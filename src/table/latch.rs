//! The lock of a stripe.
//!
//! A command takes and leaves one two or three times, mostly alone: what that costs is the cost of the processor's locked
//! instructions, each as much as a dozen others and a barrier besides. A lock that wakes who waits for it needs two, as it
//! must look whether somebody came in the meantime. This one wakes nobody and needs one: leaving is a plain store. Who
//! finds it held looks again, at once at first and then after short sleeps, so a stripe that is held for long costs him no
//! more than a few looks a millisecond. That is rare: there are thousands of stripes, each held for well under a
//! microsecond.

#![expect(unsafe_code, reason = "the trait that guards are made of")]

use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use lock_api::{GuardNoSend, RawMutex};

/// A mutex with this lock.
pub(super) type Mutex<T> = lock_api::Mutex<Latch, T>;
/// Its guard.
pub(super) type MutexGuard<'m, T> = lock_api::MutexGuard<'m, Latch, T>;

/// Looks that follow each other directly, and those, the first included, after which the thread only lets others run.
const SPINS: u32 = 100;
const YIELDS: u32 = 110;
/// The first sleep between two looks, and the longest.
const SLEEP_MIN: Duration = Duration::from_micros(20);
const SLEEP_MAX: Duration = Duration::from_micros(500);

/// True while somebody holds it.
pub(super) struct Latch(AtomicBool);

// SAFETY: only one thread at a time can change it from false to true, and only who did so calls `unlock`; what happened
// before that store is seen by whoever changes it next, as the one releases and the other acquires.
unsafe impl RawMutex for Latch {
    const INIT: Self = Latch(AtomicBool::new(false));

    type Guard = GuardNoSend;

    #[inline]
    fn lock(&self) -> GuardNoSend {
        self.try_lock().unwrap_or_else(|| self.wait())
    }

    #[inline]
    fn try_lock(&self) -> Option<GuardNoSend> {
        let taken = self.0.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed);
        taken.is_ok().then(GuardNoSend::new)
    }

    #[inline]
    unsafe fn unlock(&self, _: GuardNoSend) {
        self.0.store(false, Ordering::Release);
    }

    #[inline]
    fn is_locked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Latch {
    /// Takes it as soon as a look finds it free.
    #[cold]
    fn wait(&self) -> GuardNoSend {
        let mut looks = 0u32;
        let mut sleep = SLEEP_MIN;
        loop {
            if !self.is_locked()
                && let Some(guard) = self.try_lock()
            {
                return guard;
            }
            looks += 1;
            match looks {
                0..SPINS => spin_loop(),
                SPINS..YIELDS => thread::yield_now(),
                _ => {
                    looks = YIELDS;
                    thread::sleep(sleep);
                    sleep = (2 * sleep).min(SLEEP_MAX);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// What the threads change is no atomic, so that a lock that let two in would lose some.
    #[test]
    fn one_at_a_time_has_it_and_sees_what_others_did() {
        const THREADS: u64 = 4;
        const TIMES: u64 = 50_000;
        let value = Mutex::new((0u64, 0u64));
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let value = &value;
                scope.spawn(move || {
                    for time in 0..TIMES {
                        let mut both = match (time + thread) % 3 {
                            0 => value.lock(),
                            _ => match value.try_lock() {
                                Some(guard) => guard,
                                None => value.lock(),
                            },
                        };
                        assert_eq!(both.0, both.1, "somebody is in the middle of it");
                        both.0 += 1;
                        // Let the other threads run while it is held, now and then.
                        if time % 1024 == 0 {
                            thread::yield_now();
                        }
                        both.1 += 1;
                    }
                });
            }
        });
        assert_eq!(*value.lock(), (THREADS * TIMES, THREADS * TIMES));
    }

    #[test]
    fn who_finds_it_held_for_long_gets_it_afterwards() {
        let value = Mutex::new(1);
        let (held, is_held) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut guard = value.lock();
                held.send(()).unwrap();
                thread::sleep(Duration::from_millis(30));
                *guard = 2;
            });
            is_held.recv().unwrap();
            assert!(value.is_locked() && value.try_lock().is_none());
            assert_eq!(*value.lock(), 2);
        });
        assert!(!value.is_locked());
    }
}
