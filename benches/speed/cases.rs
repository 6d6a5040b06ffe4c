//! What a case is, and the parts that several need.

/// Operations that most cases run at a time: a deep pipeline.
pub(crate) const BATCH: u64 = 64;

/// Runs before anything is counted, and runs that are.
pub(crate) const WARM_UPS: usize = 3;
pub(crate) const RUNS: usize = 20;

/// State, and what is done to it.
pub(crate) trait Case {
    /// Brings the state back to where [`Case::run`] begins; neither timed nor counted.
    fn prepare(&mut self) {}
    /// The operations.
    fn run(&mut self);
}

/// A case before it is made.
#[derive(Clone, Copy)]
pub(crate) struct Named {
    /// Group and name.
    pub(crate) name: &'static str,
    /// How many operations one run is.
    pub(crate) operations: u64,
    /// Makes it, with so many keys where it has a table.
    pub(crate) make: fn(keys: usize) -> Box<dyn Case>,
}

/// A case that needs no preparation.
pub(crate) struct Plain<F>(pub(crate) F);

impl<F: FnMut()> Case for Plain<F> {
    fn run(&mut self) {
        (self.0)();
    }
}

/// A state with a preparation and a run.
pub(crate) struct Staged<S> {
    pub(crate) state: S,
    pub(crate) prepare: fn(&mut S),
    pub(crate) run: fn(&mut S),
}

impl<S> Case for Staged<S> {
    fn prepare(&mut self) {
        (self.prepare)(&mut self.state);
    }

    fn run(&mut self) {
        (self.run)(&mut self.state);
    }
}

/// Callgrind counts between the entry and the end of this function, so it must stay one.
#[inline(never)]
pub(crate) fn counted(case: &mut dyn Case) {
    case.run();
}

/// A key of 16 bytes, as redis-benchmark writes them.
pub(crate) fn key(number: usize) -> Vec<u8> {
    format!("key:{number:012}").into_bytes()
}

/// Numbers below `limit` in an order that no cache foresees, the same in every run.
pub(crate) struct Order {
    state: u64,
    limit: u64,
}

impl Order {
    pub(crate) fn below(limit: usize) -> Order {
        Order { state: 0x9e37_79b9_7f4a_7c15, limit: limit.max(1) as u64 }
    }

    pub(crate) fn pick(&mut self) -> usize {
        // A linear congruence; its upper half is mixed well enough for an order of keys.
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.state >> 32) % self.limit) as usize
    }
}
