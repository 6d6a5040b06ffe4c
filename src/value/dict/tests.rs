//! The dictionary against a plain map; also with hashes that are much worse than any the seed gives.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

type Model = BTreeMap<Vec<u8>, (Option<Vec<u8>>, Millis)>;

/// Evenly spread; evenly spread over few values; all in one corner; all the same.
#[derive(Debug, Clone, Copy)]
enum Hashes {
    Seeded,
    Few,
    Corner,
    One,
}

impl Hashes {
    fn of(self, member: &[u8]) -> u32 {
        match self {
            Hashes::Seeded => hash_of(member),
            Hashes::Few => hash_of(member) & 0xc000_0003,
            Hashes::Corner => hash_of(member) | 0xffff_f000,
            Hashes::One => 7,
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Put { from: u16, count: u16, length: u16, deadline: Millis },
    Remove { from: u16, count: u16 },
    Due { now: Millis, limit: usize },
    Fork,
}

fn step() -> impl Strategy<Value = Step> {
    let length = prop_oneof![0..12_u16, 0..12_u16, 100..400_u16];
    let deadline = prop_oneof![Just(NEVER), Just(NEVER), 0..1000_i64];
    prop_oneof![
        4 => (0..3000_u16, 1..900_u16, length, deadline)
            .prop_map(|(from, count, length, deadline)| Step::Put { from, count, length, deadline }),
        2 => (0..3000_u16, 1..2500_u16).prop_map(|(from, count)| Step::Remove { from, count }),
        1 => (0..1000_i64, prop_oneof![Just(usize::MAX), 0..50_usize]).prop_map(|(now, limit)| Step::Due { now, limit }),
        1 => Just(Step::Fork),
    ]
}

fn member(number: u16) -> Vec<u8> {
    number.to_string().into_bytes()
}

/// Every number that is kept up to date, counted anew; every slot of the directory.
fn check(dict: &Dict) {
    let mut totals = Totals::default();
    for shard in &dict.shards {
        shard.segment.check();
        totals.exchange(Totals::default(), shard.segment.totals());
        assert!(shard.earliest >= shard.segment.earliest());
        assert!(shard.segment.records().all(|record| record.deadline >= shard.earliest));
    }
    assert_eq!(dict.totals, totals);
    assert_eq!(dict.directory.len(), 1 << dict.depth);
    for (slot, &shard) in dict.directory.iter().enumerate() {
        let segment = &dict.shards[shard as usize].segment;
        let start = dict.slot(segment.first());
        assert!((start..start + dict.span(segment.depth())).contains(&slot));
    }
    let at_depth = |shard: &&Shard| shard.segment.depth() == dict.depth;
    assert_eq!(dict.deepest, dict.shards.iter().filter(at_depth).count());
    assert!(dict.depth == 0 || dict.deepest > 0);
    assert_eq!(dict.segments().count(), dict.shards.len());
}

fn same(dict: &Dict, model: &Model, hashes: Hashes) {
    check(dict);
    assert_eq!(dict.len(), model.len());
    for (member, (value, deadline)) in model {
        let record = Record { member, value: value.as_deref(), deadline: *deadline };
        assert_eq!(dict.get_hashed(hashes.of(member), member), Some(record));
    }
    // It has no effect that could be seen, wherever it looks.
    dict.look_ahead(model.keys().map(|member| &member[..]).chain([b"none".as_slice()]));
    assert_eq!(dict.iter().count(), model.len());
    assert_eq!(dict.deadlines(), model.values().filter(|(_, deadline)| *deadline != NEVER).count());
    assert!(model.values().all(|(_, deadline)| *deadline >= dict.earliest()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn it_is_a_map(
        hashes in prop::sample::select(vec![Hashes::Seeded, Hashes::Seeded, Hashes::Few, Hashes::Corner, Hashes::One]),
        steps in prop::collection::vec(step(), 1..16),
    ) {
        let (mut dict, mut model) = (Dict::new(), Model::new());
        let mut forks: Vec<(Dict, Model)> = Vec::new();
        for step in steps {
            match step {
                Step::Put { from, count, length, deadline } => for number in from..from + count {
                    let (member, value) = (member(number), (length > 0).then(|| vec![number as u8; length.into()]));
                    let record = Record { member: &member, value: value.as_deref(), deadline };
                    let new = dict.insert_hashed(hashes.of(&member), record);
                    prop_assert_eq!(new, model.insert(member, (value, deadline)).is_none());
                },
                Step::Remove { from, count } => for number in from..from + count {
                    let member = member(number);
                    prop_assert_eq!(dict.remove_hashed(hashes.of(&member), &member), model.remove(&member).is_some());
                },
                Step::Due { now, limit } => {
                    let before = model.len();
                    let count = dict.remove_due(now, limit, |record| {
                        assert!(model.remove(record.member).is_some_and(|(_, deadline)| deadline <= now));
                    });
                    prop_assert_eq!(count, before - model.len());
                    if limit == usize::MAX {
                        prop_assert!(model.values().all(|(_, deadline)| *deadline > now));
                        prop_assert!(dict.earliest() > now);
                    }
                }
                Step::Fork => forks.push((dict.clone(), model.clone())),
            }
            check(&dict);
        }
        same(&dict, &model, hashes);
        for (fork, model) in forks {
            same(&fork, &model, hashes);
        }
        for member in model.keys() {
            prop_assert!(dict.remove_hashed(hashes.of(member), member));
        }
        prop_assert!(dict.is_empty());
        check(&dict);
        prop_assert_eq!((dict.shards.len(), dict.depth), (1, 0), "an empty dictionary keeps no segments");
    }

    #[test]
    fn a_scan_returns_what_is_there_throughout_exactly_once(
        steady in 0..2000_u16, passing in 0..4000_u16, count in 1..400_usize, few in any::<bool>(), seed in any::<u64>(),
    ) {
        let hashes = if few { Hashes::Few } else { Hashes::Seeded };
        let mut dict = Dict::new();
        let mut seen: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        let mut random = Random::seeded(seed);
        for number in 0..steady {
            let member = member(number);
            dict.insert_hashed(hashes.of(&member), Record { member: &member, value: None, deadline: NEVER });
            seen.insert(member, 0);
        }
        let mut cursor = 0;
        loop {
            cursor = dict.scan(cursor, count, |record| {
                if let Some(times) = seen.get_mut(record.member) {
                    *times += 1;
                }
            });
            if cursor == 0 {
                break;
            }
            // Between the steps it grows far beyond, or shrinks back.
            let grow = random.below(2) == 0;
            for number in 10_000..10_000 + passing {
                let member = member(number);
                if grow {
                    dict.insert_hashed(hashes.of(&member), Record { member: &member, value: None, deadline: NEVER });
                } else {
                    dict.remove_hashed(hashes.of(&member), &member);
                }
            }
        }
        prop_assert!(seen.values().all(|&times| times == 1));
    }
}

fn numbers(count: u32, value: Option<&[u8]>) -> Dict {
    let mut dict = Dict::new();
    for number in 0..count {
        let member = number.to_string();
        dict.insert(Record { member: member.as_bytes(), value, deadline: NEVER });
    }
    dict
}

#[test]
fn a_scan_page_is_about_as_long_as_asked_for() {
    let dict = numbers(20_000, None);
    let (mut cursor, mut pages) = (0, 0);
    loop {
        let mut here = 0;
        cursor = dict.scan(cursor, 10, |_| here += 1);
        assert!(here <= 14, "{here}");
        pages += 1;
        if cursor == 0 {
            break;
        }
        assert_eq!(here.max(10), here);
    }
    assert!((1_990..=2_000).contains(&pages), "{pages}");
    assert_eq!(dict.scan(u64::MAX, 10, |_| panic!("beyond the end")), 0);
}

#[test]
fn random_members_are_evenly_likely() {
    // Few and many segments, and segments cut by size, which hold few members.
    for (count, value) in [(50, None), (6_000, None), (1_500, Some(&[b'v'; 240][..]))] {
        let dict = numbers(count, value);
        let mut times: BTreeMap<Vec<u8>, f64> = BTreeMap::new();
        let mut random = Random::seeded(1);
        for _ in 0..count * 40 {
            *times.entry(dict.random(&mut random).unwrap().member.to_vec()).or_default() += 1.0;
        }
        // Pearson's statistic has the mean count - 1 and the variance 2 (count - 1): five deviations are allowed.
        let excess = times.values().map(|times| (times - 40.0) * (times - 40.0) / 40.0).sum::<f64>()
            - f64::from(count - 1);
        let missing = 40.0 * (f64::from(count) - times.len() as f64);
        assert!((excess + missing).abs() < 5.0 * f64::from(2 * count).sqrt(), "{count}: {excess}");
    }
}

#[test]
fn samples_are_distinct_and_fair() {
    let dict = numbers(3_000, None);
    let mut random = Random::seeded(2);
    for count in [0, 1, 10, 500, 749, 750, 2_999, 3_000, usize::MAX] {
        let sample = dict.sample(count, &mut random);
        assert_eq!(sample.len(), count.min(3_000));
        assert_eq!(sample.iter().map(|record| record.member).collect::<HashSet<_>>().len(), sample.len());
    }
    let mut times = [0; 10];
    for _ in 0..10_000 {
        choose(0..10_usize, 10, 3, &mut random).into_iter().for_each(|index| times[index] += 1);
    }
    assert!(times.iter().all(|times| (2_800..3_200).contains(times)), "{times:?}");
}

#[test]
fn a_write_after_a_clone_copies_one_segment() {
    let mut dict = numbers(20_000, None);
    let clone = dict.clone();
    assert!(
        !dict.insert(Record { member: b"1", value: None, deadline: NEVER }),
        "there already: nothing is copied"
    );
    dict.insert(Record { member: b"new", value: Some(b"1"), deadline: NEVER });
    let shared = |shard: &&Shard| Arc::strong_count(&shard.segment) == 2;
    assert_eq!(dict.shards.iter().filter(shared).count(), dict.shards.len() - 1);
    assert_eq!(clone.get(b"new"), None);
}

#[test]
fn large_values_are_shared_by_copies_of_their_segment() {
    let big = vec![b'x'; 1 << 20];
    let mut dict = numbers(100, Some(&big));
    assert_eq!(dict.shards.len(), 1, "large records do not count for cutting");
    assert!(dict.heap_bytes() > 100 << 20);
    let clone = dict.clone();
    dict.insert(Record { member: b"5", value: Some(b"small"), deadline: NEVER });
    assert!(dict.heap_bytes() < clone.heap_bytes() - (1 << 20) + 1000);
    let address = |dict: &Dict| dict.get(b"6").and_then(|record| record.value).map(<[u8]>::as_ptr);
    assert_eq!(address(&dict), address(&clone));
    assert_eq!(clone.get(b"5").and_then(|record| record.value), Some(&big[..]));
}

#[test]
fn a_member_of_a_big_set_costs_little_more_than_itself() {
    let dict = numbers(1_000_000, None);
    check(&dict);
    let each = dict.heap_bytes() / dict.len();
    // Six digits, and about fourteen bytes of mark, head, spare room and directory.
    assert!((14..=21).contains(&each), "{each}");
}

#[test]
fn equality_does_not_depend_on_history() {
    let (a, mut b) = (numbers(1_000, Some(b"v")), numbers(3_000, Some(b"v")));
    (1_000..3_000).for_each(|number: u32| assert!(b.remove(number.to_string().as_bytes())));
    assert_eq!(a, b);
    b.insert(Record { member: b"1", value: Some(b"w"), deadline: NEVER });
    assert_ne!(a, b);
}

#[test]
fn a_member_is_due_at_its_deadline_and_not_before() {
    let mut dict = Dict::new();
    dict.insert(Record { member: b"a", value: None, deadline: 5 });
    dict.insert(Record { member: b"b", value: None, deadline: 6 });
    assert_eq!((dict.remove_due(4, 9, |_| ()), dict.earliest()), (0, 5));
    assert_eq!((dict.remove_due(5, 9, |record| assert_eq!(record.member, b"a")), dict.earliest()), (1, 6));
    assert!(!dict.contains(b"a") && dict.contains(b"b"));
    // A moved deadline leaves the bound too early, until it is looked at.
    dict.insert(Record { member: b"b", value: None, deadline: 60 });
    assert!(dict.earliest() <= 60);
    assert_eq!((dict.remove_due(59, 9, |_| ()), dict.earliest()), (0, 60));
}
