//! What a harness hands back: how much it tried, and what went wrong. A zero is worth something only beside its N, and a
//! run that tried too little is void, which counts as a failure.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use super::dice::Dice;

/// More failures than this are counted, but not kept in words.
const WORDS_MAX: usize = 10;

/// What a harness is told.
#[derive(Clone)]
pub(crate) struct Order {
    pub(crate) seed: u64,
    pub(crate) until: Instant,
    pub(crate) target: super::process::Target,
    /// The short form must be kind to the machine it shares.
    pub(crate) short: bool,
}

impl Order {
    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    pub(crate) fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }
}

/// Does the same several times side by side, each with choices of its own, and adds up what came of it. A harness that
/// mostly waits, for processes to start and disks to be mounted, tries more in the same time that way. The short form does
/// it once.
pub(crate) fn side_by_side(order: &Order, times: u64, body: impl Fn(&Order) -> Outcome + Sync) -> Outcome {
    if order.short {
        return body(order);
    }
    let orders: Vec<Order> =
        (0..times).map(|nth| Order { seed: order.seed.wrapping_add(nth << 40), ..order.clone() }).collect();
    let body = &body;
    std::thread::scope(|scope| {
        let parts: Vec<_> = orders.iter().map(|order| scope.spawn(move || body(order))).collect();
        let mut all = Outcome::default();
        for part in parts {
            match part.join() {
                Ok(outcome) => all.add(outcome),
                Err(_) => all.fail("a part of the harness gave up; see above"),
            }
        }
        all
    })
}

/// One directory after the other until time is up, each in the next of the modes; begins with any of them.
pub(crate) fn one_after_the_other<M: Copy + Debug>(
    order: &Order,
    modes: &[M],
    body: impl Fn(&Order, &mut Dice, M, &mut Outcome) -> Result<(), String>,
) -> Outcome {
    let mut outcome = Outcome::default();
    let mut dice = Dice::new(order.seed);
    let first = dice.below(modes.len());
    for &mode in modes.iter().cycle().skip(first) {
        if order.is_over() {
            break;
        }
        if let Err(why) = body(order, &mut dice, mode, &mut outcome) {
            outcome.fail(format!("{mode:?}: {why}"));
        }
    }
    outcome
}

/// What came of it.
#[derive(Default)]
pub(crate) struct Outcome {
    counts: Vec<(String, u64)>,
    peaks: Vec<(String, u64)>,
    failed: u64,
    words: Vec<String>,
    /// Why the harness could not run here at all.
    pub(crate) skipped: Option<String>,
}

impl Outcome {
    /// Adds to a count; counts are printed in the order of their first mention, and the highest values behind them.
    pub(crate) fn count(&mut self, what: &str, n: u64) {
        match self.counts.iter_mut().find(|(name, _)| name == what) {
            Some((_, count)) => *count += n,
            None => self.counts.push((what.to_owned(), n)),
        }
    }

    /// Keeps the highest value seen.
    pub(crate) fn peak(&mut self, what: &str, n: u64) {
        match self.peaks.iter_mut().find(|(name, _)| name == what) {
            Some((_, peak)) => *peak = n.max(*peak),
            None => self.peaks.push((what.to_owned(), n)),
        }
    }

    fn add(&mut self, other: Outcome) {
        other.counts.iter().for_each(|(what, n)| self.count(what, *n));
        other.peaks.iter().for_each(|(what, n)| self.peak(what, *n));
        let more = WORDS_MAX.saturating_sub(self.words.len());
        self.words.extend(other.words.into_iter().take(more));
        self.failed += other.failed;
        self.skipped = self.skipped.take().or(other.skipped);
    }

    pub(crate) fn get(&self, what: &str) -> u64 {
        self.counts.iter().find(|(name, _)| name == what).map_or(0, |(_, count)| *count)
    }

    pub(crate) fn fail(&mut self, why: impl Into<String>) {
        self.failed += 1;
        if self.words.len() < WORDS_MAX {
            self.words.push(why.into());
        }
    }

    /// A run that did less than this proves nothing.
    pub(crate) fn require(&mut self, what: &str, at_least: u64) {
        let got = self.get(what);
        if self.skipped.is_none() && got < at_least {
            self.fail(format!("void: {got} {what}, at least {at_least} are needed to tell anything"));
        }
    }

    pub(crate) fn skipped(why: impl Into<String>) -> Outcome {
        Outcome { skipped: Some(why.into()), ..Outcome::default() }
    }

    pub(crate) fn failures(&self) -> u64 {
        self.failed
    }

    /// The counts in one line.
    pub(crate) fn figures(&self) -> String {
        let all = self.counts.iter().chain(&self.peaks);
        let counts: Vec<String> = all.map(|(what, n)| format!("{} {what}", thousands(*n))).collect();
        counts.join(", ")
    }

    pub(crate) fn words(&self) -> &[String] {
        &self.words
    }
}

fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
