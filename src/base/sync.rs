//! Locks, atomics and threads of what many threads share by rules of its own: the log.
//!
//! They are parking_lot's and the standard library's. Built with the feature `shuttle` they are those of a scheduler that
//! runs one thread at a time and chooses at each of these calls who goes on, so that a test goes through thousands of
//! different orders (`log/schedule_tests.rs`). It knows no time: there a wait with a limit ends only when somebody calls.

#[cfg(not(feature = "shuttle"))]
pub use parking_lot::{Condvar, Mutex, MutexGuard};
#[cfg(feature = "shuttle")]
pub use scheduled::{Condvar, Mutex, MutexGuard, spawn};
#[cfg(feature = "shuttle")]
pub use shuttle::{sync::atomic, thread::JoinHandle};
#[cfg(not(feature = "shuttle"))]
pub use std::{sync::atomic, thread::JoinHandle};

/// Starts a thread with a name.
#[cfg(not(feature = "shuttle"))]
pub fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(body)
}

/// The scheduler's locks in parking_lot's form.
#[cfg(feature = "shuttle")]
#[expect(clippy::unwrap_used, reason = "the scheduler ends the test when a thread panics")]
mod scheduled {
    use std::ops::{Deref, DerefMut};
    use std::time::Duration;

    use shuttle::sync;

    #[derive(Default)]
    pub struct Mutex<T>(sync::Mutex<T>);

    /// Empty only while its owner waits.
    pub struct MutexGuard<'a, T>(Option<sync::MutexGuard<'a, T>>);

    #[derive(Default)]
    pub struct Condvar(sync::Condvar);

    impl<T> Mutex<T> {
        pub fn new(value: T) -> Self {
            Mutex(sync::Mutex::new(value))
        }

        pub fn lock(&self) -> MutexGuard<'_, T> {
            MutexGuard(Some(self.0.lock().unwrap()))
        }

        pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            self.0.try_lock().ok().map(|guard| MutexGuard(Some(guard)))
        }
    }

    impl<T> Deref for MutexGuard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            self.0.as_ref().unwrap()
        }
    }

    impl<T> DerefMut for MutexGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            self.0.as_mut().unwrap()
        }
    }

    impl Condvar {
        pub fn notify_one(&self) {
            self.0.notify_one();
        }

        pub fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, _: Duration) {
            guard.0 = guard.0.take().map(|held| self.0.wait(held).unwrap());
        }
    }

    pub fn spawn(_: &str, body: impl FnOnce() + Send + 'static) -> std::io::Result<super::JoinHandle<()>> {
        Ok(shuttle::thread::spawn(body))
    }
}
