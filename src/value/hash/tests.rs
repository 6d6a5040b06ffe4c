//! Hashes against a plain map, in both forms.

use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

const LIMITS: Thresholds = Thresholds { entries: 16, value_bytes: 20 };
type Model = HashMap<Vec<u8>, (Vec<u8>, Millis)>;

#[derive(Debug, Clone)]
enum Step {
    Set(Vec<u8>, Vec<u8>),
    Update(Vec<u8>, Vec<u8>),
    Remove(Vec<u8>),
    Deadline(Vec<u8>, Option<Millis>),
    Due(Millis),
    Fork,
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    let number = (-9..30_i32).prop_map(|number| number.to_string().into_bytes());
    let odd = prop::sample::select(vec!["", "007", "-0", "9223372036854775808", "twenty bytes or more"]);
    let long = prop_oneof![19 => Just(20), 1 => Just(21)].prop_map(|length| vec![b'x'; length]);
    prop_oneof![6 => number, 2 => odd.prop_map(|text| text.as_bytes().to_vec()), 1 => long]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (text(), text()).prop_map(|(name, value)| Step::Set(name, value)),
        4 => (text(), text()).prop_map(|(name, value)| Step::Update(name, value)),
        6 => text().prop_map(Step::Remove),
        1 => (text(), prop::option::of(0..100_i64)).prop_map(|(name, at)| Step::Deadline(name, at)),
        1 => (0..100_i64).prop_map(Step::Due),
        1 => Just(Step::Fork),
    ]
}

fn check(hash: &Hash, model: &Model) {
    assert_eq!((hash.len(), hash.is_empty()), (model.len(), model.is_empty()));
    let owned = |field: Field<'_>| (owned(field.name), (owned(field.value), field.deadline));
    assert_eq!(hash.iter().map(owned).collect::<Model>(), *model);
    let mut scanned = Vec::new();
    let mut cursor = 0;
    loop {
        cursor = hash.scan(cursor, 3, |field| scanned.push(owned(field)));
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(scanned.len(), model.len());
    assert_eq!(scanned.into_iter().collect::<Model>(), *model);
    for name in model.keys() {
        assert_eq!(hash.get(name).map(self::owned), Some(model[name].0.clone()));
    }
    assert_eq!(hash.deadlines(), model.values().filter(|(_, deadline)| *deadline != NEVER).count());
}

fn owned(text: TextRef<'_>) -> Vec<u8> {
    text.bytes(&mut itoa::Buffer::new()).to_vec()
}

proptest! {
    #[test]
    fn it_is_a_map_in_either_form(steps in prop::collection::vec(step(), 0..80)) {
        let (mut hash, mut model) = (Hash::new(), Model::new());
        let mut forks = Vec::new();
        let mut big = false;
        for step in steps {
            match step {
                Step::Set(name, value) => {
                    big |= name.len().max(value.len()) > LIMITS.value_bytes;
                    prop_assert_eq!(hash.set(&name, &value, &LIMITS), model.insert(name, (value, NEVER)).is_none());
                }
                Step::Update(name, value) => {
                    big |= name.len().max(value.len()) > LIMITS.value_bytes;
                    let deadline = model.get(&name).map_or(NEVER, |(_, deadline)| *deadline);
                    let new = hash.update(&name, &value, &LIMITS);
                    prop_assert_eq!(new, model.insert(name, (value, deadline)).is_none());
                }
                Step::Remove(name) => prop_assert_eq!(hash.remove(&name), model.remove(&name).is_some()),
                Step::Deadline(name, deadline) => {
                    let old = model.get_mut(&name);
                    prop_assert_eq!(hash.set_deadline(&name, deadline), old.is_some());
                    if let Some((_, old)) = old {
                        *old = deadline.unwrap_or(NEVER);
                        big |= deadline.is_some();
                    }
                }
                Step::Due(now) => {
                    let mut removed = Vec::new();
                    hash.remove_due(now, usize::MAX, |name| removed.push(name.to_vec()));
                    for name in removed {
                        prop_assert!(model.remove(&name).unwrap().1 <= now);
                    }
                    prop_assert!(hash.earliest() > now);
                    prop_assert!(model.values().all(|(_, deadline)| *deadline > now));
                }
                Step::Fork => forks.push((hash.clone(), model.clone())),
            }
            big |= model.len() > LIMITS.entries;
            prop_assert_eq!(hash.encoding(), if big { "hashtable" } else { "listpack" });
        }
        check(&hash, &model);
        forks.iter().for_each(|(fork, model)| check(fork, model));
        let mut rebuilt = Hash::new();
        for (name, (value, deadline)) in &model {
            rebuilt.set(name, value, &LIMITS);
            rebuilt.set_deadline(name, Some(*deadline).filter(|&deadline| deadline != NEVER));
        }
        prop_assert_eq!(&rebuilt, &hash);
        let mut dictionary = hash.clone();
        dictionary.convert();
        prop_assert_eq!(&dictionary, &hash);
        if let Some(pack) = hash.listpack() {
            let read = Listpack::from_bytes(pack.as_bytes()).unwrap();
            prop_assert_eq!(Hash::from_listpack(read, &LIMITS), Ok(hash));
        }
    }
}

#[test]
fn different_hashes_are_not_equal() {
    let hash = |fields: &[(&[u8], &[u8])]| {
        let mut hash = Hash::new();
        fields.iter().for_each(|(name, value)| assert!(hash.set(name, value, &LIMITS)));
        hash
    };
    let base = hash(&[(b"a", b"1"), (b"2", b"b")]);
    assert_eq!(base, hash(&[(b"2", b"b"), (b"a", b"1")]));
    for other in
        [hash(&[(b"a", b"1")]), hash(&[(b"a", b"1"), (b"2", b"c")]), hash(&[(b"a", b"1"), (b"3", b"b")])]
    {
        assert_ne!(base, other);
    }
    let mut other = base.clone();
    other.set_deadline(b"a", Some(5));
    assert_ne!(base, other);
}

#[test]
fn random_fields_and_samples_come_from_either_form() {
    let mut random = Random::seeded(3);
    let mut hash = Hash::new();
    assert!(hash.random(&mut random).is_none() && hash.sample(2, &mut random).is_empty());
    for number in 0..40 {
        hash.set(format!("f{number}").as_bytes(), b"v", &LIMITS);
        let mut names: Vec<_> =
            hash.sample(5, &mut random).into_iter().map(|field| owned(field.name)).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), hash.len().min(5));
        let seen: std::collections::HashSet<_> =
            (0..1500).map(|_| owned(hash.random(&mut random).unwrap().name)).collect();
        assert_eq!(seen.len(), hash.len());
    }
}

#[test]
fn a_listpack_that_is_no_hash_is_refused() {
    let read = |items: &[&str]| Hash::from_listpack(items.iter().collect(), &LIMITS);
    assert!(read(&["a", "b", "b", "a"]).is_ok());
    assert!(read(&["a"]).is_err());
    assert!(read(&["a", "b", "a", "c"]).is_err());
    assert!(read(&["1", "b", "1", "c"]).is_err());
    let many: Listpack = (0..34).map(|number| number.to_string()).collect();
    assert_eq!(Hash::from_listpack(many, &LIMITS).map(|hash| hash.encoding()), Ok("hashtable"));
}
