//! Lists, hashes, sets and sorted sets of a thousand elements, or small enough for their compact form.

use std::hint::black_box;

use pinstripe::value::list::{ChunkLimit, List};
use pinstripe::value::{Hash, Set, ZSet, hash, set, zset};

use crate::cases::{BATCH, Case, Named, Order, Staged, key};

pub(crate) const CASES: &[Named] = &[
    Named { name: "list/push and pop", operations: BATCH, make: |_| state(list, push_and_pop) },
    Named { name: "list/range of 100", operations: 100, make: |_| state(list, list_range) },
    Named { name: "hash/get", operations: BATCH, make: |_| state(|| hash(1000), hash_get) },
    Named { name: "hash/set", operations: BATCH, make: |_| state(|| hash(1000), hash_set) },
    Named { name: "hash/get, compact", operations: BATCH, make: |_| state(|| hash(50), hash_get) },
    Named { name: "set/add and remove", operations: BATCH, make: |_| state(members, add_and_remove) },
    Named { name: "zset/add", operations: BATCH, make: |_| state(scores, zset_add) },
    Named { name: "zset/range of 100", operations: 100, make: |_| state(scores, zset_range) },
];

const VALUE: &[u8] = b"a value that takes thirty-two by";
const HASH_LIMITS: hash::Thresholds = hash::Thresholds { entries: 128, value_bytes: 64 };

struct Held<V> {
    value: V,
    keys: Vec<Vec<u8>>,
    order: Order,
}

fn state<V: 'static>(make: impl Fn() -> V, run: fn(&mut Held<V>)) -> Box<dyn Case> {
    // The runs read their keys from here: making them is no part of the operation.
    let keys: Vec<_> = (0..1000).map(key).collect();
    let state = Held { value: make(), keys, order: Order::below(1000) };
    Box::new(Staged { state, prepare: |_| (), run })
}

fn list() -> List {
    let mut list = List::new();
    (0..1000).for_each(|n| list.push_back(&key(n), ChunkLimit::DEFAULT));
    list
}

fn push_and_pop(held: &mut Held<List>) {
    for key in held.keys.iter().take(BATCH as usize) {
        held.value.push_front(key, ChunkLimit::DEFAULT);
        black_box(held.value.pop_back());
    }
}

fn list_range(held: &mut Held<List>) {
    for item in held.value.range(0, 100) {
        black_box(item.len());
    }
}

fn hash(fields: usize) -> Hash {
    let mut hash = Hash::new();
    for n in 0..fields {
        hash.set(&key(n), VALUE, &HASH_LIMITS);
    }
    hash
}

fn hash_get(held: &mut Held<Hash>) {
    let fields = held.value.len();
    for _ in 0..BATCH {
        black_box(held.value.get(&held.keys[held.order.pick() % fields]));
    }
}

fn hash_set(held: &mut Held<Hash>) {
    for _ in 0..BATCH {
        black_box(held.value.set(&held.keys[held.order.pick()], VALUE, &HASH_LIMITS));
    }
}

fn members() -> Set {
    let mut members = Set::new();
    for n in 1000..2000 {
        members.add(&key(n), &SET_LIMITS);
    }
    members
}

const SET_LIMITS: set::Thresholds =
    set::Thresholds { intset_entries: 512, listpack_entries: 128, listpack_value: 64 };

fn add_and_remove(held: &mut Held<Set>) {
    for key in held.keys.iter().take(BATCH as usize) {
        black_box(held.value.add(key, &SET_LIMITS));
        black_box(held.value.remove(key));
    }
}

fn scores() -> ZSet {
    let mut scores = ZSet::new();
    (0..1000).for_each(|n| {
        scores.insert(&key(n), n as f64, &zset::Thresholds::default());
    });
    scores
}

fn zset_add(held: &mut Held<ZSet>) {
    for _ in 0..BATCH {
        let (member, score) = (held.order.pick(), held.order.pick());
        black_box(held.value.insert(&held.keys[member], score as f64, &zset::Thresholds::default()));
    }
}

fn zset_range(held: &mut Held<ZSet>) {
    for (member, score) in held.value.range(450..550) {
        black_box((member.len(), score));
    }
}
