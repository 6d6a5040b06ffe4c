//! The operation log's lines, from those who run commands to the thread that writes them.
//!
//! ```text
//! 2024-10-07 14:07:10 - PUT - Key: key_1, Value: value_1
//! 2024-10-07 14:07:11 - GET - Key: key_1
//! 2024-10-07 14:07:12 - DELETE - Key: key_1
//! 2024-10-07 14:07:13 - SAVE: bgsave
//! ```
//!
//! The time is UTC. Bytes that are not printable ASCII or UTF-8 letters are written as `\xHH`, so no client can forge a line; a long
//! key or value is cut, with a note. Whoever runs a command only puts its line into a buffer. When that is full because the
//! disk is slow, lines are left out and counted rather than anybody slowed down.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::base::clock::Millis;

/// Bytes of lines that may wait to be written.
const WAITING_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes of a key or value that are shown.
const SHOWN_BYTES_MAX: usize = 256;

/// What an operation was.
#[derive(Debug, Clone, Copy)]
pub enum Operation<'a> {
    /// A key got a value.
    Put {
        /// Its name.
        key: &'a [u8],
        /// What was given for it.
        value: &'a [u8],
    },
    /// A key was read.
    Get(&'a [u8]),
    /// A key was removed.
    Delete(&'a [u8]),
    /// The data was saved, by this command.
    Save(&'a str),
}

/// The lines that wait. Off, and then nearly free, until [`Operations::turn_on`].
#[derive(Default)]
pub struct Operations {
    on: AtomicBool,
    waiting: Mutex<Waiting>,
    filled: Condvar,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    /// Lines left out since the last were taken.
    lost: u64,
    ended: bool,
    /// The second that `stamp` tells.
    second: i64,
    stamp: String,
}

impl Operations {
    /// Lines are gathered from now on: there must be somebody who takes them.
    pub fn turn_on(&self) {
        self.on.store(true, Ordering::Release);
    }

    /// True while operations are to be noted.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// Notes an operation at this time.
    pub fn note(&self, now: Millis, operation: Operation<'_>) {
        let mut waiting = self.waiting.lock();
        if waiting.lines.len() >= WAITING_BYTES_MAX {
            waiting.lost += 1;
            return;
        }
        let was_empty = waiting.lines.is_empty();
        waiting.set_second(now.div_euclid(1000));
        let Waiting { lines, stamp, .. } = &mut *waiting;
        lines.extend_from_slice(stamp.as_bytes());
        match operation {
            Operation::Put { key, value } => {
                lines.extend_from_slice(b" - PUT - Key: ");
                show(key, lines);
                lines.extend_from_slice(b", Value: ");
                show(value, lines);
            }
            Operation::Get(key) => {
                lines.extend_from_slice(b" - GET - Key: ");
                show(key, lines);
            }
            Operation::Delete(key) => {
                lines.extend_from_slice(b" - DELETE - Key: ");
                show(key, lines);
            }
            Operation::Save(how) => {
                lines.extend_from_slice(b" - SAVE: ");
                show(how.as_bytes(), lines);
            }
        }
        lines.push(b'\n');
        drop(waiting);
        if was_empty {
            self.filled.notify_one();
        }
    }

    /// Swaps the lines that wait into `out`, which is emptied first; sleeps until there are some, then a moment more, so that they
    /// come in handfuls. False when there will be no more.
    pub fn take(&self, out: &mut Vec<u8>, moment: Duration) -> bool {
        out.clear();
        let mut waiting = self.waiting.lock();
        while waiting.lines.is_empty() && !waiting.ended {
            self.filled.wait(&mut waiting);
        }
        if !waiting.ended {
            self.filled.wait_for(&mut waiting, moment);
        }
        std::mem::swap(&mut waiting.lines, out);
        if std::mem::take(&mut waiting.lost) > 0 {
            out.extend_from_slice(waiting.stamp.as_bytes());
            out.extend_from_slice(b" - LOST: the disk was too slow, operations are missing here\n");
        }
        !waiting.ended || !out.is_empty()
    }

    /// Nothing is noted any more; what waits may still be taken.
    pub fn end(&self) {
        self.on.store(false, Ordering::Release);
        self.waiting.lock().ended = true;
        self.filled.notify_all();
    }
}

impl Waiting {
    /// Makes `stamp` tell this second.
    fn set_second(&mut self, second: i64) {
        if self.second == second && !self.stamp.is_empty() {
            return;
        }
        self.second = second;
        let (days, rest) = (second.div_euclid(86_400), second.rem_euclid(86_400));
        let (year, month, day) = date(days);
        let (hour, minute) = (rest / 3600, rest / 60 % 60);
        self.stamp = format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{:02}", rest % 60);
    }
}

/// The Gregorian date of a day, counted from 1970-01-01.
fn date(days: i64) -> (i64, i64, i64) {
    // Years are counted from March here, so that the leap day is the last of its year. 146097 days are 400 years.
    let from_march_0 = days + 719_468;
    let (era, day_of_era) = (from_march_0.div_euclid(146_097), from_march_0.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Months from March on have 31, 30, 31, 30, 31 days, over and over: 153 days in five.
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// Writes a key or value so that it stays within its line.
fn show(bytes: &[u8], out: &mut Vec<u8>) {
    let shown = bytes.get(..SHOWN_BYTES_MAX).unwrap_or(bytes);
    for chunk in shown.utf8_chunks() {
        for letter in chunk.valid().chars() {
            let mut utf8 = [0; 4];
            let letter_bytes = letter.encode_utf8(&mut utf8).as_bytes();
            // Besides control characters: what ends a line to some programs, or turns the direction of writing.
            let is_plain =
                !letter.is_control() && !matches!(letter, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            if is_plain && letter != '\\' {
                out.extend_from_slice(letter_bytes);
            } else {
                hex(letter_bytes, out);
            }
        }
        hex(chunk.invalid(), out);
    }
    if bytes.len() > shown.len() {
        out.extend_from_slice(format!("... ({} more bytes)", bytes.len() - shown.len()).as_bytes());
    }
}

fn hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.extend([b'\\', b'x', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(note: impl FnOnce(&Operations)) -> String {
        let operations = Operations::default();
        note(&operations);
        operations.end();
        let mut out = Vec::new();
        operations.take(&mut out, Duration::ZERO);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_have_the_form_that_their_readers_know() {
        let text = lines(|operations| {
            let at = 1_728_310_030_999;
            operations.note(at, Operation::Put { key: b"key_1", value: b"value_1" });
            operations.note(at + 1, Operation::Get(b"key_1"));
            operations.note(at + 1001, Operation::Delete("schlüssel".as_bytes()));
            operations.note(at + 1001, Operation::Save("save"));
        });
        let expected = "2024-10-07 14:07:10 - PUT - Key: key_1, Value: value_1\n\
                        2024-10-07 14:07:11 - GET - Key: key_1\n\
                        2024-10-07 14:07:12 - DELETE - Key: schlüssel\n\
                        2024-10-07 14:07:12 - SAVE: save\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn no_key_or_value_leaves_its_line() {
        let long = vec![b'x'; 300];
        let text = lines(|operations| {
            operations.note(
                0,
                Operation::Put { key: b"a\r\nb\\\x1b[m\xff\x00", value: "\u{85}\u{2028}\u{202e}".as_bytes() },
            );
            operations.note(0, Operation::Get(&long));
        });
        let expected = format!(
            "1970-01-01 00:00:00 - PUT - Key: a\\x0d\\x0ab\\x5c\\x1b[m\\xff\\x00, Value: \
             \\xc2\\x85\\xe2\\x80\\xa8\\xe2\\x80\\xae\n1970-01-01 00:00:00 - GET - Key: {}... (44 more bytes)\n",
            "x".repeat(256)
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn dates_follow_the_calendar() {
        for (days, expected) in [
            (-1, (1969, 12, 31)),
            (0, (1970, 1, 1)),
            (59, (1970, 3, 1)),
            (789, (1972, 2, 29)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
        ] {
            assert_eq!(date(days), expected, "{days}");
        }
        // Every day is the next one of the day before.
        let mut before = date(-1000);
        for days in -999..60_000 {
            let (year, month, day) = date(days);
            let follows = (year, month, day) == (before.0, before.1, before.2 + 1)
                || (year, month, day) == (before.0, before.1 + 1, 1)
                || (year, month, day) == (before.0 + 1, 1, 1);
            assert!(follows, "{before:?} {year} {month} {day}");
            before = (year, month, day);
        }
    }

    #[test]
    fn what_does_not_fit_is_told_of_instead_of_waited_for() {
        let operations = Operations::default();
        let value = vec![b'x'; 200];
        (0..60_000).for_each(|_| operations.note(0, Operation::Put { key: b"k", value: &value }));
        operations.end();
        let mut out = Vec::new();
        assert!(operations.take(&mut out, Duration::ZERO));
        assert!(out.len() < WAITING_BYTES_MAX + 1024);
        assert!(String::from_utf8_lossy(&out).trim_end().ends_with("operations are missing here"));
        assert!(!operations.take(&mut out, Duration::ZERO));
    }
}
