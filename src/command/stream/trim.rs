//! The options that shorten a stream, of XADD and XTRIM:
//! `<MAXLEN | MINID> [= | ~] threshold [LIMIT count]`
//!
//! `~` removes whole chunks only, which is cheap, and stops after `LIMIT` entries. How far that went depends on how the
//! stream is kept, so the log gets the length or the id that it came to, to be reached exactly.

use super::{count, exact_id};
use crate::base::refusal::Refusal;
use crate::exec::Args;
use crate::value::Stream;
use crate::value::stream::{ChunkLimit, Id, Trim};

/// What the options say.
#[derive(Default)]
pub(super) struct Trimming {
    trim: Option<Trim>,
    approximate: bool,
    limit: Option<usize>,
}

impl Trimming {
    /// Takes the option that stands next; false where none does.
    pub(super) fn take(&mut self, args: &mut Args<'_>) -> Result<bool, Refusal> {
        let Some(word) = args.peek().filter(|_| args.left() > 1) else { return Ok(false) };
        if word.eq_ignore_ascii_case(b"maxlen") {
            self.begin(args)?;
            let length = args.int()?;
            if length < 0 {
                return Err(Refusal::line("ERR The MAXLEN argument must be >= 0."));
            }
            self.trim = Some(Trim::ToLength(count(length)));
        } else if word.eq_ignore_ascii_case(b"minid") {
            self.begin(args)?;
            self.trim = Some(Trim::Below(exact_id(args.word()?, 0)?));
        } else if word.eq_ignore_ascii_case(b"limit") {
            args.word()?;
            let limit = args.int()?;
            if limit < 0 {
                return Err(Refusal::line("ERR The LIMIT argument must be >= 0."));
            }
            self.limit = Some(count(limit));
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Steps over the name of the way to trim and the sign behind it.
    fn begin(&mut self, args: &mut Args<'_>) -> Result<(), Refusal> {
        const BOTH: Refusal =
            Refusal::line("ERR syntax error, MAXLEN and MINID options at the same time are not compatible");
        if self.trim.is_some() {
            return Err(BOTH);
        }
        args.word()?;
        self.approximate = args.left() > 1 && args.accept("~");
        if !self.approximate && args.left() > 1 {
            args.accept("=");
        }
        Ok(())
    }

    /// Refuses what does not go together. To be called after the last option.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        const WITHOUT: Refusal =
            Refusal::line("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy");
        match self.limit {
            Some(1..) if self.trim.is_none() => Err(WITHOUT),
            Some(_) if !self.approximate => {
                Err(Refusal::line("ERR syntax error, LIMIT cannot be used without the special ~ option"))
            }
            _ => Ok(()),
        }
    }

    /// Shortens a stream; by how many entries.
    pub(super) fn apply(&self, stream: &mut Stream, limit: ChunkLimit) -> usize {
        self.trim.map_or(0, |trim| stream.trim(trim, self.approximate, self.at_most(limit)))
    }

    /// True when a stream would be shortened.
    pub(super) fn applies(&self, stream: &Stream, limit: ChunkLimit) -> bool {
        self.trim.is_some_and(|trim| stream.log().trims(trim, self.approximate, self.at_most(limit)))
    }

    fn at_most(&self, limit: ChunkLimit) -> usize {
        match self.limit.unwrap_or(limit.trimmed_at_once()) {
            0 => usize::MAX,
            at_most => at_most,
        }
    }

    /// True when the words of the command repeat what was done.
    pub(super) fn is_exact(&self) -> bool {
        !self.approximate
    }

    /// The options that repeat what was done to a stream, which is as it became.
    pub(super) fn words(&self, stream: &Stream) -> Option<[Vec<u8>; 3]> {
        let log = stream.log();
        let (name, threshold) = match self.trim? {
            Trim::ToLength(length) => {
                let length = if self.approximate { log.len() } else { length };
                ("MAXLEN", length.to_string().into_bytes())
            }
            Trim::Below(id) => {
                let reached = if self.approximate && !log.is_empty() { log.first_id() } else { id };
                ("MINID", Id::text(reached).to_vec())
            }
        };
        Some([name.as_bytes().to_vec(), b"=".to_vec(), threshold])
    }
}
