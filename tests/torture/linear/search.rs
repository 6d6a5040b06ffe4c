//! One key: is there an order of its operations that explains every reply, and that never puts an operation before one that
//! had ended before it began?
//!
//! The search of Wing and Gong, with the memory of Lowe: whoever comes to the same set of done operations and the same
//! state again need not look further. It starts anew at every moment at which no operation on the key is under way, with
//! all states that are possible there.

use std::collections::HashSet;
use std::time::Instant;

/// What a key holds.
pub(crate) type State = Option<u64>;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Op {
    Get,
    Set(u64),
    GetSet(u64),
    GetDel,
    SetIfAbsent(u64),
    Incr,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Seen {
    Nothing,
    Done,
    Number(u64),
}

#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) op: Op,
    pub(crate) seen: Seen,
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
}

/// The state after an operation, if from this state the reply could be so.
fn step(state: State, op: Op, seen: Seen) -> Option<State> {
    let shown = state.map_or(Seen::Nothing, Seen::Number);
    let (reply, next) = match op {
        Op::Get => (shown, state),
        Op::Set(value) => (Seen::Done, Some(value)),
        Op::GetSet(value) => (shown, Some(value)),
        Op::GetDel => (shown, None),
        Op::SetIfAbsent(_) if state.is_some() => (Seen::Number(0), state),
        Op::SetIfAbsent(value) => (Seen::Number(1), Some(value)),
        Op::Incr => {
            let next = state.unwrap_or(0) + 1;
            (Seen::Number(next), Some(next))
        }
    };
    (reply == seen).then_some(next)
}

/// More overlapping operations than this are not looked through.
const SEGMENT_MAX: usize = 4_000;

/// Checks all operations on one key, which held nothing before.
pub(crate) fn check(mut events: Vec<Event>) -> Result<(), String> {
    events.sort_by_key(|event| event.began);
    let mut states: HashSet<State> = HashSet::from([None]);
    let mut from = 0;
    while from < events.len() {
        let (mut to, mut latest) = (from + 1, events[from].ended);
        while to < events.len() && events[to].began <= latest {
            latest = latest.max(events[to].ended);
            to += 1;
        }
        let segment = &events[from..to];
        if segment.len() > SEGMENT_MAX {
            return Err(format!("void: {} operations without a pause", segment.len()));
        }
        states = explore(segment, &states);
        if states.is_empty() {
            let shown: Vec<String> =
                segment.iter().take(12).map(|e| format!("{:?} -> {:?}", e.op, e.seen)).collect();
            return Err(format!("{} operations have no order: {}", segment.len(), shown.join("; ")));
        }
        from = to;
    }
    Ok(())
}

/// Which operations are done: all before `from`, and those behind it that are marked.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Position {
    from: usize,
    ahead: Vec<usize>,
    state: State,
}

/// All states that the segment can end with.
fn explore(segment: &[Event], starts: &HashSet<State>) -> HashSet<State> {
    let mut known: HashSet<Position> = HashSet::new();
    let mut open: Vec<Position> =
        starts.iter().map(|state| Position { from: 0, ahead: Vec::new(), state: *state }).collect();
    let mut ends = HashSet::new();
    while let Some(at) = open.pop() {
        if at.from == segment.len() {
            ends.insert(at.state);
            continue;
        }
        // Whatever is not done yet may come next, if nothing else not done had ended before it began.
        let mut earliest_end: Option<Instant> = None;
        for (next, event) in segment.iter().enumerate().skip(at.from) {
            if at.ahead.contains(&next) {
                continue;
            }
            if earliest_end.is_some_and(|end| event.began > end) {
                break;
            }
            earliest_end = Some(earliest_end.map_or(event.ended, |end| end.min(event.ended)));
        }
        let Some(limit) = earliest_end else { continue };
        for (next, event) in segment.iter().enumerate().skip(at.from) {
            if event.began > limit {
                break;
            }
            if at.ahead.contains(&next) {
                continue;
            }
            let Some(state) = step(at.state, event.op, event.seen) else { continue };
            let mut ahead = at.ahead.clone();
            ahead.push(next);
            ahead.sort_unstable();
            let mut from = at.from;
            while ahead.first() == Some(&from) {
                ahead.remove(0);
                from += 1;
            }
            let position = Position { from, ahead, state };
            if known.insert(position.clone()) {
                open.push(position);
            }
        }
    }
    ends
}
