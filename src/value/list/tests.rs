//! Lists against a deque, with chunks so small that a few hundred elements need several groups.

use super::*;
use proptest::prelude::*;
use std::collections::VecDeque;

type Model = VecDeque<Vec<u8>>;

/// Limits small enough that a few hundred elements fill several groups.
const LIMITS: [ChunkLimit; 4] = [
    ChunkLimit { bytes: 8192, entries: 1 },
    ChunkLimit { bytes: 8192, entries: 3 },
    ChunkLimit { bytes: 48, entries: usize::MAX },
    ChunkLimit { bytes: 300, entries: usize::MAX },
];

fn check(list: &List, model: &Model, limit: ChunkLimit) {
    let buffer = &mut itoa::Buffer::new();
    assert!(list.iter().map(|item| item.bytes(buffer).to_vec()).eq(model.iter().cloned()));
    assert_eq!(list.len(), model.len());
    match &list.0 {
        Form::Short(pack) => assert!(limit.allows(pack)),
        Form::Long(directory) => {
            directory.check(limit);
            assert!(!list.is_empty());
        }
    }
}

fn text(item: Item<'_>) -> Vec<u8> {
    item.bytes(&mut itoa::Buffer::new()).to_vec()
}

#[test]
fn the_directive_gives_sizes_for_negative_and_numbers_for_positive_values() {
    let limit = |bytes, entries| ChunkLimit { bytes, entries };
    assert_eq!(ChunkLimit::from_directive(-1), limit(4096, usize::MAX));
    assert_eq!(ChunkLimit::from_directive(-2), ChunkLimit::DEFAULT);
    assert_eq!(ChunkLimit::from_directive(-5), limit(65_536, usize::MAX));
    assert_eq!(ChunkLimit::from_directive(-9), limit(65_536, usize::MAX));
    assert_eq!(ChunkLimit::from_directive(i32::MIN), limit(65_536, usize::MAX));
    assert_eq!(ChunkLimit::from_directive(128), limit(8192, 128));
    assert_eq!(ChunkLimit::from_directive(0), limit(8192, 1));
}

#[test]
fn a_large_element_has_a_chunk_to_itself() {
    let (mut list, limit) = (List::new(), ChunkLimit::DEFAULT);
    list.push_back(b"a", limit);
    list.push_back(&[b'x'; 20_000], limit);
    list.push_back(b"b", limit);
    assert_eq!(list.packs().map(Listpack::len).collect::<Vec<_>>(), [1, 1, 1]);
    // Replacing it by a small one keeps it where it is; replacing a small one by a large parts its chunk.
    list.push_back(b"c", limit);
    list.push_back(b"d", limit);
    assert!(list.set(3, &[b'y'; 9000], limit));
    assert_eq!(list.packs().map(Listpack::len).collect::<Vec<_>>(), [1, 1, 1, 1, 1]);
    assert!(list.set(1, b"z", limit));
    assert!(!list.set(5, b"z", limit));
    let model = [b"a".to_vec(), b"z".to_vec(), b"b".to_vec(), vec![b'y'; 9000], b"d".to_vec()].into();
    check(&list, &model, limit);
}

#[test]
fn what_shrinks_becomes_short_again_and_gives_its_memory_back() {
    let (mut list, limit) = (List::new(), ChunkLimit::DEFAULT);
    let empty = list.heap_bytes();
    for n in 0..100_000 {
        list.push_back(n.to_string().as_bytes(), limit);
    }
    assert!(matches!(list.0, Form::Long(_)));
    list.trim(50_000, 3);
    assert!(matches!(list.0, Form::Short(_)));
    assert_eq!(list.iter().collect::<Vec<_>>(), [50_000, 50_001, 50_002].map(Item::Int));
    assert!(list.heap_bytes() < 200, "{}", list.heap_bytes());
    list.remove_front(3);
    assert!(list.is_empty());
    assert!(list.heap_bytes() <= empty.max(128));
}

#[test]
fn a_chunk_has_room_for_no_more_than_it_may_take() {
    let (mut list, limit) = (List::new(), ChunkLimit::DEFAULT);
    for n in 0..5000 {
        list.push_back(format!("element:{n:09}").as_bytes(), limit);
        list.push_front(format!("element:{n:09}").as_bytes(), limit);
        assert!(list.packs().all(|pack| pack.heap_bytes() <= 8192), "{n}");
    }
}

#[test]
fn removing_most_elements_joins_the_chunks() {
    let (mut list, limit) = (List::new(), ChunkLimit::DEFAULT);
    for n in 0..200_000 {
        list.push_back(if n % 1000 == 0 { b"kept".as_slice() } else { b"gone" }, limit);
    }
    assert_eq!(list.remove_equal(b"gone", 0, limit), 199_800);
    assert_eq!(list.len(), 200);
    assert!(list.packs().count() <= 2, "{}", list.packs().count());
}

#[test]
fn a_large_element_may_part_any_chunk_of_full_groups() {
    let (mut list, limit) = (List::new(), LIMITS[2]);
    let model: Model = (0..900_u16).map(|n| format!("e{n:05}").into_bytes()).collect();
    model.iter().for_each(|text| list.push_back(text, limit));
    let Form::Long(directory) = &list.0 else { panic!("900 elements do not fit in 48 bytes") };
    assert!(directory.group_sizes().starts_with(&[128]), "{:?}", directory.group_sizes());
    for index in 0..=model.len() {
        let (mut list, mut model) = (list.clone(), model.clone());
        list.insert(index, &[b'x'; 100], limit);
        model.insert(index, vec![b'x'; 100]);
        check(&list, &model, limit);
    }
}

#[test]
fn removing_most_elements_joins_the_groups() {
    let (mut list, limit) = (List::new(), LIMITS[0]);
    let mut model: Model =
        (0..400).map(|n| if n % 10 == 0 { b"kept".to_vec() } else { b"gone".to_vec() }).collect();
    model.iter().for_each(|text| list.push_back(text, limit));
    assert_eq!(list.remove_equal(b"gone", 0, limit), remove_equal(&mut model, b"gone", 0));
    check(&list, &model, limit);
    let Form::Long(directory) = &list.0 else { panic!("40 elements in chunks of one are long") };
    assert_eq!(directory.group_sizes(), [40]);
}

#[test]
fn a_million_elements_cost_little_more_than_their_bytes() {
    let (mut list, limit) = (List::new(), ChunkLimit::DEFAULT);
    for n in 0..1_000_000 {
        list.push_back(format!("v{n:09}").as_bytes(), limit);
    }
    // 10 bytes, a head and a way back.
    assert!(list.heap_bytes() < 12_200_000, "{}", list.heap_bytes());
    for index in [0, 1, 499_999, 500_000, 999_999] {
        assert_eq!(list.get(index).map(text), Some(format!("v{index:09}").into_bytes()));
    }
    assert_eq!(list.get(1_000_000), None);
    assert!(list.range(700_000, 3).map(text).eq((700_000..700_003).map(|n| format!("v{n:09}").into_bytes())));
}

/// Few different elements, so that searches hit; now and then one larger than a chunk.
fn any_text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => (0..6_u8).prop_map(|n| n.to_string().into_bytes()),
        3 => (0..3_u8, 1..12_usize).prop_map(|(n, len)| vec![b'a' + n; len]),
        1 => any::<i64>().prop_map(|n| n.to_string().into_bytes()),
        1 => (30..400_usize).prop_map(|len| vec![b'x'; len]),
    ]
}

#[derive(Debug, Clone)]
enum Step {
    PushBack(Vec<Vec<u8>>, usize),
    PushFront(Vec<Vec<u8>>, usize),
    Insert(usize, Vec<Vec<u8>>),
    Set(usize, Vec<u8>),
    PopFront,
    PopBack,
    RemoveFront(usize),
    RemoveBack(usize),
    Trim(usize, usize),
    RemoveEqual(Vec<u8>, i64),
    PushPack(Vec<Vec<u8>>),
    Rotate(usize),
    Clone,
}

fn any_step() -> impl Strategy<Value = Step> {
    let texts = || proptest::collection::vec(any_text(), 1..12);
    prop_oneof![
        3 => (texts(), 1..40_usize).prop_map(|(texts, times)| Step::PushBack(texts, times)),
        3 => (texts(), 1..40_usize).prop_map(|(texts, times)| Step::PushFront(texts, times)),
        4 => (any::<usize>(), texts()).prop_map(|(at, texts)| Step::Insert(at, texts)),
        2 => (any::<usize>(), any_text()).prop_map(|(at, text)| Step::Set(at, text)),
        1 => Just(Step::PopFront),
        1 => Just(Step::PopBack),
        1 => (0..300_usize).prop_map(Step::RemoveFront),
        1 => (0..300_usize).prop_map(Step::RemoveBack),
        1 => (0..300_usize, 0..900_usize).prop_map(|(start, n)| Step::Trim(start, n)),
        2 => (any_text(), -20..20_i64).prop_map(|(text, count)| Step::RemoveEqual(text, count)),
        1 => texts().prop_map(Step::PushPack),
        1 => (1..20_usize).prop_map(Step::Rotate),
        2 => Just(Step::Clone),
    ]
}

fn remove_equal(model: &mut Model, text: &[u8], count: i64) -> usize {
    let mut hits: Vec<usize> = (0..model.len()).filter(|&at| model[at] == text).collect();
    if count < 0 {
        hits.reverse();
    }
    if count != 0 {
        hits.truncate(usize::try_from(count.unsigned_abs()).unwrap());
    }
    hits.sort_unstable();
    for &at in hits.iter().rev() {
        model.remove(at);
    }
    hits.len()
}

fn apply(list: &mut List, model: &mut Model, step: Step, limit: ChunkLimit) {
    match step {
        Step::PushBack(texts, times) => {
            for text in std::iter::repeat_n(texts, times).flatten() {
                list.push_back(&text, limit);
                model.push_back(text);
            }
        }
        Step::PushFront(texts, times) => {
            for text in std::iter::repeat_n(texts, times).flatten() {
                list.push_front(&text, limit);
                model.push_front(text);
            }
        }
        Step::Insert(at, texts) => {
            let at = at % (model.len() + 1);
            for text in texts {
                list.insert(at, &text, limit);
                model.insert(at, text);
            }
        }
        Step::Set(at, text) => {
            let at = at % (model.len() + 1);
            assert_eq!(list.set(at, &text, limit), at < model.len());
            if let Some(old) = model.get_mut(at) {
                *old = text;
            }
        }
        Step::PopFront => assert_eq!(list.pop_front(), model.pop_front()),
        Step::PopBack => assert_eq!(list.pop_back(), model.pop_back()),
        Step::RemoveFront(n) => {
            list.remove_front(n);
            model.drain(..n.min(model.len()));
        }
        Step::RemoveBack(n) => {
            list.remove_back(n);
            model.truncate(model.len().saturating_sub(n));
        }
        Step::Trim(start, n) => {
            list.trim(start, n);
            *model = model.iter().skip(start).take(n).cloned().collect();
        }
        Step::RemoveEqual(text, count) => {
            assert_eq!(list.remove_equal(&text, count, limit), remove_equal(model, &text, count));
        }
        Step::PushPack(texts) => {
            list.push_pack(texts.iter().collect(), limit);
            model.extend(texts);
        }
        Step::Rotate(times) => {
            for _ in 0..times {
                if let Some(text) = list.pop_back() {
                    list.push_front(&text, limit);
                    model.rotate_right(1);
                }
            }
        }
        Step::Clone => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn a_list_does_what_a_deque_does(
        steps in proptest::collection::vec(any_step(), 1..40), limit in 0..LIMITS.len(),
    ) {
        let limit = LIMITS[limit];
        let (mut list, mut model) = (List::new(), Model::new());
        let mut clones = Vec::new();
        for step in steps {
            if matches!(step, Step::Clone) {
                clones.push((list.clone(), model.clone()));
            }
            apply(&mut list, &mut model, step, limit);
            check(&list, &model, limit);
        }
        for (clone, model) in &clones {
            check(clone, model, limit);
        }
        // Another form, the same list.
        let mut other = List::new();
        model.iter().for_each(|text| other.push_back(text, ChunkLimit::DEFAULT));
        prop_assert_eq!(&other, &list);
        other.push_back(b"more", ChunkLimit::DEFAULT);
        prop_assert_ne!(&other, &list);
    }

    #[test]
    fn reading_from_any_place_in_both_directions_agrees_with_a_deque(
        steps in proptest::collection::vec(any_step(), 1..12), limit in 0..LIMITS.len(),
        at: usize, n in 0..400_usize, text in any_text(),
    ) {
        let limit = LIMITS[limit];
        let (mut list, mut model) = (List::new(), Model::new());
        for step in steps {
            apply(&mut list, &mut model, step, limit);
        }
        let at = at % (model.len() + 2);
        prop_assert_eq!(list.get(at).map(self::text), model.get(at).cloned());
        prop_assert!(list.range(at, n).map(self::text).eq(model.iter().skip(at).take(n).cloned()));
        prop_assert!(list.range_back(at, n).map(self::text).eq(model.iter().rev().skip(at).take(n).cloned()));
        let hits = |most: usize| model.iter().take(most).enumerate().filter(|(_, t)| **t == text).map(|(at, _)| at);
        prop_assert!(list.positions(&text, n).eq(hits(n)));
        prop_assert!(list.positions(&text, usize::MAX).eq(hits(usize::MAX)));
        let first = model.len().saturating_sub(n);
        let back: Vec<usize> = (first..model.len()).rev().filter(|&at| model[at] == text).collect();
        prop_assert!(list.positions_back(&text, n).eq(back));
    }
}
