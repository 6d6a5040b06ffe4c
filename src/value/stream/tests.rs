//! Streams against a list of entries, with chunks so small that a few hundred entries need several leaves.

use proptest::prelude::*;

use super::*;

type Model = Vec<(Id, Vec<Vec<u8>>)>;

fn plain(entry: Entry<'_>) -> (Id, Vec<Vec<u8>>) {
    let text = |item: crate::value::TextRef<'_>| item.bytes(&mut itoa::Buffer::new()).to_vec();
    (entry.id, entry.fields().flat_map(|(name, value)| [text(name), text(value)]).collect())
}

fn check(stream: &Stream, model: &Model) {
    let log = stream.log();
    assert_eq!(log.range(Id::MIN, Id::MAX).map(plain).collect::<Model>(), *model);
    let backward: Model = log.range_back(Id::MIN, Id::MAX).map(plain).collect();
    assert!(backward.iter().rev().eq(model));
    assert_eq!(log.len(), model.len());
    assert_eq!(log.first_id(), model.first().map(|(id, _)| *id).unwrap_or_default());
    assert_eq!(log.top_id(), model.last().map(|(id, _)| *id).unwrap_or_default());
    let weighed: usize = log.packs().map(|(_, pack)| pack.heap_bytes()).sum();
    assert!(stream.heap_bytes() >= weighed);
    let mut copy = Stream::new();
    assert!(log.packs().all(|(base, pack)| copy.adopt(base, pack.clone())));
    assert!(copy.log().range(Id::MIN, Id::MAX).map(plain).eq(model.iter().cloned()));
}

#[derive(Debug, Clone)]
enum Step {
    Push(u64, Vec<Vec<u8>>),
    Remove(prop::sample::Index),
    ToLength(prop::sample::Index),
    Below(prop::sample::Index),
    Range(u64, u64),
    Clone,
}

fn step() -> impl Strategy<Value = Step> {
    let word = || prop_oneof![Just(b"name".to_vec()), prop::collection::vec(any::<u8>(), 0..5)];
    prop_oneof![
        20 => (0..3u64, prop::collection::vec(word(), 1..4)).prop_map(|(ms, mut words)| {
            let values = words.clone();
            words.extend(values);
            Step::Push(ms, words)
        }),
        6 => any::<prop::sample::Index>().prop_map(Step::Remove),
        1 => any::<prop::sample::Index>().prop_map(Step::ToLength),
        1 => any::<prop::sample::Index>().prop_map(Step::Below),
        4 => (0..200u64, 0..200u64).prop_map(|(from, to)| Step::Range(from, to)),
        1 => Just(Step::Clone),
    ]
}

proptest! {
    #[test]
    fn a_stream_is_a_list_of_entries(steps in prop::collection::vec(step(), 1..400), entries in 1..4u64) {
        let limit = ChunkLimit::from_directives(60, entries);
        let (mut stream, mut model, mut kept) = (Stream::new(), Model::new(), Vec::new());
        for step in steps {
            match step {
                Step::Push(ms, words) => {
                    let last = stream.log().last_id();
                    let id = if ms == 0 { last.next().unwrap() } else { Id { ms: last.ms + ms, seq: 7 / ms } };
                    let refs: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
                    prop_assert!(stream.push(id, &refs, limit));
                    prop_assert!(!stream.push(id, &refs, limit));
                    model.push((id, words));
                }
                Step::Remove(at) if !model.is_empty() => {
                    let (id, _) = model.remove(at.index(model.len()));
                    prop_assert!(stream.log().contains(id));
                    prop_assert!(stream.remove(id));
                    prop_assert!(!stream.remove(id) && !stream.log().contains(id));
                    prop_assert!(stream.log().max_deleted() >= id);
                }
                Step::ToLength(at) => {
                    let length = model.len() - at.index(model.len() + 1) / 4;
                    let removed = stream.trim(Trim::ToLength(length), false, usize::MAX);
                    prop_assert_eq!(removed, model.len() - length);
                    model.drain(..removed);
                }
                Step::Below(at) if !model.is_empty() => {
                    let (id, _) = model[at.index(model.len()) / 4];
                    let removed = stream.trim(Trim::Below(id), false, usize::MAX);
                    prop_assert!(model.drain(..removed).all(|(gone, _)| gone < id));
                }
                Step::Range(from, to) => {
                    let (from, to) = (Id { ms: from, seq: 3 }, Id { ms: to, seq: 4 });
                    let mut expected = model.clone();
                    expected.retain(|(id, _)| (from..=to).contains(id));
                    prop_assert_eq!(stream.log().range(from, to).map(plain).collect::<Model>(), expected.clone());
                    expected.reverse();
                    prop_assert_eq!(stream.log().range_back(from, to).map(plain).collect::<Model>(), expected);
                }
                Step::Clone => kept.push((stream.clone(), model.clone())),
                _ => {}
            }
        }
        check(&stream, &model);
        // What was done since does not show in a clone.
        kept.iter().for_each(|(stream, model)| check(stream, model));
    }

    /// Whatever bytes are taken for a chunk, they are one or they are refused.
    #[test]
    fn no_listpack_makes_it_panic(
        numbers in prop::collection::vec(prop_oneof![4 => -3..12i64, 1 => any::<i64>()], 0..40),
    ) {
        let mut pack = Listpack::new();
        numbers.iter().for_each(|number| pack.push_back(number.to_string().as_bytes()));
        let mut stream = Stream::new();
        if stream.adopt(Id { ms: 5, seq: 5 }, pack) {
            prop_assert_eq!(stream.log().range(Id::MIN, Id::MAX).count(), stream.log().len());
        }
    }
}

#[test]
fn an_approximate_trim_takes_whole_chunks_up_to_a_number_of_entries() {
    let limit = ChunkLimit::from_directives(0, 10);
    let mut stream = Stream::new();
    (1..=95).for_each(|ms| assert!(stream.push(Id { ms, seq: 0 }, &[b"f", b"v"], limit)));
    assert_eq!(stream.trim(Trim::ToLength(72), true, usize::MAX), 20);
    assert_eq!(stream.trim(Trim::ToLength(0), true, 25), 20);
    assert_eq!(stream.trim(Trim::Below(Id { ms: 61, seq: 0 }), true, usize::MAX), 20);
    assert_eq!((stream.log().len(), stream.log().parts().0), (35, 4));
}

#[test]
fn what_was_deleted_elsewhere_is_taken_out_at_the_door() {
    let chunk = |items: &[&str]| items.iter().collect::<Listpack>();
    let base = Id { ms: 1, seq: 0 };
    // Two entries, of which the first is marked as deleted; names f; then the same with a count that does not fit.
    let good = ["1", "1", "1", "f", "0", "3", "0", "0", "a", "4", "0", "1", "0", "1", "g", "b", "6"];
    let mut stream = Stream::new();
    assert!(stream.adopt(base, chunk(&good)));
    let entries: Model = stream.log().range(Id::MIN, Id::MAX).map(plain).collect();
    assert_eq!(entries, [(Id { ms: 2, seq: 0 }, vec![b"g".to_vec(), b"b".to_vec()])]);
    for (at, wrong) in
        [(0, "2"), (1, "0"), (2, "9"), (2, "x"), (4, "1"), (5, "4"), (9, "3"), (11, "-1"), (16, "7")]
    {
        let mut items = good;
        items[at] = wrong;
        assert!(!Stream::new().adopt(base, chunk(&items)), "item {at} as {wrong}");
    }
}

#[test]
fn a_group_knows_what_is_pending_with_whom() {
    let id = |ms| Id { ms, seq: 0 };
    let mut group = Group::new(Id::MIN, None);
    assert!(!group.assign(id(1), b"a", 5, 1));
    assert!(group.add_consumer(b"a", 1) && group.add_consumer(b"b", 1) && !group.add_consumer(b"a", 1));
    (1..=300).for_each(|ms| assert!(group.assign(id(ms), b"a", 5, 1)));
    (1..=100).for_each(|ms| assert!(group.assign(id(ms), b"b", 6, 2)));
    assert!(group.acknowledge(id(1)) && !group.acknowledge(id(1)));
    let of = |group: &Group, name: &[u8]| group.consumer(name).map(|consumer| consumer.pending().len());
    assert_eq!((group.pending().len(), of(&group, b"a"), of(&group, b"b")), (299, Some(200), Some(99)));
    let pending = group.pending().get(id(7)).unwrap();
    assert_eq!((group.owner(&pending), pending.delivered, pending.count), (&b"b"[..], 6, 2));
    assert_eq!(group.remove_consumer(b"b"), Some(99));
    assert_eq!((group.pending().len(), group.remove_consumer(b"b")), (200, None));
    assert_eq!(group.remove_consumer(b"a"), Some(200));
    assert_eq!((group.pending().len(), group.bytes()), (0, 0));
}
