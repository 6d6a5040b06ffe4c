//! Who else hears what is appended: replicas. The log knows only that somebody follows, and hands him each unit in the
//! order in which it got it, without the lines that are the file's own. He may follow while the log itself is off.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// The databases of a unit: that of its first command, and the one in force at its end.
pub type Databases = (u32, u32);

/// Whoever follows.
pub trait Follower: Send + Sync {
    /// Takes a unit, a command or several between MULTI and EXEC, which begins in the first database and ends in the
    /// second. Called with the locks of the unit held, so it must wait for nobody.
    fn follow(&self, databases: Databases, unit: &[u8]);
}

/// See the module.
#[derive(Default)]
pub(super) struct Tap {
    open: AtomicBool,
    to: OnceLock<Box<dyn Follower>>,
}

impl Tap {
    /// Whether anybody follows.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    #[cold]
    pub(super) fn hand(&self, databases: Databases, unit: &[u8]) {
        if let Some(follower) = self.to.get() {
            follower.follow(databases, unit);
        }
    }
}

impl super::Log {
    /// Names the follower, once, at the start. He hears nothing before [`Log::open_tap`](super::Log::open_tap).
    pub fn set_follower(&self, follower: Box<dyn Follower>) {
        // Set once: there is one place that does.
        let _ = self.tap.to.set(follower);
    }

    /// From now on the follower hears all that is appended. To be called while nobody appends, where it matters what is the
    /// first that he hears.
    pub fn open_tap(&self) {
        self.tap.open.store(true, Ordering::Relaxed);
    }

    /// The follower hears nothing more, or little: what is being appended at this moment.
    pub fn close_tap(&self) {
        self.tap.open.store(false, Ordering::Relaxed);
    }

    /// Whether anybody follows.
    #[inline]
    pub fn is_followed(&self) -> bool {
        self.tap.is_open()
    }

    /// Hands the follower what is no record, such as a message to a channel.
    pub fn pass_on(&self, db: u32, unit: &[u8]) {
        if self.is_followed() {
            self.tap.hand((db, db), unit);
        }
    }
}
