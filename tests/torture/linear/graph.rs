//! Transactions over lists: who must have come before whom?
//!
//! Values are unique and only ever pushed at the end, so the longest reading of a list tells the order of all its pushes,
//! and every other reading must be a beginning of it. From that follow three kinds of "before": who pushed what comes next
//! (write-write), who read what was pushed (write-read), who did not see yet what was pushed (read-write). Real time is the
//! fourth: what had ended before another began. A circle among them is a proof that no order explains what was seen.

use std::collections::HashMap;
use std::time::Instant;

#[derive(Clone, Debug)]
pub(crate) enum Access {
    Push(usize, u64),
    Read(usize, Vec<u64>),
}

#[derive(Clone, Debug)]
pub(crate) struct Transaction {
    pub(crate) accesses: Vec<Access>,
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
}

/// Checks a history in which all lists were empty at first.
pub(crate) fn check(history: &[Transaction]) -> Result<(), String> {
    let (mut pushed_by, mut longest): (HashMap<u64, usize>, HashMap<usize, &[u64]>) = Default::default();
    for (at, transaction) in history.iter().enumerate() {
        for access in &transaction.accesses {
            match access {
                Access::Push(_, value) => drop(pushed_by.insert(*value, at)),
                Access::Read(list, values) => {
                    let known = longest.entry(*list).or_default();
                    let (short, long) = if values.len() < known.len() {
                        (&values[..], *known)
                    } else {
                        (*known, &values[..])
                    };
                    if !long.starts_with(short) {
                        return Err(format!("two readings of list {list} contradict each other"));
                    }
                    *known = long;
                }
            }
        }
    }
    own_effects(history)?;
    let mut edges: Vec<Vec<usize>> = vec![Vec::new(); history.len() * 2];
    let mut before = |from: usize, to: usize| {
        if from != to {
            edges[from].push(to);
        }
    };
    for (list, values) in &longest {
        let writers: Vec<usize> = values
            .iter()
            .map(|value| pushed_by.get(value).copied())
            .collect::<Option<_>>()
            .ok_or_else(|| format!("list {list} holds a value that nobody pushed"))?;
        for pair in writers.windows(2) {
            before(pair[0], pair[1]);
        }
        let mut places: HashMap<u64, usize> = HashMap::new();
        for (place, value) in values.iter().enumerate() {
            if places.insert(*value, place).is_some() {
                return Err(format!("list {list} holds {value} twice"));
            }
        }
        for (at, transaction) in history.iter().enumerate() {
            for access in &transaction.accesses {
                match access {
                    Access::Read(read, seen) if read == list => {
                        if let Some(last) = seen.len().checked_sub(1) {
                            before(writers[last], at);
                        }
                        if let Some(next) = writers.get(seen.len()) {
                            before(at, *next);
                        }
                    }
                    // A push that no reading shows came after all that are shown.
                    Access::Push(to, value) if to == list && !places.contains_key(value) => {
                        if let Some(last) = writers.last() {
                            before(*last, at);
                        }
                    }
                    _ => {}
                }
            }
        }
    }
    for (at, transaction) in history.iter().enumerate() {
        for access in &transaction.accesses {
            if let Access::Push(list, value) = access
                && !longest.get(list).is_some_and(|values| values.contains(value))
            {
                // Whoever read this list as a whole had not seen it.
                for (reader, other) in history.iter().enumerate() {
                    let read_all = |a: &Access| matches!(a, Access::Read(l, _) if l == list);
                    if other.accesses.iter().any(read_all) {
                        before(reader, at);
                    }
                }
            }
        }
    }
    real_time(history, &mut edges);
    match circle(&edges) {
        Some(length) => Err(format!("{length} transactions each come before the next, in a circle")),
        None => Ok(()),
    }
}

/// Within a transaction a reading shows the transaction's own pushes.
fn own_effects(history: &[Transaction]) -> Result<(), String> {
    for transaction in history {
        let mut pushed: HashMap<usize, Vec<u64>> = HashMap::new();
        for access in &transaction.accesses {
            match access {
                Access::Push(list, value) => pushed.entry(*list).or_default().push(*value),
                Access::Read(list, values) => {
                    let own = pushed.get(list).map_or(&[][..], Vec::as_slice);
                    if !values.ends_with(own) {
                        return Err(format!("a transaction does not see its own pushes to list {list}"));
                    }
                }
            }
        }
    }
    Ok(())
}

/// Adds "ended before it began" without an edge for every pair: moments are nodes of their own, in a row.
fn real_time(history: &[Transaction], edges: &mut [Vec<usize>]) {
    let count = history.len();
    let mut by_end: Vec<usize> = (0..count).collect();
    by_end.sort_by_key(|at| history[*at].ended);
    for (moment, at) in by_end.iter().enumerate() {
        edges[*at].push(count + moment);
        if moment + 1 < count {
            edges[count + moment].push(count + moment + 1);
        }
    }
    for (at, transaction) in history.iter().enumerate() {
        let ended_before = by_end.partition_point(|other| history[*other].ended < transaction.began);
        if let Some(moment) = ended_before.checked_sub(1) {
            edges[count + moment].push(at);
        }
    }
}

/// Tarjan's strongly connected components, without recursion; the size of the first that is more than one node.
fn circle(edges: &[Vec<usize>]) -> Option<usize> {
    let nodes = edges.len();
    let (mut index, mut low, mut on_stack) = (vec![usize::MAX; nodes], vec![0; nodes], vec![false; nodes]);
    let (mut stack, mut next) = (Vec::new(), 0);
    for root in 0..nodes {
        if index[root] != usize::MAX {
            continue;
        }
        let mut work = vec![(root, 0)];
        while let Some((node, edge)) = work.pop() {
            if edge == 0 {
                (index[node], low[node], on_stack[node]) = (next, next, true);
                next += 1;
                stack.push(node);
            }
            if let Some(&to) = edges[node].get(edge) {
                work.push((node, edge + 1));
                if index[to] == usize::MAX {
                    work.push((to, 0));
                } else if on_stack[to] {
                    low[node] = low[node].min(index[to]);
                }
                continue;
            }
            if low[node] == index[node] {
                let mut size = 0;
                while let Some(member) = stack.pop() {
                    on_stack[member] = false;
                    size += 1;
                    if member == node {
                        break;
                    }
                }
                if size > 1 {
                    return Some(size);
                }
            }
            if let Some((parent, _)) = work.last() {
                low[*parent] = low[*parent].min(low[node]);
            }
        }
    }
    None
}
