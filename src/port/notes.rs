//! What a person sees of an import or export: how far it is, and in the end what was read, what was skipped, and why.
//!
//! On a terminal there is a bar; elsewhere, as in a script's log, a plain line now and then. Both go to standard error, where
//! they do not get into exported data.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Read};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::base::clock::Clock;

/// Time between two plain lines.
const PLAIN_EVERY: Duration = Duration::from_secs(5);
/// Keys between two looks at the clock.
const LOOK_EVERY: u64 = 4096;
/// Errors that are told in full; the rest is counted.
const TOLD_MAX: usize = 10;

/// See the head of this file.
pub(super) struct Notes {
    task: String,
    clock: Clock,
    bar: ProgressBar,
    is_plain: bool,
    /// Bytes or keys to come, 0 where nobody knows.
    total: u64,
    done: Cell<u64>,
    keys: Cell<u64>,
    last_line: Cell<Duration>,
    kinds: RefCell<BTreeMap<&'static str, u64>>,
    remarks: RefCell<BTreeMap<String, u64>>,
    skipped: RefCell<BTreeMap<String, u64>>,
    refused: Cell<u64>,
    told: RefCell<Vec<String>>,
}

impl Notes {
    /// Begins. `task` says what is done, such as `reading x.rdb`.
    pub(super) fn new(task: impl Into<String>, total: u64) -> Notes {
        let task = task.into();
        let is_plain = !io::stderr().is_terminal();
        let bar = if is_plain {
            ProgressBar::hidden()
        } else {
            ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(8))
        };
        let template = match total {
            0 => "{msg}: {pos} {spinner}",
            _ => "{msg} [{bar:30}] {percent} %, {eta} to go",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        if total > 0 {
            bar.set_length(total);
        }
        bar.set_message(task.clone());
        Notes {
            task,
            clock: Clock::real(),
            bar,
            is_plain,
            total,
            done: Cell::new(0),
            keys: Cell::new(0),
            last_line: Cell::new(Duration::ZERO),
            kinds: RefCell::default(),
            remarks: RefCell::default(),
            skipped: RefCell::default(),
            refused: Cell::new(0),
            told: RefCell::default(),
        }
    }

    /// So many bytes (or keys, where those are counted) are behind us.
    pub(super) fn advance(&self, by: u64) {
        self.done.set(self.done.get() + by);
        self.bar.inc(by);
    }

    /// A key of this type was read.
    pub(super) fn key(&self, kind: &'static str) {
        *self.kinds.borrow_mut().entry(kind).or_default() += 1;
        let keys = self.keys.get() + 1;
        self.keys.set(keys);
        if self.is_plain && keys.is_multiple_of(LOOK_EVERY) {
            self.plain_line(keys);
        }
    }

    fn plain_line(&self, keys: u64) {
        let now = self.clock.elapsed();
        if now - self.last_line.get() < PLAIN_EVERY {
            return;
        }
        self.last_line.set(now);
        let share = match self.total {
            0 => String::new(),
            total => format!(", {} %", self.done.get().min(total) * 100 / total),
        };
        self.say(&format!("{}: {keys} keys{share}", self.task));
    }

    /// Something that happened to keys that were taken.
    pub(super) fn remark(&self, what: impl Into<String>) {
        *self.remarks.borrow_mut().entry(what.into()).or_default() += 1;
    }

    /// A key, or something else, was left out for this reason.
    pub(super) fn skip(&self, why: impl Into<String>) {
        *self.skipped.borrow_mut().entry(why.into()).or_default() += 1;
    }

    /// A server did not take a key.
    pub(super) fn refuse(&self, key: &[u8], why: &str) {
        self.refused.set(self.refused.get() + 1);
        let mut told = self.told.borrow_mut();
        if told.len() < TOLD_MAX {
            told.push(format!("{}: {why}", key.escape_ascii()));
        }
    }

    /// Keys that a server did not take.
    pub(super) fn refused(&self) -> u64 {
        self.refused.get()
    }

    /// A line for a person, in the middle of it.
    #[expect(clippy::print_stderr, reason = "this is where an import speaks to its user")]
    pub(super) fn say(&self, line: &str) {
        self.bar.suspend(|| eprintln!("pinstripe: {line}"));
    }

    /// Ends the bar and tells what was done.
    pub(super) fn report(&self, end: &str) {
        self.bar.finish_and_clear();
        self.say(&self.summary(end, self.clock.elapsed()));
    }

    /// Ends the bar without a word.
    pub(super) fn quiet(&self) {
        self.bar.finish_and_clear();
    }

    fn summary(&self, end: &str, took: Duration) -> String {
        let mut text = format!("{} keys {end} in {:.1} s", self.keys.get(), took.as_secs_f64());
        let list = |rows: &RefCell<BTreeMap<_, u64>>| -> String {
            let rows = rows.borrow();
            let parts: Vec<String> = rows.iter().map(|(what, count)| format!("{count} {what}")).collect();
            parts.join(", ")
        };
        if self.keys.get() > 0 {
            let _ = write!(text, ": {}", list_static(&self.kinds));
        }
        for (head, rows) in [("also", &self.remarks), ("skipped", &self.skipped)] {
            if !rows.borrow().is_empty() {
                let _ = write!(text, "\n  {head}: {}", list(rows));
            }
        }
        if self.refused.get() > 0 {
            let _ = write!(text, "\n  errors: {}", self.refused.get());
            for line in self.told.borrow().iter() {
                let _ = write!(text, "\n    {line}");
            }
        }
        text
    }
}

fn list_static(rows: &RefCell<BTreeMap<&'static str, u64>>) -> String {
    let rows = rows.borrow();
    let parts: Vec<String> = rows.iter().map(|(what, count)| format!("{count} {what}")).collect();
    parts.join(", ")
}

/// A reader that tells how far it is.
pub(super) struct Counted<'n, R> {
    pub(super) inner: R,
    pub(super) notes: &'n Notes,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.notes.advance(count as u64);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_tells_what_was_read_and_what_was_not() {
        let notes = Notes::new("reading", 0);
        ["string", "string", "hash"].into_iter().for_each(|kind| notes.key(kind));
        notes.remark("numbers stored as their text");
        notes.skip("expired");
        notes.refuse(b"k\n", "ERR no");
        let expected = "3 keys imported in 2.0 s: 1 hash, 2 string\n  also: 1 numbers stored as their text\n  \
                        skipped: 1 expired\n  errors: 1\n    k\\n: ERR no";
        assert_eq!(notes.summary("imported", Duration::from_secs(2)), expected);
    }
}
