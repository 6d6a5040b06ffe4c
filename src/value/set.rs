//! Sets of byte strings.
//!
//! ```text
//! intset      all members are integers: see intset.rs
//! listpack    few and short members: one piece of memory, searched from the front
//! hashtable   more, or longer ones: a dictionary, see dict.rs
//! ```
//!
//! As in Redis a set turns from one form into a later one when it outgrows it, and never back. Redis 7.0 has no
//! listpack here; that form came with 7.2 and is left out while its threshold is 0.

use super::TextRef;
use super::dict::{Dict, Record, choose};
use super::hash::is_distinct;
use super::intset::Intset;
use super::listpack::{self, Listpack, canonical};
use crate::base::clock::NEVER;
use crate::base::random::Random;

/// How large the small forms may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// The most integers (`set-max-intset-entries`).
    pub intset_entries: usize,
    /// The most members in a listpack (`set-max-listpack-entries`); 0 for sets without that form, as of Redis 7.0.
    pub listpack_entries: usize,
    /// The longest member in a listpack, in bytes (`set-max-listpack-value`).
    pub listpack_value: usize,
}

/// Integers beyond which an intset is not kept whatever the threshold says, as in Redis: its bytes stay below 2^33.
const INTSET_MAX: usize = 1 << 30;

/// A set value.
#[derive(Debug, Clone)]
pub struct Set(Form);

#[derive(Debug, Clone)]
enum Form {
    Integers(Intset),
    Compact(Listpack),
    // Boxed, because a table has many small sets and each of its entries has room for any form.
    Big(Box<Dict>),
}

impl Set {
    /// No members.
    #[must_use]
    pub fn new() -> Set {
        Set(Form::Integers(Intset::new()))
    }

    /// The set with the members of an intset; a dictionary if it has more of them than it should.
    #[must_use]
    pub fn from_intset(integers: Intset, limits: &Thresholds) -> Set {
        let mut set = Set(Form::Integers(integers));
        set.convert_if_over(limits);
        set
    }

    /// The set with the entries of a listpack; a dictionary if it has more of them than it should.
    ///
    /// # Errors
    /// [`listpack::Invalid`] if an entry is there twice.
    pub fn from_listpack(pack: Listpack, limits: &Thresholds) -> Result<Set, listpack::Invalid> {
        if !is_distinct(pack.iter()) {
            return Err(listpack::Invalid);
        }
        let mut set = Set(Form::Compact(pack));
        set.convert_if_over(limits);
        Ok(set)
    }

    /// The intset, if it is in that form.
    #[must_use]
    pub fn intset(&self) -> Option<&Intset> {
        match &self.0 {
            Form::Integers(integers) => Some(integers),
            _ => None,
        }
    }

    /// The listpack, if it is in that form.
    #[must_use]
    pub fn listpack(&self) -> Option<&Listpack> {
        match &self.0 {
            Form::Compact(pack) => Some(pack),
            _ => None,
        }
    }

    /// Number of members.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Integers(integers) => integers.len(),
            Form::Compact(pack) => pack.len(),
            Form::Big(dict) => dict.len(),
        }
    }

    /// True without members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `intset`, `listpack` or `hashtable`.
    #[must_use]
    pub fn encoding(&self) -> &'static str {
        match &self.0 {
            Form::Integers(_) => "intset",
            Form::Compact(_) => "listpack",
            Form::Big(_) => "hashtable",
        }
    }

    /// Heap bytes held beyond the value's own size.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Form::Integers(integers) => integers.heap_bytes(),
            Form::Compact(pack) => pack.heap_bytes(),
            Form::Big(dict) => size_of::<Dict>() + dict.heap_bytes(),
        }
    }

    /// True if `member` is one.
    #[inline]
    #[must_use]
    pub fn contains(&self, member: &[u8]) -> bool {
        match &self.0 {
            Form::Integers(integers) => {
                matches!(canonical(member), TextRef::Int(integer) if integers.contains(integer))
            }
            Form::Compact(pack) => pack.find(member, 0).is_some(),
            Form::Big(dict) => dict.contains(member),
        }
    }

    /// As [`Set::contains`], for a member as another set's [`Set::iter`] gives it.
    #[must_use]
    pub fn contains_text(&self, member: TextRef<'_>) -> bool {
        match (&self.0, member) {
            (Form::Integers(integers), TextRef::Int(integer)) => integers.contains(integer),
            _ => self.contains(member.bytes(&mut itoa::Buffer::new())),
        }
    }

    /// Adds `member`; false if it was one already.
    pub fn add(&mut self, member: &[u8], limits: &Thresholds) -> bool {
        match &mut self.0 {
            Form::Integers(integers) => {
                if let TextRef::Int(integer) = canonical(member) {
                    let new = integers.insert(integer);
                    self.convert_if_over(limits);
                    return new;
                }
                let longest = [0, integers.len().saturating_sub(1)]
                    .into_iter()
                    .filter_map(|index| integers.get(index))
                    .map(|integer| TextRef::Int(integer).len())
                    .fold(member.len(), usize::max);
                if integers.len() < limits.listpack_entries && longest <= limits.listpack_value {
                    let mut pack = Listpack::new();
                    integers.iter().for_each(|integer| pack.push_back_item(TextRef::Int(integer)));
                    self.0 = Form::Compact(pack);
                } else {
                    self.convert();
                }
            }
            Form::Compact(pack) => {
                if pack.find(member, 0).is_some() {
                    return false;
                }
                let fits = member.len() <= limits.listpack_value && pack.fits(member.len(), 1);
                if !fits || pack.len() >= limits.listpack_entries {
                    self.convert();
                }
            }
            Form::Big(_) => {}
        }
        match &mut self.0 {
            Form::Compact(pack) => pack.push_back(member),
            Form::Big(dict) => return dict.insert(Record { member, value: None, deadline: NEVER }),
            Form::Integers(_) => {}
        }
        true
    }

    /// Removes `member`; false if it was none.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match &mut self.0 {
            Form::Integers(integers) => {
                matches!(canonical(member), TextRef::Int(integer) if integers.remove(integer))
            }
            Form::Compact(pack) => {
                let Some(pos) = pack.find(member, 0) else { return false };
                pack.remove(pos, 1);
                if pack.bytes() < pack.heap_bytes() / 2 {
                    pack.shrink();
                }
                true
            }
            Form::Big(dict) => dict.remove(member),
        }
    }

    /// The dictionary that a big one is.
    pub fn dict(&self) -> Option<&Dict> {
        if let Form::Big(dict) = &self.0 { Some(dict) } else { None }
    }

    /// Its members: integers ascending, those of a listpack as they came, else in the order of the hashes.
    pub fn iter(&self) -> impl Iterator<Item = TextRef<'_>> {
        let (integers, compact, big) = match &self.0 {
            Form::Integers(integers) => (Some(integers.iter().map(TextRef::Int)), None, None),
            Form::Compact(pack) => (None, Some(pack.iter()), None),
            Form::Big(dict) => (None, None, Some(dict.iter().map(text_of))),
        };
        integers.into_iter().flatten().chain(compact.into_iter().flatten()).chain(big.into_iter().flatten())
    }

    /// Visits about `count` members from `cursor` on; 0 begins a walk. Returns the cursor for the next step, or 0 when
    /// the walk is complete. The small forms are visited whole at once.
    pub fn scan<'a>(&'a self, cursor: u64, count: usize, mut visit: impl FnMut(TextRef<'a>)) -> u64 {
        match &self.0 {
            Form::Big(dict) => dict.scan(cursor, count, |record| visit(text_of(record))),
            _ => {
                self.iter().for_each(visit);
                0
            }
        }
    }

    /// A member, each as likely as any other; none of an empty set.
    #[must_use]
    pub fn random(&self, random: &mut Random) -> Option<TextRef<'_>> {
        let mut index = || usize::try_from(random.below(self.len() as u64)).ok();
        match &self.0 {
            Form::Integers(integers) => integers.get(index()?).map(TextRef::Int),
            Form::Compact(pack) => pack.get(index()?),
            Form::Big(dict) => dict.random(random).map(text_of),
        }
    }

    /// `count` different members, or all if there are not so many; every choice is equally likely.
    #[must_use]
    pub fn sample(&self, count: usize, random: &mut Random) -> Vec<TextRef<'_>> {
        match &self.0 {
            Form::Big(dict) => dict.sample(count, random).into_iter().map(text_of).collect(),
            _ => choose(self.iter(), self.len(), count, random),
        }
    }

    /// Removes and returns `count` members, or all if there are not so many; every choice is equally likely.
    pub fn pop(&mut self, count: usize, random: &mut Random) -> Vec<Vec<u8>> {
        if let Form::Big(dict) = &mut self.0
            && count == 1
            && dict.len() > 1
        {
            return dict.pop_random(random).into_iter().collect();
        }
        let mut buffer = itoa::Buffer::new();
        let members: Vec<Vec<u8>> = match count {
            // Without the table of what was chosen already.
            1 => self.random(random).map(|member| member.bytes(&mut buffer).to_vec()).into_iter().collect(),
            _ => {
                self.sample(count, random).into_iter().map(|text| text.bytes(&mut buffer).to_vec()).collect()
            }
        };
        if members.len() == self.len() {
            *self = Set::new();
        } else {
            members.iter().for_each(|member| _ = self.remove(member));
        }
        members
    }

    fn convert_if_over(&mut self, limits: &Thresholds) {
        let over = match &self.0 {
            Form::Integers(integers) => integers.len() > limits.intset_entries.min(INTSET_MAX),
            Form::Compact(pack) => pack.len() > limits.listpack_entries,
            Form::Big(_) => false,
        };
        if over {
            self.convert();
        }
    }

    /// From here on the form is the big one.
    fn convert(&mut self) {
        let mut dict = Dict::new();
        let mut buffer = itoa::Buffer::new();
        for member in self.iter() {
            dict.insert(Record { member: member.bytes(&mut buffer), value: None, deadline: NEVER });
        }
        self.0 = Form::Big(Box::new(dict));
    }
}

fn text_of(record: Record<'_>) -> TextRef<'_> {
    TextRef::Bytes(record.member)
}

impl Default for Set {
    fn default() -> Set {
        Set::new()
    }
}

/// Equal when the members are, whatever their form and order.
impl PartialEq for Set {
    fn eq(&self, other: &Set) -> bool {
        self.len() == other.len() && self.iter().all(|member| other.contains_text(member))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeSet, HashSet};

    /// As of Redis 7.0, and as of 7.2.
    const OLD: Thresholds = Thresholds { intset_entries: 8, listpack_entries: 0, listpack_value: 64 };
    const NEW: Thresholds = Thresholds { intset_entries: 8, listpack_entries: 16, listpack_value: 20 };

    #[derive(Debug, Clone)]
    enum Step {
        Add(Vec<u8>),
        Remove(Vec<u8>),
        Pop(usize),
        Fork,
    }

    fn member() -> impl Strategy<Value = Vec<u8>> {
        let number = |range: std::ops::Range<i64>| range.prop_map(|number| number.to_string().into_bytes());
        let odd =
            prop::sample::select(vec!["", "007", "-0", "x", "9223372036854775808", "twenty-one bytes long"]);
        prop_oneof![30 => number(-5..12), 10 => number(-70_000..70_000), 1 => odd.prop_map(|odd| odd.as_bytes().to_vec())]
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            10 => member().prop_map(Step::Add),
            6 => member().prop_map(Step::Remove),
            1 => (0..6_usize).prop_map(Step::Pop),
            1 => Just(Step::Fork),
        ]
    }

    fn owned(text: TextRef<'_>) -> Vec<u8> {
        text.bytes(&mut itoa::Buffer::new()).to_vec()
    }

    fn same(set: &Set, model: &BTreeSet<Vec<u8>>) {
        assert_eq!((set.len(), set.is_empty()), (model.len(), model.is_empty()));
        assert_eq!(set.iter().map(owned).collect::<BTreeSet<_>>(), *model);
        assert!(model.iter().all(|member| set.contains(member)));
        let mut scanned = Vec::new();
        let mut cursor = 0;
        loop {
            cursor = set.scan(cursor, 3, |member| scanned.push(owned(member)));
            if cursor == 0 {
                break;
            }
        }
        scanned.sort();
        assert!(scanned.iter().eq(model));
    }

    proptest! {
        #[test]
        fn it_is_a_set_in_every_form(limits in prop::sample::select(vec![OLD, NEW]), steps in prop::collection::vec(step(), 0..60), seed in any::<u64>()) {
            let (mut set, mut model) = (Set::new(), BTreeSet::new());
            let mut random = Random::seeded(seed);
            let mut forks = Vec::new();
            for step in steps {
                let before = set.encoding();
                match step {
                    Step::Add(member) => {
                        let expected = model.insert(member.clone());
                        prop_assert_eq!(set.add(&member, &limits), expected);
                        prop_assert!(set.contains(&member) && set.contains_text(TextRef::Bytes(&member)));
                    }
                    Step::Remove(member) => {
                        prop_assert_eq!(set.remove(&member), model.remove(&member));
                        prop_assert!(!set.contains(&member));
                    }
                    Step::Pop(count) => {
                        let popped = set.pop(count, &mut random);
                        prop_assert_eq!(popped.len(), count.min(model.len()));
                        prop_assert!(popped.iter().all(|member| model.remove(member)));
                    }
                    Step::Fork => forks.push((set.clone(), model.clone())),
                }
                match set.encoding() {
                    "intset" => prop_assert!(set.len() <= 8 && model.iter().all(|text| canonical(text) != TextRef::Bytes(text))),
                    "listpack" => prop_assert!(limits == NEW && set.len() <= 16 && before != "hashtable"),
                    _ => {}
                }
            }
            same(&set, &model);
            forks.iter().for_each(|(fork, model)| same(fork, model));
            let mut dictionary = set.clone();
            dictionary.convert();
            same(&dictionary, &model);
            prop_assert_eq!(&dictionary, &set);
            prop_assert_eq!(&set, &dictionary);
            dictionary.add(b"another", &limits);
            prop_assert_ne!(&dictionary, &set);
            if let Some(pack) = set.listpack() {
                prop_assert_eq!(Set::from_listpack(pack.clone(), &limits), Ok(set));
            } else if let Some(integers) = set.intset() {
                prop_assert_eq!(Set::from_intset(integers.clone(), &limits), set);
            }
        }
    }

    fn set(members: &[&str], limits: &Thresholds) -> Set {
        let mut set = Set::new();
        members.iter().for_each(|member| _ = set.add(member.as_bytes(), limits));
        set
    }

    #[test]
    fn encodings_follow_redis() {
        // As redis-server 7.0.15 answers OBJECT ENCODING, with the integers' threshold lowered to 8.
        let nine = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];
        assert_eq!(set(&nine[..8], &OLD).encoding(), "intset");
        assert_eq!(set(&nine, &OLD).encoding(), "hashtable");
        assert_eq!(set(&["1", "a"], &OLD).encoding(), "hashtable");
        assert_eq!(set(&["01"], &OLD).encoding(), "hashtable");
        // And as 7.2 does.
        assert_eq!(set(&["1", "a"], &NEW).encoding(), "listpack");
        assert_eq!(set(&["a", "twenty-one bytes long"], &NEW).encoding(), "hashtable");
        assert_eq!(set(&nine, &NEW).encoding(), "hashtable");
        let short = Thresholds { listpack_value: 3, ..NEW };
        assert_eq!(set(&["123", "a"], &short).encoding(), "listpack");
        assert_eq!(
            set(&["1", "-123", "a"], &short).encoding(),
            "hashtable",
            "an integer is too long as text"
        );
    }

    #[test]
    fn random_members_and_samples_come_from_every_form() {
        let mut random = Random::seeded(4);
        assert!(Set::new().random(&mut random).is_none() && Set::new().pop(2, &mut random).is_empty());
        for (members, encoding) in [
            (["1", "2", "3"], "intset"),
            (["1", "2", "a"], "listpack"),
            (["1", "2", "twenty-one bytes long"], "hashtable"),
        ] {
            let mut set = set(&members, &NEW);
            assert_eq!(set.encoding(), encoding);
            let seen: HashSet<_> = (0..100).map(|_| owned(set.random(&mut random).unwrap())).collect();
            assert_eq!(seen.len(), 3);
            let sampled: HashSet<_> = set.sample(2, &mut random).into_iter().map(owned).collect();
            assert_eq!(sampled.len(), 2);
            assert_eq!(set.sample(9, &mut random).len(), 3);
            assert_eq!((set.pop(1, &mut random).len(), set.len()), (1, 2));
        }
    }

    #[test]
    fn packs_from_outside_are_checked_and_converted() {
        let pack = |members: &[&str]| members.iter().collect::<Listpack>();
        assert!(Set::from_listpack(pack(&["1", "a", "1"]), &NEW).is_err());
        assert_eq!(Set::from_listpack(pack(&["1", "a"]), &NEW).map(|set| set.encoding()), Ok("listpack"));
        assert_eq!(Set::from_listpack(pack(&["1", "a"]), &OLD).map(|set| set.encoding()), Ok("hashtable"));
        let mut integers = Intset::new();
        (0..9).for_each(|integer| assert!(integers.insert(integer)));
        assert_eq!(Set::from_intset(integers, &OLD).encoding(), "hashtable");
    }
}
