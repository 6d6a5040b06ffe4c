//! What a reader hands out: units of commands, as slices of the increment.
//!
//! Three flat lists that are used again and again, so that replaying millions of small commands asks for no
//! memory.

use super::record::Seq;

/// One command, with the database that it runs in. MULTI, EXEC and SELECT are not handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command<'g, 'a> {
    pub db: u32,
    pub args: &'g [&'a [u8]],
}

/// What is replayed wholly or not at all.
#[derive(Debug, Clone, Copy)]
pub struct Unit<'g, 'a> {
    pub seq: Seq,
    /// The wall time of the last `#TS` line before it, in seconds; 0 when there was none.
    pub time_unix_s: i64,
    batch: &'g Batch<'a>,
    commands: (usize, usize),
}

impl<'g, 'a> Unit<'g, 'a> {
    /// The unit's commands: one, or those of a transaction (perhaps none).
    pub fn commands(&self) -> impl ExactSizeIterator<Item = Command<'g, 'a>> + use<'g, 'a> {
        let batch = self.batch;
        let (from, to) = self.commands;
        batch
            .commands
            .get(from..to)
            .unwrap_or_default()
            .iter()
            .map(move |&(db, from, to)| Command { db, args: batch.args.get(from..to).unwrap_or_default() })
    }
}

/// Units that were checked together. The reader uses one batch again and again.
#[derive(Debug, Default)]
pub struct Batch<'a> {
    pub(super) args: Vec<&'a [u8]>,
    /// Database, and the range of `args`.
    pub(super) commands: Vec<(u32, usize, usize)>,
    /// For each unit the end of its range of `commands`.
    pub(super) units: Vec<usize>,
    /// `#TS` lines: how many units came before, and the time in seconds.
    pub(super) stamps: Vec<(usize, i64)>,
    before: Seq,
    time_before_unix_s: i64,
}

impl<'a> Batch<'a> {
    /// The units, in the order of the log.
    pub fn units(&self) -> impl ExactSizeIterator<Item = Unit<'_, 'a>> {
        let mut stamps = self.stamps.iter().peekable();
        let mut time_unix_s = self.time_before_unix_s;
        self.units.iter().enumerate().map(move |(i, &end)| {
            while let Some((_, stamp)) = stamps.next_if(|(units, _)| *units <= i) {
                time_unix_s = *stamp;
            }
            let begin = i.checked_sub(1).and_then(|i| self.units.get(i)).copied().unwrap_or_default();
            Unit { seq: self.before + i as Seq + 1, time_unix_s, batch: self, commands: (begin, end) }
        })
    }

    /// The time after the last `#TS` line.
    pub(super) fn time_after_unix_s(&self) -> i64 {
        self.stamps.last().map_or(self.time_before_unix_s, |(_, stamp)| *stamp)
    }

    pub(super) fn clear(&mut self, before: Seq, time_before_unix_s: i64) {
        self.args.clear();
        self.commands.clear();
        self.units.clear();
        self.stamps.clear();
        (self.before, self.time_before_unix_s) = (before, time_before_unix_s);
    }
}
