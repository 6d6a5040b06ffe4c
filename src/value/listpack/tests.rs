//! The format against bytes of Redis 7.0.15, and packs against a vector.

use super::*;
use proptest::prelude::*;

fn texts(pack: &Listpack) -> Vec<Vec<u8>> {
    pack.iter().map(|item| item.bytes(&mut itoa::Buffer::new()).to_vec()).collect()
}

fn texts_backward(pack: &Listpack) -> Vec<Vec<u8>> {
    let mut texts: Vec<_> =
        pack.iter().rev().map(|item| item.bytes(&mut itoa::Buffer::new()).to_vec()).collect();
    texts.reverse();
    texts
}

/// The form must be the one that building the same sequence anew gives, and must survive the wire.
fn check(pack: &Listpack, model: &[Vec<u8>]) {
    assert_eq!(texts(pack), model);
    assert_eq!(texts_backward(pack), model);
    assert_eq!(pack.len(), model.len());
    assert_eq!(pack.is_empty(), model.is_empty());
    assert_eq!(pack, &model.iter().collect::<Listpack>());
    assert_eq!(Listpack::from_bytes(pack.as_bytes()).as_ref(), Ok(pack));
    assert!(pack.heap_bytes() >= pack.bytes());
}

#[test]
fn each_encoding_is_the_one_of_the_format() {
    let cases: &[(&[u8], &[u8])] = &[
        (b"0", &[0, 1]),
        (b"127", &[0x7f, 1]),
        (b"128", &[0xc0, 0x80, 2]),
        (b"-1", &[0xdf, 0xff, 2]),
        (b"4095", &[0xcf, 0xff, 2]),
        (b"-4096", &[0xd0, 0x00, 2]),
        (b"4096", &[0xf1, 0x00, 0x10, 3]),
        (b"-32768", &[0xf1, 0x00, 0x80, 3]),
        (b"32768", &[0xf2, 0x00, 0x80, 0x00, 4]),
        (b"-8388608", &[0xf2, 0x00, 0x00, 0x80, 4]),
        (b"8388608", &[0xf3, 0x00, 0x00, 0x80, 0x00, 5]),
        (b"-2147483648", &[0xf3, 0, 0, 0, 0x80, 5]),
        (b"2147483648", &[0xf4, 0, 0, 0, 0x80, 0, 0, 0, 0, 9]),
        (b"-9223372036854775808", &[0xf4, 0, 0, 0, 0, 0, 0, 0, 0x80, 9]),
        (b"", &[0x80, 1]),
        (b"01", &[0x82, b'0', b'1', 3]),
        (b"-0", &[0x82, b'-', b'0', 3]),
    ];
    for (text, entry) in cases {
        let pack: Listpack = [text].into_iter().collect();
        assert_eq!(&pack.as_bytes()[6..pack.bytes() - 1], *entry, "{text:?}");
        assert_eq!(entry_size(text), entry.len(), "{text:?}");
        check(&pack, &[text.to_vec()]);
    }
}

#[test]
fn the_way_back_has_the_number_of_bytes_that_redis_writes() {
    // Length of the string, its head, and the way back as Redis 7.0.15 dumps it.
    let cases: &[(usize, usize, &[u8])] = &[
        (63, 1, &[64]),
        (125, 2, &[127]),
        (126, 2, &[0x01, 0x80]),
        (4095, 2, &[0x20, 0x81]),
        (4096, 5, &[0x20, 0x85]),
        (16_377, 5, &[0x7f, 0xfe]),
        (16_378, 5, &[0x00, 0xff, 0xff]),
        (2_097_145, 5, &[0x7f, 0xff, 0xfe]),
        (2_097_146, 5, &[0x00, 0xff, 0xff, 0xff]),
    ];
    for &(len, head, way_back) in cases {
        let text = vec![b'x'; len];
        let pack: Listpack = [&text].into_iter().collect();
        assert_eq!(&pack.as_bytes()[6 + head + len..pack.bytes() - 1], way_back, "{len}");
        check(&pack, &[text]);
    }
}

#[test]
fn a_foreign_form_is_rewritten_into_the_only_one() {
    // 5 as a 64-bit integer, "7" as a string, and the count left open.
    let foreign =
        [23, 0, 0, 0, 0xff, 0xff, 0xf4, 5, 0, 0, 0, 0, 0, 0, 0, 9, 0x81, b'7', 2, 0x81, b'a', 2, END];
    let pack = Listpack::from_bytes(&foreign).unwrap();
    check(&pack, &[b"5".to_vec(), b"7".to_vec(), b"a".to_vec()]);
    assert_eq!(pack.find(b"7", 0), pack.at(1));
}

#[test]
fn more_than_65534_entries_are_counted_by_walking() {
    let mut model: Vec<Vec<u8>> = (0..65_534).map(|n: u32| n.to_string().into_bytes()).collect();
    let mut pack: Listpack = model.iter().collect();
    assert_eq!(pack.as_bytes()[4..6], [0xfe, 0xff]);
    for more in [b"a", b"b", b"c"] {
        pack.push_back(more);
        model.push(more.to_vec());
        assert_eq!(pack.as_bytes()[4..6], [0xff, 0xff]);
    }
    check(&pack, &model);
    assert_eq!(pack.get(65_536), Some(Item::Bytes(b"c")));
    assert_eq!(pack.get(65_537), None);
    assert_eq!(pack.remove_range(10, 3), 3);
    model.drain(10..13);
    assert_eq!(pack.as_bytes()[4..6], [0xfe, 0xff]);
    check(&pack, &model);
}

#[test]
fn searching_with_a_skip_sees_only_every_other_entry() {
    let pack: Listpack = ["a", "b", "b", "1", "1", "a"].into_iter().collect();
    assert_eq!(pack.find(b"b", 1), pack.at(2));
    assert_eq!(pack.find(b"b", 0), pack.at(1));
    assert_eq!(pack.find(b"1", 1), pack.at(4));
    assert_eq!(pack.find(b"c", 1), None);
    assert_eq!(pack.find_from(pack.at(3).unwrap(), b"a", 0), pack.at(5));
}

#[test]
fn broken_bytes_are_refused() {
    let good: Listpack = ["abc", "1234", "x"].into_iter().collect();
    let good = good.as_bytes();
    for at in 0..good.len() {
        assert_eq!(Listpack::from_bytes(&good[..at]), Err(Invalid));
        if !matches!(at, 7..=9 | 11 | 12 | 15) {
            // All but the bytes of the strings and of the number.
            let mut bad = good.to_vec();
            bad[at] ^= 0x10;
            assert_eq!(Listpack::from_bytes(&bad), Err(Invalid), "{at}");
        }
    }
    let mut long = good.to_vec();
    long.push(END);
    assert_eq!(Listpack::from_bytes(&long), Err(Invalid));
    assert_eq!(Listpack::from_bytes(&[]), Err(Invalid));
}

fn any_text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => proptest::collection::vec(any::<u8>(), 0..20),
        4 => any::<(i64, u8)>().prop_map(|(n, shift)| (n >> (shift % 64)).to_string().into_bytes()),
        1 => (0_usize..300, any::<u8>()).prop_map(|(len, byte)| vec![byte; len]),
        1 => prop_oneof![4000_usize..4200, 16_370_usize..16_390].prop_map(|len| vec![b'x'; len]),
    ]
}

#[derive(Debug, Clone)]
enum Step {
    PushBack(Vec<u8>),
    PushFront(Vec<u8>),
    Insert(usize, Vec<u8>),
    Replace(usize, Vec<u8>),
    Remove(usize, usize),
    SplitAndAppend(usize),
    Shrink,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        any_text().prop_map(Step::PushBack),
        any_text().prop_map(Step::PushFront),
        (any::<usize>(), any_text()).prop_map(|(at, text)| Step::Insert(at, text)),
        (any::<usize>(), any_text()).prop_map(|(at, text)| Step::Replace(at, text)),
        (any::<usize>(), 0_usize..4).prop_map(|(at, n)| Step::Remove(at, n)),
        any::<usize>().prop_map(Step::SplitAndAppend),
        Just(Step::Shrink),
    ]
}

proptest! {
    #[test]
    fn a_pack_does_what_a_vector_does(steps in proptest::collection::vec(any_step(), 0..40)) {
        let (mut pack, mut model) = (Listpack::new(), Vec::<Vec<u8>>::new());
        for step in steps {
            match step {
                Step::PushBack(text) => {
                    pack.push_back(&text);
                    model.push(text);
                }
                Step::PushFront(text) => {
                    pack.push_front(&text);
                    model.insert(0, text);
                }
                Step::Insert(at, text) => {
                    let at = at % (model.len() + 1);
                    pack.insert(pack.at(at).unwrap_or(pack.end()), &text);
                    model.insert(at, text);
                }
                Step::Replace(at, text) if !model.is_empty() => {
                    let at = at % model.len();
                    pack.replace(pack.at(at).unwrap(), &text);
                    model[at] = text;
                }
                Step::Replace(_, text) => pack.replace(pack.end(), &text),
                Step::Remove(at, n) => {
                    let at = at % (model.len() + 1);
                    let n_there = n.min(model.len() - at);
                    prop_assert_eq!(pack.remove_range(at, n), n_there);
                    model.drain(at..at + n_there);
                }
                Step::SplitAndAppend(at) => {
                    let at = at % (model.len() + 1);
                    let tail = pack.split_off(pack.at(at).unwrap_or(pack.end()));
                    check(&pack, &model[..at]);
                    check(&tail, &model[at..]);
                    pack.append(&tail);
                }
                Step::Shrink => pack.shrink(),
            }
            check(&pack, &model);
        }
        for (index, text) in model.iter().enumerate() {
            let mut buffer = itoa::Buffer::new();
            prop_assert_eq!(pack.get(index).unwrap().bytes(&mut buffer), text.as_slice());
            let first = model.iter().position(|other| other == text).unwrap();
            prop_assert_eq!(pack.find(text, 0), pack.at(first));
        }
        prop_assert_eq!(pack.get(model.len()), None);
    }

    #[test]
    fn any_bytes_are_refused_or_become_a_sound_pack(
        body in proptest::collection::vec(prop_oneof![any::<u8>(), 0_u8..10, Just(0xf0_u8), Just(0x81_u8)], 0..24),
    ) {
        let mut bytes = vec![u8::try_from(body.len() + 7).unwrap(), 0, 0, 0, 0xff, 0xff];
        bytes.extend_from_slice(&body);
        bytes.push(END);
        if let Ok(pack) = Listpack::from_bytes(&bytes) {
            check(&pack, &texts(&pack));
        }
    }

    #[test]
    fn one_changed_byte_is_refused_or_gives_a_sound_pack(
        strings in proptest::collection::vec(any_text(), 0..8), at: usize, to: u8,
    ) {
        let pack: Listpack = strings.iter().collect();
        let mut bytes = pack.as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] = to;
        if let Ok(pack) = Listpack::from_bytes(&bytes) {
            check(&pack, &texts(&pack));
        }
    }
}
