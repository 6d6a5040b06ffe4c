//! A cursor over a request's arguments: what a handler reads, in order, with the refusals that Redis gives.

use super::limits;
use crate::base::clock::Millis;
use crate::base::number;
use crate::base::random::Random;
use crate::base::refusal::Refusal;
use crate::config::Config;
use crate::log::rdb::Limits;
use crate::resp::request::Request;
use crate::value::{hash, list, set, stream, zset};
use std::sync::LazyLock;

/// The arguments of one command, and the circumstances under which it runs.
pub struct Args<'a> {
    request: Request<'a>,
    at: usize,
    db: usize,
    now: Millis,
    config: &'a Config,
    chance: u64,
}

impl<'a> Args<'a> {
    /// A cursor at word `at` of a request to database `db`. `now` is the time of the turn, `chance` any number that
    /// nobody can foresee.
    #[inline]
    pub fn new(
        request: Request<'a>,
        at: usize,
        db: usize,
        now: Millis,
        config: &'a Config,
        chance: u64,
    ) -> Self {
        Args { request, at, db, now, config, chance }
    }

    /// A cursor for looking at a request without running it: of no database, at no time, with default settings.
    pub fn looking(request: Request<'a>, at: usize) -> Self {
        static DEFAULT: LazyLock<Config> = LazyLock::new(Config::default);
        Args::new(request, at, 0, 0, &DEFAULT, 0)
    }

    /// The settings at the beginning of the turn.
    pub fn settings(&self) -> &'a Config {
        self.config
    }

    /// Chance, for SPOP and the like. A command's effect must not depend on it.
    pub fn random(&self) -> Random {
        Random::seeded(self.chance)
    }

    /// Up to which size values are compact.
    pub fn limits(&self) -> Limits {
        limits::of(self.config)
    }

    /// Up to which size a hash is compact.
    pub fn hash_limits(&self) -> hash::Thresholds {
        self.limits().hash
    }

    /// Up to which size a set is compact.
    pub fn set_limits(&self) -> set::Thresholds {
        self.limits().set
    }

    /// Up to which size a sorted set is compact.
    pub fn zset_limits(&self) -> zset::Thresholds {
        self.limits().zset
    }

    /// How much one chunk of a list takes.
    pub fn list_limit(&self) -> list::ChunkLimit {
        self.limits().list
    }

    /// How much one chunk of a stream takes.
    pub fn stream_limit(&self) -> stream::ChunkLimit {
        self.limits().stream
    }

    /// The whole request, the name included.
    pub fn request(&self) -> Request<'a> {
        self.request
    }

    /// The database that the session has selected.
    pub fn db(&self) -> usize {
        self.db
    }

    /// The time of the turn in Unix milliseconds; 0 during replay, when nothing expires.
    pub fn now(&self) -> Millis {
        self.now
    }

    /// Number of words left.
    pub fn left(&self) -> usize {
        self.request.len().saturating_sub(self.at)
    }

    /// True when no word is left.
    pub fn is_done(&self) -> bool {
        self.left() == 0
    }

    /// The next word; a syntax error where there is none.
    #[inline]
    pub fn word(&mut self) -> Result<&'a [u8], Refusal> {
        let word = self.request.get(self.at).ok_or(Refusal::Syntax)?;
        self.at += 1;
        Ok(word)
    }

    /// The next word, if there is one.
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "a cursor is read in many ways, of which this is one")]
    pub fn next(&mut self) -> Option<&'a [u8]> {
        self.word().ok()
    }

    /// The next word without consuming it.
    pub fn peek(&self) -> Option<&'a [u8]> {
        self.request.get(self.at)
    }

    /// Consumes the next word if it is this one in any case.
    pub fn accept(&mut self, word: &str) -> bool {
        let is_it = self.peek().is_some_and(|next| next.eq_ignore_ascii_case(word.as_bytes()));
        self.at += usize::from(is_it);
        is_it
    }

    /// The words that are left; they stay unconsumed.
    pub fn rest(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone + use<'a> {
        let request = self.request;
        (self.at..request.len()).map(move |index| request.arg(index))
    }

    /// The next word as a 64-bit integer.
    #[inline]
    pub fn int(&mut self) -> Result<i64, Refusal> {
        number::parse_i64(self.word()?).ok_or(Refusal::NotInteger)
    }

    /// The next word as an integer within bounds; `text` is the refusal outside of them.
    pub fn int_within(&mut self, range: std::ops::RangeInclusive<i64>, text: &str) -> Result<i64, Refusal> {
        let integer = self.int()?;
        if range.contains(&integer) { Ok(integer) } else { Err(Refusal::err(text)) }
    }

    /// The next word as a float.
    pub fn float(&mut self) -> Result<f64, Refusal> {
        number::parse_f64(self.word()?).ok_or(Refusal::NotFloat)
    }

    /// A syntax error if a word is left.
    pub fn end(&self) -> Result<(), Refusal> {
        if self.is_done() { Ok(()) } else { Err(Refusal::Syntax) }
    }
}
