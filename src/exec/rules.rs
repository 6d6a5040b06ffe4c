//! The rules that tell from a command's row, and where need be from the request and the values, how it may be run.
//!
//! ```text
//! needs_everything   whether every worker stands still meanwhile: it may come to keys that nobody can name before
//! only_looks         whether a refusal may stand in the place of its answer, because nothing was done
//! looks_anywhere     whether its answer may show all that is in the log by now, and so waits for the disk as a whole
//! …_much             whether so much is read that a copy of the references pays, made under the stripe's lock, of which
//!                    the answer is written after that is let go
//! ```
//!
//! A wrong answer is no crash but a promise broken under load: an answer that shows what a power cut takes back, or a stripe
//! that is held while a million elements are written out. So what must hold between the rules and the rest of a row is
//! checked over all rows, in `command/tests.rs`.

use super::spec::{Run, Spec, flag};
use crate::resp::request::Request;
use crate::table::Entry;

impl Spec {
    /// Whether this request runs while every worker stands still. A row that says so may have requests that touch no more
    /// than their keys.
    #[inline]
    pub fn needs_everything(&self, request: &Request<'_>) -> bool {
        self.has(flag::EVERYTHING) && !self.is_narrow.is_some_and(|is_narrow| is_narrow(request))
    }

    /// Whether it does nothing but look, so that a refusal in the place of its answer would be as good. EXEC and scripts may do
    /// more: then they run something that does.
    #[inline]
    pub fn only_looks(&self) -> bool {
        self.has(flag::READONLY) || matches!(self.run, Run::Exec | Run::Script(_))
    }

    /// Whether nobody knows where it looks. EXEC and what runs on keys find out for themselves, and what runs while there is no
    /// data yet tells of the process, or says that it has nothing to tell. So does INFO, although it counts keys: one looks at it
    /// when something is wrong.
    #[inline]
    pub fn looks_anywhere(&self) -> bool {
        match self.run {
            Run::Read(_) | Run::ReadMany(_) | Run::Write(_) | Run::Keys(_) | Run::Exec => false,
            Run::Host(_) => self.flags & (flag::LOADING | flag::BLIND) == 0 || self.has(flag::EVERYTHING),
            _ => true,
        }
    }
}

/// True when writing out so many of a value's elements takes longer than copying the references to all its parts: a part
/// has some hundred elements, and counting another reader of it takes as long as writing out a few.
pub fn is_much(elements: usize, of: usize) -> bool {
    /// Fewer take some tens of microseconds, in which nobody minds that the stripe is held.
    const ELEMENTS_MIN: usize = 1000;
    const PARTS_PER_ELEMENT: usize = 64;
    elements >= ELEMENTS_MIN && elements >= of / PARTS_PER_ELEMENT
}

/// [`Many::reads_much`](super::Many::reads_much) where all elements are visited.
pub fn all_are_much(entries: &[Option<&Entry>]) -> bool {
    is_much(total(entries), total(entries))
}

/// The same where those of the first are looked up in the others.
pub fn first_is_much(entries: &[Option<&Entry>]) -> bool {
    is_much(elements(entries.first().copied().flatten()), total(entries))
}

/// The same where those of the smallest are looked up in the others.
pub fn fewest_are_much(entries: &[Option<&Entry>]) -> bool {
    let fewest = entries.iter().map(|entry| elements(*entry)).min();
    is_much(fewest.unwrap_or(0), total(entries))
}

fn total(entries: &[Option<&Entry>]) -> usize {
    entries.iter().map(|entry| elements(*entry)).fold(0, usize::saturating_add)
}

fn elements(entry: Option<&Entry>) -> usize {
    entry.map_or(0, |entry| entry.value().elements())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hash::Seed;
    use crate::table::{Expiry, Table};
    use crate::value::List;
    use crate::value::list::ChunkLimit;

    #[test]
    fn few_elements_and_a_small_part_of_many_are_not_much() {
        for (elements, of, expected) in [
            (999, 999, false),
            (1000, 1000, true),
            (1000, 64_000, true),
            (1000, 65_000, false),
            (20_000, 1_000_000, true),
            (10_000, 1_000_000, false),
            (usize::MAX, usize::MAX, true),
        ] {
            assert_eq!(is_much(elements, of), expected, "{elements} of {of}");
        }
    }

    #[test]
    fn what_is_visited_of_several_values_decides() {
        let table = Table::with_stripes(1, 4, Seed::random());
        let entry = |elements: usize| {
            table.write(table.address(0, b"k"), b"k", 0, |slot| {
                let mut list = List::new();
                (0..elements).for_each(|_| list.push_back(&[b'x'; 60], ChunkLimit::DEFAULT));
                slot.put(list, Expiry::Clear);
                slot.entry().unwrap().copy_if_big(|_| true).unwrap()
            })
        };
        let (small, large) = (entry(1500), entry(200_000));
        let (small, large) = (Some(&small), Some(&large));
        assert!(all_are_much(&[small, large]) && !all_are_much(&[None]) && !all_are_much(&[]));
        assert!(
            first_is_much(&[large, small])
                && !first_is_much(&[small, large])
                && !first_is_much(&[None, large])
        );
        assert!(
            fewest_are_much(&[small, small])
                && !fewest_are_much(&[small, large])
                && !fewest_are_much(&[large, None])
        );
    }
}
