//! Sorted sets against a vector that is sorted after every change. Leaves and segments are small in tests, so that a
//! few hundred members make a tree of several floors.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::ops::Bound;

const SMALL: Thresholds = Thresholds { entries: 6, value_bytes: 20 };
const ALWAYS_INDEXED: Thresholds = Thresholds { entries: 0, value_bytes: 0 };

/// (score, member), ascending.
#[derive(Debug, Clone, Default)]
struct Model(Vec<(f64, Vec<u8>)>);

impl Model {
    fn at(&self, member: &[u8]) -> Option<usize> {
        self.0.iter().position(|(_, other)| other == member)
    }

    fn score(&self, member: &[u8]) -> Option<f64> {
        self.at(member).map(|at| self.0[at].0)
    }

    fn insert(&mut self, member: &[u8], score: f64) -> Option<f64> {
        let old = self.remove(member);
        self.0.push((score + 0.0, member.to_vec()));
        self.0.sort_by(|a, b| a.partial_cmp(b).unwrap());
        old
    }

    fn remove(&mut self, member: &[u8]) -> Option<f64> {
        self.at(member).map(|at| self.0.remove(at).0)
    }

    fn pairs(&self, ranks: Range<usize>) -> Vec<(Vec<u8>, f64)> {
        self.0[ranks].iter().map(|(score, member)| (member.clone(), *score)).collect()
    }
}

#[derive(Debug, Clone)]
enum Step {
    Insert(Vec<u8>, f64),
    Increment(Vec<u8>, f64),
    Remove(Vec<u8>),
    RemoveSpan(usize, usize),
    PopMin(usize),
    PopMax(usize),
    /// Goes on with a clone and keeps the original to be compared at the end.
    Clone,
    Pack,
}

fn scores() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (-3..4_i8).prop_map(f64::from),
        4 => -1000.0..1000.0,
        1 => prop_oneof![Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(-0.0), Just(1e17), Just(0.1)],
    ]
}

fn members() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => (0..300_u32).prop_map(|n| n.to_string().into_bytes()),
        6 => prop::collection::vec(prop_oneof![Just(b'a'), Just(b'b'), Just(0), Just(0xff)], 0..8),
        1 => (0..20_usize, 250..260_usize).prop_map(|(n, length)| [vec![b'p'; length], vec![n as u8]].concat()),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => (members(), scores()).prop_map(|(member, score)| Step::Insert(member, score)),
        4 => (members(), scores()).prop_map(|(member, by)| Step::Increment(member, by)),
        6 => members().prop_map(Step::Remove),
        1 => (0..200_usize, 0..60_usize).prop_map(|(start, length)| Step::RemoveSpan(start, start + length)),
        1 => (0..20_usize).prop_map(Step::PopMin),
        1 => (0..20_usize).prop_map(Step::PopMax),
        1 => Just(Step::Clone),
        1 => Just(Step::Pack),
    ]
}

fn owned((member, score): (TextRef<'_>, f64)) -> (Vec<u8>, f64) {
    (member.bytes(&mut itoa::Buffer::new()).to_vec(), score)
}

fn taken(popped: Popped) -> Vec<(Vec<u8>, f64)> {
    popped.into_iter().map(|(member, score)| (member.to_vec(), score)).collect()
}

fn apply(set: &mut ZSet, model: &mut Model, step: Step, kept: &mut Vec<(ZSet, Model)>) {
    match step {
        Step::Insert(member, score) => {
            let text = score.to_string().into_bytes();
            let words = [(&text[..], &member[..]), (&member, &member), (&member, &text)];
            let ends = [Wanted::Lowest, Wanted::Highest, Wanted::Lowest];
            set.look_ahead(words.map(|(first, last)| Wanted::Words(first, last)).into_iter().chain(ends));
            assert_eq!(set.insert(&member, score, &SMALL), model.insert(&member, score));
        }
        Step::Increment(member, by) => {
            let sum = model.score(&member).unwrap_or(0.0) + by;
            let expected = (!sum.is_nan()).then_some(sum);
            assert_eq!(set.increment(&member, by, &SMALL), expected);
            if expected.is_some() {
                model.insert(&member, sum);
            }
        }
        Step::Remove(member) => assert_eq!(set.remove(&member), model.remove(&member)),
        Step::RemoveSpan(start, end) => {
            let end = end.min(model.0.len());
            let start = start.min(end);
            assert_eq!(set.remove_span(start..end), end - start);
            model.0.drain(start..end);
        }
        Step::PopMin(count) => {
            let count = count.min(model.0.len());
            let expected = model.pairs(0..count);
            assert_eq!(taken(set.pop_min(count)), expected);
            model.0.drain(..count);
        }
        Step::PopMax(count) => {
            let start = model.0.len().saturating_sub(count);
            let mut expected = model.pairs(start..model.0.len());
            expected.reverse();
            assert_eq!(taken(set.pop_max(count)), expected);
            model.0.truncate(start);
        }
        Step::Clone => {
            let copy = set.clone();
            kept.push((std::mem::replace(set, copy), model.clone()));
        }
        Step::Pack => {
            set.pack(&SMALL);
            let small =
                model.0.len() <= SMALL.entries && model.0.iter().all(|(_, m)| m.len() <= SMALL.value_bytes);
            assert!(!small || set.encoding() == "listpack");
        }
    }
}

fn pairs<'a>(iter: impl Iterator<Item = (TextRef<'a>, f64)>) -> Vec<(Vec<u8>, f64)> {
    iter.map(owned).collect()
}

/// Whether the set is the model, and sound.
fn check(set: &ZSet, model: &Model) {
    assert_eq!(set.len(), model.0.len());
    assert_eq!(pairs(set.iter()), model.pairs(0..model.0.len()));
    for (rank, (score, member)) in model.0.iter().enumerate() {
        assert_eq!(set.rank(member), Some((rank, *score)));
        assert!(
            set.score(member)
                .is_some_and(|s| s == *score && s.is_sign_negative() == score.is_sign_negative())
        );
    }
    match &set.0 {
        Form::Compact(compact) => {
            assert_eq!(&ZSet::from_listpack(compact.bytes()).unwrap(), set);
            assert!(model.0.len() <= SMALL.entries);
        }
        Form::Indexed(indexed) => indexed.check(),
    }
}

fn bound(score: f64, kind: u8) -> Bound<f64> {
    match kind {
        0 => Bound::Included(score),
        1 => Bound::Excluded(score),
        _ => Bound::Unbounded,
    }
}

fn lex_bound(member: &[u8], kind: u8) -> LexBound<'_> {
    match kind {
        0..3 => LexBound::Included(member),
        3..6 => LexBound::Excluded(member),
        6 => LexBound::First,
        _ => LexBound::Last,
    }
}

proptest! {
    #[test]
    fn a_set_is_a_sorted_vector_and_clones_stay_as_they_were(steps in prop::collection::vec(steps(), 0..400)) {
        let (mut set, mut model, mut kept) = (ZSet::new(), Model::default(), Vec::new());
        for step in steps {
            apply(&mut set, &mut model, step, &mut kept);
            prop_assert_eq!(set.len(), model.0.len());
        }
        check(&set, &model);
        for (set, model) in &kept {
            check(set, model);
        }
    }

    #[test]
    fn spans_are_what_a_filter_finds(
        entries in prop::collection::btree_map(members(), scores(), 0..150),
        (min, max, min_kind, max_kind) in (scores(), scores(), 0..3_u8, 0..3_u8),
        (from, to, from_kind, to_kind) in (members(), members(), 0..8_u8, 0..8_u8),
        (start, end) in (0..160_usize, 0..160_usize),
    ) {
        for thresholds in [ALWAYS_INDEXED, Thresholds { entries: 200, value_bytes: 1000 }] {
            let (mut set, mut model, mut flat) = (ZSet::new(), Model::default(), ZSet::new());
            for (member, score) in &entries {
                set.insert(member, *score, &thresholds);
                model.insert(member, *score);
                flat.insert(member, 1.0, &thresholds);
            }
            let range = ScoreRange { min: bound(min, min_kind), max: bound(max, max_kind) };
            let within = |score: f64| !range.is_after(score) && range.reaches(score);
            let expected: Vec<_> = model.0.iter().filter(|e| within(e.0)).map(|(s, m)| (m.clone(), *s)).collect();
            let span = set.span_by_score(&range);
            prop_assert_eq!(pairs(set.range(span.clone())), expected.clone());
            prop_assert_eq!(set.range(span.clone()).len(), expected.len());

            let reversed: Vec<_> = expected.into_iter().rev().collect();
            prop_assert_eq!(pairs(set.range(span).rev()), reversed);

            let range = LexRange { min: lex_bound(&from, from_kind), max: lex_bound(&to, to_kind) };
            let expected: Vec<_> = entries.keys().filter(|m| !range.is_after(m) && range.reaches(m)).cloned().collect();
            let found: Vec<_> = pairs(flat.range(flat.span_by_lex(&range))).into_iter().map(|(m, _)| m).collect();
            prop_assert_eq!(found, expected);
            prop_assert!(set.span_by_lex(&range).end <= set.len(), "unequal scores: some range, but within the set");

            let ranks = set.within(start..end);
            prop_assert_eq!(pairs(set.range(start..end)), model.pairs(ranks.clone()));
            prop_assert_eq!(set.nth(start).map(owned), model.pairs(0..model.0.len()).get(start).cloned());
            let mut mirrored = pairs(set.range(set.mirrored(start..end)));
            mirrored.reverse();
            let backwards: Vec<_> = set.iter().rev().skip(ranks.start).take(ranks.len()).map(owned).collect();
            prop_assert_eq!(mirrored, backwards);
        }
    }

    #[test]
    fn an_iterator_from_both_ends_gives_everything_once(
        count in 0..100_usize,
        ends in prop::collection::vec(any::<bool>(), 100),
    ) {
        for thresholds in [ALWAYS_INDEXED, Thresholds { entries: 200, value_bytes: 64 }] {
            let mut set = ZSet::new();
            (0..count).for_each(|i| { set.insert(i.to_string().as_bytes(), i as f64, &thresholds); });
            let mut iter = set.iter();
            let (mut low, mut high) = (0, count);
            for &back in &ends[..count] {
                let (found, expected) = if back { high -= 1; (iter.next_back(), high) } else { low += 1; (iter.next(), low - 1) };
                prop_assert_eq!(found.map(|(_, score)| score), Some(expected as f64));
            }
            prop_assert_eq!((iter.next(), iter.next_back(), iter.len()), (None, None, 0));
        }
    }

    #[test]
    fn a_scan_visits_what_stays_exactly_once(
        entries in prop::collection::btree_map(members(), scores(), 0..150),
        churn in prop::collection::vec((members(), scores(), any::<bool>()), 0..150),
        count in 1..20_usize,
    ) {
        let mut set = ZSet::new();
        for (member, score) in &entries {
            set.insert(member, *score, &ALWAYS_INDEXED);
        }
        let touched: BTreeSet<_> = churn.iter().map(|(member, ..)| member.clone()).collect();
        let (mut cursor, mut seen, mut churn) = (0, Vec::new(), churn.into_iter());
        loop {
            cursor = set.scan(cursor, count, |member, _| seen.push(member.to_vec()));
            if cursor == 0 {
                break;
            }
            for (member, score, add) in churn.by_ref().take(3) {
                if add {
                    set.insert(&member, score, &ALWAYS_INDEXED);
                } else {
                    set.remove(&member);
                }
            }
        }
        seen.retain(|member| !touched.contains(member));
        seen.sort();
        let stayed: Vec<_> = entries.into_keys().filter(|member| !touched.contains(member)).collect();
        prop_assert_eq!(seen, stayed);
    }
}

#[test]
fn a_set_becomes_indexed_at_the_thresholds_and_does_not_go_back() {
    let by_entries = (0..129_u32).fold((ZSet::new(), Vec::new()), |(mut set, mut encodings), i| {
        set.insert(i.to_string().as_bytes(), 0.0, &Thresholds::default());
        encodings.push(set.encoding());
        (set, encodings)
    });
    assert_eq!((by_entries.1[127], by_entries.1[128]), ("listpack", "skiplist"));
    let mut set = by_entries.0;
    set.remove_span(1..129);
    assert_eq!((set.encoding(), set.len()), ("skiplist", 1));

    let mut set = ZSet::new();
    set.insert(&[b'a'; 64], 1.0, &Thresholds::default());
    assert_eq!(set.encoding(), "listpack");
    set.insert(&[b'a'; 65], 1.0, &Thresholds::default());
    assert_eq!(set.encoding(), "skiplist");
    assert_eq!(set.rank(&[b'a'; 65]), Some((1, 1.0)));
    assert_eq!(ZSet::with_capacity(129, &Thresholds::default()).encoding(), "skiplist");
}

#[test]
fn an_update_that_decides_for_nothing_changes_nothing() {
    for thresholds in [ALWAYS_INDEXED, Thresholds::default()] {
        let mut set = ZSet::new();
        set.insert(b"a", f64::INFINITY, &thresholds);
        assert_eq!(set.increment(b"a", f64::NEG_INFINITY, &thresholds), None);
        let kept = Some(f64::INFINITY);
        assert_eq!(set.update(b"a", &thresholds, |_| None), Update { old: kept, new: kept });
        assert_eq!(set.update(b"b", &thresholds, |_| None), Update { old: None, new: None });
        assert_eq!(set.update(b"a", &thresholds, |_| Some(-0.0)), Update { old: kept, new: Some(0.0) });
        assert_eq!((set.len(), set.score(b"a").map(f64::is_sign_negative)), (1, Some(false)));
    }
}

#[test]
fn equal_sets_are_equal_in_either_form() {
    let (mut a, mut b) = (ZSet::new(), ZSet::new());
    for (member, score) in [("10", 1.0), ("9", 1.0), ("x", -0.5), ("", f64::NEG_INFINITY)] {
        a.insert(member.as_bytes(), score, &Thresholds::default());
        b.insert(member.as_bytes(), score, &ALWAYS_INDEXED);
    }
    assert_eq!((a.encoding(), b.encoding()), ("listpack", "skiplist"));
    assert_eq!(a, b);
    b.insert(b"9", 1.5, &ALWAYS_INDEXED);
    assert_ne!(a, b);
}

#[test]
fn entries_that_come_in_order_fill_leaves_whole_from_either_side() {
    for descending in [false, true] {
        let mut set = ZSet::new();
        for i in 0..2000 {
            let score = f64::from(if descending { -i } else { i });
            set.insert(format!("member:{i}").as_bytes(), score, &ALWAYS_INDEXED);
        }
        let Form::Indexed(indexed) = &set.0 else { unreachable!("asked for") };
        indexed.check();
        assert_eq!(indexed.leaves(), 2000 / leaf::ENTRIES_MAX);
    }
}

#[test]
fn what_is_emptied_gives_its_memory_back() {
    let mut set = ZSet::new();
    for i in 0..5000_u32 {
        set.insert(i.to_string().as_bytes(), f64::from(i * 7919 % 5000), &ALWAYS_INDEXED);
    }
    let full = set.heap_bytes();
    while set.len() > 10 {
        set.remove_span(set.len() / 3..set.len() / 3 + 7);
    }
    let Form::Indexed(indexed) = &set.0 else { unreachable!("asked for") };
    indexed.check();
    assert!(set.heap_bytes() < full / 5, "{} of {full}", set.heap_bytes());
}

#[test]
fn chance_reaches_every_member() {
    for thresholds in [ALWAYS_INDEXED, Thresholds::default()] {
        let mut set = ZSet::new();
        assert_eq!(set.random(&mut Random::seeded(1)), None);
        (0..50).for_each(|i| {
            set.insert(format!("{i}").as_bytes(), f64::from(i), &thresholds);
        });
        let mut random = Random::seeded(1);
        let seen: BTreeSet<_> =
            (0..2000).filter_map(|_| set.random(&mut random)).map(|pair| owned(pair).0).collect();
        assert_eq!(seen.len(), 50);
    }
}
