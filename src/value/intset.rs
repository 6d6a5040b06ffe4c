//! The small form of a set of integers: a sorted array, in the bytes that RDB files and DUMP payloads have.
//!
//! ```text
//! bytes   0        4        8
//!         width    count    count integers, ascending, `width` bytes each
//! ```
//!
//! Every number is little-endian; width is 2, 4 or 8, wide enough for the widest integer ever added, and never
//! narrowed again (as Redis has it: github.com/redis/redis, src/intset.c describes the format). Membership is a binary
//! search; a change moves the tail, which is cheap up to the few thousand bytes that `set-max-intset-entries` allows.

/// Bytes before the first integer.
const HEADER: usize = 8;

/// A sorted set of integers.
#[derive(Clone)]
pub struct Intset {
    /// The whole format, header included; never shorter than [`HEADER`].
    bytes: Vec<u8>,
}

/// The bytes are not an intset: a width that is none, a count that does not fit, or integers out of order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invalid;

/// Bytes that each integer takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Width {
    Two = 2,
    Four = 4,
    Eight = 8,
}

impl Width {
    /// The narrowest that holds `integer`.
    fn of(integer: i64) -> Width {
        if i16::try_from(integer).is_ok() {
            Width::Two
        } else if i32::try_from(integer).is_ok() {
            Width::Four
        } else {
            Width::Eight
        }
    }

    fn from_header(header: u32) -> Option<Width> {
        match header {
            2 => Some(Width::Two),
            4 => Some(Width::Four),
            8 => Some(Width::Eight),
            _ => None,
        }
    }

    /// The integer at the front of `bytes`; 0 if they are too few.
    #[inline]
    fn read(self, bytes: &[u8]) -> i64 {
        match self {
            Width::Two => bytes.first_chunk().map_or(0, |bytes| i64::from(i16::from_le_bytes(*bytes))),
            Width::Four => bytes.first_chunk().map_or(0, |bytes| i64::from(i32::from_le_bytes(*bytes))),
            Width::Eight => bytes.first_chunk().map_or(0, |bytes| i64::from_le_bytes(*bytes)),
        }
    }
}

impl Intset {
    /// The empty set.
    #[must_use]
    pub fn new() -> Intset {
        Intset { bytes: vec![2, 0, 0, 0, 0, 0, 0, 0] }
    }

    /// The set that `bytes` are in Redis's format.
    ///
    /// # Errors
    /// [`Invalid`] unless every byte is as this module would have written it: the integers strictly ascend, too.
    pub fn from_bytes(bytes: &[u8]) -> Result<Intset, Invalid> {
        let (width, rest) = bytes.split_first_chunk::<4>().ok_or(Invalid)?;
        let (count, integers) = rest.split_first_chunk::<4>().ok_or(Invalid)?;
        let width = Width::from_header(u32::from_le_bytes(*width)).ok_or(Invalid)?;
        if u64::from(u32::from_le_bytes(*count)) * width as u64 != integers.len() as u64 {
            return Err(Invalid);
        }
        let set = Intset { bytes: bytes.to_vec() };
        if set.iter().is_sorted_by(|a, b| a < b) { Ok(set) } else { Err(Invalid) }
    }

    /// The set in Redis's format.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Number of integers.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        (self.bytes.len() - HEADER) / self.width() as usize
    }

    /// True without integers.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Heap bytes held.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// The integer at `index` in ascending order.
    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> Option<i64> {
        (index < self.len()).then(|| self.at(index))
    }

    /// The integers in ascending order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = i64> + DoubleEndedIterator + Clone + '_ {
        let width = self.width();
        self.bytes[HEADER..].chunks_exact(width as usize).map(move |bytes| width.read(bytes))
    }

    /// True if `integer` is a member.
    #[inline]
    #[must_use]
    pub fn contains(&self, integer: i64) -> bool {
        self.search(integer).is_ok()
    }

    /// Adds `integer`; false if it was a member already.
    pub fn insert(&mut self, integer: i64) -> bool {
        let needed = Width::of(integer);
        if needed > self.width() {
            self.widen(needed);
        }
        let Err(index) = self.search(integer) else { return false };
        let width = self.width() as usize;
        let at = HEADER + index * width;
        // Exact growth by an eighth: doubling would waste up to half of what such a small form is to save.
        if self.bytes.capacity() - self.bytes.len() < width {
            self.bytes.reserve_exact(width + self.bytes.len() / 8);
        }
        let end = self.bytes.len();
        self.bytes.resize(end + width, 0);
        self.bytes.copy_within(at..end, at + width);
        self.bytes[at..at + width].copy_from_slice(&integer.to_le_bytes()[..width]);
        self.write_count();
        true
    }

    /// Removes `integer`; false if it was no member.
    pub fn remove(&mut self, integer: i64) -> bool {
        let Ok(index) = self.search(integer) else { return false };
        let width = self.width() as usize;
        let at = HEADER + index * width;
        self.bytes.drain(at..at + width);
        self.write_count();
        if self.bytes.len() < self.bytes.capacity() / 2 {
            self.bytes.shrink_to_fit();
        }
        true
    }

    #[inline]
    fn width(&self) -> Width {
        match self.bytes.first() {
            Some(2) => Width::Two,
            Some(4) => Width::Four,
            _ => Width::Eight,
        }
    }

    #[inline]
    fn at(&self, index: usize) -> i64 {
        let width = self.width();
        width.read(&self.bytes[HEADER + index * width as usize..])
    }

    /// Where `integer` is, or would be.
    fn search(&self, integer: i64) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.at(middle).cmp(&integer) {
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    fn widen(&mut self, width: Width) {
        let mut bytes = Vec::with_capacity(HEADER + (self.len() + 1) * width as usize);
        bytes.extend_from_slice(&(width as u32).to_le_bytes());
        bytes.extend_from_slice(&self.bytes[4..HEADER]);
        for integer in self.iter() {
            bytes.extend_from_slice(&integer.to_le_bytes()[..width as usize]);
        }
        self.bytes = bytes;
    }

    /// Brings the count in the header up to date.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "Set turns into a hash table long before 2^32 integers"
    )]
    fn write_count(&mut self) {
        let count = self.len() as u32;
        self.bytes[4..HEADER].copy_from_slice(&count.to_le_bytes());
    }
}

impl Default for Intset {
    fn default() -> Intset {
        Intset::new()
    }
}

/// Equal when the members are, whatever their width.
impl PartialEq for Intset {
    fn eq(&self, other: &Intset) -> bool {
        self.iter().eq(other.iter())
    }
}

impl std::fmt::Debug for Intset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_bytes_are_those_of_redis() {
        // The payload of DUMP after SADD k 5 -1, then after SADD k 70000 and SADD k 5000000000, without type and sum.
        let mut set = Intset::new();
        assert!(set.insert(5) && set.insert(-1) && !set.insert(5));
        assert_eq!(set.as_bytes(), [2, 0, 0, 0, 2, 0, 0, 0, 0xff, 0xff, 5, 0]);
        set.insert(70_000);
        let four = [4, 0, 0, 0, 3, 0, 0, 0, 255, 255, 255, 255, 5, 0, 0, 0, 0x70, 0x11, 1, 0];
        assert_eq!(set.as_bytes(), four);
        set.insert(5_000_000_000);
        assert_eq!(set.as_bytes()[..8], [8, 0, 0, 0, 4, 0, 0, 0]);
        set.remove(5_000_000_000);
        assert_eq!(set.as_bytes().len(), 8 + 3 * 8, "never narrowed");
        assert_eq!(Intset::from_bytes(&four), Ok(set));
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let good = [2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 2, 0];
        assert!(Intset::from_bytes(&good).is_ok());
        for (index, byte) in [(0, 3), (0, 4), (3, 1), (4, 1), (4, 3), (7, 1), (8, 2), (8, 3), (11, 0x80)] {
            let mut bad = good;
            bad[index] = byte;
            assert_eq!(Intset::from_bytes(&bad), Err(Invalid), "{index} {byte}");
        }
        (0..good.len()).for_each(|cut| assert_eq!(Intset::from_bytes(&good[..cut]), Err(Invalid)));
    }

    fn integer() -> impl Strategy<Value = i64> {
        prop_oneof![
            -20_i64..20,
            any::<i16>().prop_map(i64::from),
            any::<i32>().prop_map(i64::from),
            any::<i64>()
        ]
    }

    proptest! {
        #[test]
        fn it_is_a_sorted_set(steps in prop::collection::vec((any::<bool>(), integer()), 0..200)) {
            let mut set = Intset::new();
            let mut model = BTreeSet::new();
            for (add, integer) in steps {
                if add {
                    prop_assert_eq!(set.insert(integer), model.insert(integer));
                } else {
                    prop_assert_eq!(set.remove(integer), model.remove(&integer));
                }
                prop_assert_eq!(set.contains(integer), model.contains(&integer));
                prop_assert_eq!(set.len(), model.len());
            }
            prop_assert!(set.iter().eq(model.iter().copied()));
            prop_assert!((0..=set.len()).map(|i| set.get(i)).eq(model.iter().copied().map(Some).chain([None])));
            prop_assert_eq!(Intset::from_bytes(set.as_bytes()), Ok(set));
        }
    }
}
