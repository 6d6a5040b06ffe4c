//! The table against a naive model: a `BTreeMap` that does the obvious.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::expire::{Cursor, Progress};
use super::*;
use crate::base::clock::NEVER;
use crate::value::{Value, ValueRef};

type Model = BTreeMap<(usize, Vec<u8>), (Value, Millis)>;

fn table() -> Table {
    Table::with_stripes(4, 8, Seed::from_keys(1, 2))
}

fn put(table: &Table, db: usize, key: &[u8], value: &[u8], expiry: Expiry) {
    table.write(table.address(db, key), key, 0, |slot| slot.put_text(value, expiry));
}

fn get(table: &Table, db: usize, key: &[u8], now: Millis) -> Option<Value> {
    table.write(table.address(db, key), key, now, |slot| slot.entry().map(Entry::to_value))
}

fn owned(value: ValueRef<'_>) -> Value {
    crate::value::Text::new(value.text().unwrap().bytes(&mut itoa::Buffer::new())).into()
}

#[derive(Debug, Clone)]
enum Op {
    Put(usize, u8, u8, Option<u8>),
    Append(usize, u8, u8),
    Deadline(usize, u8, Option<u8>),
    Remove(usize, u8),
    Clear(usize),
    Swap(usize, usize),
}

fn op() -> impl Strategy<Value = Op> {
    let db = 0..2usize;
    prop_oneof![
        6 => (db.clone(), 0..30u8, any::<u8>(), prop::option::of(1..20u8)).prop_map(|(d, k, v, t)| Op::Put(d, k, v, t)),
        3 => (db.clone(), 0..30u8, any::<u8>()).prop_map(|(d, k, v)| Op::Append(d, k, v)),
        2 => (db.clone(), 0..30u8, prop::option::of(1..20u8)).prop_map(|(d, k, t)| Op::Deadline(d, k, t)),
        3 => (db.clone(), 0..30u8).prop_map(|(d, k)| Op::Remove(d, k)),
        1 => db.clone().prop_map(Op::Clear),
        1 => (0..3usize, 0..3usize).prop_map(|(a, b)| Op::Swap(a, b)),
    ]
}

fn apply(table: &Table, model: &mut Model, op: &Op) {
    match op {
        Op::Put(db, key, value, ttl) => {
            let key = vec![*key];
            let deadline = ttl.map(|ttl| 1000 + Millis::from(ttl));
            put(table, *db, &key, &[*value], deadline.map_or(Expiry::Clear, Expiry::At));
            model.insert((*db, key), (crate::value::Text::new(&[*value]).into(), deadline.unwrap_or(NEVER)));
        }
        Op::Append(db, key, value) => {
            let key = vec![*key];
            table.write(table.address(*db, &key), &key, 0, |slot| {
                slot.change(|v| v.text_mut().unwrap().grow().push(*value));
            });
            if let Some((v, _)) = model.get_mut(&(*db, key)) {
                v.text_mut().unwrap().grow().push(*value);
            }
        }
        Op::Deadline(db, key, ttl) => {
            let key = vec![*key];
            let deadline = ttl.map(|ttl| 1000 + Millis::from(ttl));
            table.write(table.address(*db, &key), &key, 0, |slot| slot.set_deadline(deadline));
            if let Some((_, expiry)) = model.get_mut(&(*db, key)) {
                *expiry = deadline.unwrap_or(NEVER);
            }
        }
        Op::Remove(db, key) => {
            let key = vec![*key];
            let was = table.write(table.address(*db, &key), &key, 0, |slot| slot.remove());
            assert_eq!(was, model.remove(&(*db, key)).is_some());
        }
        Op::Clear(db) => {
            table.clear(*db);
            model.retain(|(d, _), _| d != db);
        }
        Op::Swap(a, b) => {
            table.swap(*a, *b, 0);
            let swapped = std::mem::take(model).into_iter().map(|((db, key), row)| {
                let db = if db == *a {
                    *b
                } else if db == *b {
                    *a
                } else {
                    db
                };
                ((db, key), row)
            });
            *model = swapped.collect();
        }
    }
}

fn check(table: &Table, model: &Model) {
    for db in 0..table.databases() {
        let mut live = Model::new();
        table.for_each(db, 0, |entry| {
            live.insert((db, entry.key().to_vec()), (entry.to_value(), entry.expiry()));
        });
        let expected: Model =
            model.iter().filter(|((d, _), _)| *d == db).map(|(k, v)| (k.clone(), v.clone())).collect();
        assert_eq!(live, expected);
        let counts = table.counts(db, 0);
        assert_eq!(counts.keys, expected.len());
        assert_eq!(counts.expires, expected.values().filter(|(_, expiry)| *expiry != NEVER).count());
        let mut bytes = 0;
        table.for_each(db, 0, |entry| bytes += entry.bytes());
        assert_eq!(counts.bytes, bytes);
    }
}

proptest! {
    #[test]
    fn the_table_does_what_the_model_does(ops in prop::collection::vec(op(), 0..200)) {
        let table = table();
        let mut model = Model::new();
        for op in &ops {
            apply(&table, &mut model, op);
        }
        check(&table, &model);
    }

    /// Whatever happens between the cut and the end of the walk, and in between its steps: the walk gives the table as
    /// it was at the cut. An aborted walk before must not matter.
    #[test]
    fn a_walk_gives_the_table_as_it_was_at_the_cut(
        before in prop::collection::vec(op(), 0..120),
        aborted in any::<bool>(),
        during in prop::collection::vec((op(), 0..16usize), 0..120),
    ) {
        let table = table();
        let mut model = Model::new();
        for op in &before {
            apply(&table, &mut model, op);
        }
        if aborted {
            let cut = table.cut().unwrap();
            cut.walk_stripe(0, 3, |_, _, _| {});
            drop(cut);
        }
        let expected = model.clone();
        let cut = table.cut().unwrap();
        prop_assert!(table.cut().is_none(), "a second walk at the same time");
        let mut rows = Model::new();
        let places: Vec<(usize, usize)> =
            cut.databases().into_iter().flat_map(|db| (0..cut.stripes()).map(move |s| (db, s))).collect();
        let mut walked = BTreeSet::new();
        let emit = |rows: &mut Model, place: (usize, usize)| {
            cut.walk_stripe(place.0, place.1, |key, value, expiry| {
                assert!(rows.insert((place.0, key.to_vec()), (owned(value), expiry)).is_none());
            });
        };
        for (op, step) in &during {
            apply(&table, &mut model, op);
            if let Some(place) = places.get(*step).filter(|place| walked.insert(**place)) {
                emit(&mut rows, *place);
            }
        }
        for place in places.iter().filter(|place| !walked.contains(place)) {
            emit(&mut rows, *place);
        }
        prop_assert_eq!(rows, expected);
        drop(cut);
        check(&table, &model);
    }

    /// A key that is there throughout comes exactly once, whatever comes and goes meanwhile.
    #[test]
    fn a_scan_neither_misses_nor_repeats(
        stay in prop::collection::btree_set(0..500u16, 0..100),
        churn in prop::collection::vec((500..1000u16, any::<bool>()), 0..200),
        count in 1..20usize,
    ) {
        let table = table();
        for key in &stay {
            put(&table, 0, &key.to_be_bytes(), b"x", Expiry::Clear);
        }
        let mut seen = Vec::new();
        let (mut cursor, mut churn) = (0, churn.into_iter());
        loop {
            let page = table.scan(0, cursor, count, 0, |entry| {
                let key = u16::from_be_bytes(entry.key().try_into().unwrap());
                if key < 500 {
                    seen.push(key);
                }
            }, |_| ());
            prop_assert!(page.cursor < 1 << 53);
            cursor = page.cursor;
            if cursor == 0 {
                break;
            }
            for (key, add) in churn.by_ref().take(5) {
                let key = key.to_be_bytes();
                if add {
                    put(&table, 0, &key, b"y", Expiry::Clear);
                } else {
                    table.write(table.address(0, &key), &key, 0, |slot| slot.remove());
                }
            }
        }
        seen.sort_unstable();
        prop_assert_eq!(seen, stay.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn expiry_removes_exactly_what_is_due(deadlines in prop::collection::vec(prop::option::of(1..100i64), 0..200), now in 0..100i64) {
        let table = table();
        for (key, deadline) in deadlines.iter().enumerate() {
            put(&table, 1, &key.to_be_bytes(), b"x", deadline.map_or(Expiry::Clear, Expiry::At));
        }
        let mut removed = Vec::new();
        let mut cursor = Cursor::default();
        while table.expire_some(&mut cursor, now, || true, |db, key, _, _| removed.push((db, key.to_vec()))) != Progress::Done {}
        removed.sort();
        let due = deadlines.iter().enumerate().filter(|(_, at)| at.is_some_and(|at| at <= now));
        prop_assert_eq!(removed, due.map(|(key, _)| (1, key.to_be_bytes().to_vec())).collect::<Vec<_>>());
        prop_assert_eq!(table.counts(1, now).expires, deadlines.iter().flatten().filter(|at| **at > now).count());
    }
}

#[test]
fn while_expiry_is_held_a_reader_neither_sees_nor_removes_what_is_due() {
    let table = table();
    put(&table, 0, b"k", b"v", Expiry::At(50));
    let (address, watch) = (table.address(0, b"k"), Watch::default());
    table.write(address, b"k", 0, |slot| slot.watch(&watch));
    table.hold_expiry(100);
    let look = |now| table.read(address, b"k", now, |slot| (slot.exists(), slot.take_lapsed()));
    assert_eq!(look(49), (true, None));
    assert!(!watch.is_dirty());
    assert_eq!(look(50), (false, None));
    assert!(watch.is_dirty());
    let mut locked = Locked::new(&table, std::iter::once(address), 50).only_reading(true);
    assert!(!locked.slot(0, b"k").exists() && locked.take_lapsed().is_empty());
    drop(locked);
    assert_eq!((table.len(0), table.expired()), (1, 0));
    // Who writes cannot leave it there, and after the hold nobody does.
    assert_eq!(look(100), (false, Some(Lapsed::Key)));
    put(&table, 0, b"k", b"v", Expiry::At(50));
    assert_eq!(table.write(address, b"k", 60, |slot| slot.take_lapsed()), Some(Lapsed::Key));
    assert_eq!(table.expired(), 2);
}

#[test]
fn an_expired_key_is_gone_for_whoever_opens_it() {
    let table = table();
    put(&table, 0, b"k", b"v", Expiry::At(50));
    assert!(get(&table, 0, b"k", 49).is_some());
    let address = table.address(0, b"k");
    assert!(table.write(address, b"k", 50, |slot| slot.take_lapsed() == Some(Lapsed::Key) && !slot.exists()));
    assert_eq!(table.write(address, b"k", 50, |slot| slot.take_lapsed()), None);
    assert_eq!(table.expired(), 1);
}

const HASH_LIMITS: crate::value::hash::Thresholds =
    crate::value::hash::Thresholds { entries: 128, value_bytes: 64 };

/// A hash whose fields are numbers from 0, each with the deadline given.
fn put_hash(table: &Table, key: &[u8], deadlines: &[Option<Millis>]) {
    let mut hash = crate::value::Hash::new();
    for (name, deadline) in deadlines.iter().enumerate() {
        hash.set(name.to_string().as_bytes(), b"v", &HASH_LIMITS);
        hash.set_deadline(name.to_string().as_bytes(), *deadline);
    }
    table.write(table.address(0, key), key, 0, |slot| slot.put(hash, Expiry::Clear));
}

fn fields(names: &[&[u8]]) -> Option<Lapsed> {
    Some(Lapsed::Fields(Box::new(names.iter().map(|&name| name.into()).collect())))
}

#[test]
fn fields_whose_time_has_come_are_gone_for_whoever_opens_their_hash() {
    let table = table();
    put_hash(&table, b"h", &[None, Some(50), Some(70)]);
    let address = table.address(0, b"h");
    let look = |now| {
        table.write(address, b"h", now, |slot| {
            assert!(!slot.changed());
            let length = slot.entry().map(|entry| entry.value().hash().unwrap().len());
            (slot.take_lapsed(), slot.take_lapsed(), length)
        })
    };
    assert_eq!(look(49), (None, None, Some(3)));
    assert_eq!(look(50), (fields(&[b"1"]), None, Some(2)));
    assert_eq!(look(50), (None, None, Some(2)));
    assert_eq!(look(70), (fields(&[b"2"]), None, Some(1)));
    put_hash(&table, b"h", &[Some(50), Some(70)]);
    assert_eq!(look(70), (Some(Lapsed::Key), None, None));
    assert_eq!(table.len(0), 0);
}

#[test]
fn who_watches_a_hash_hears_of_fields_that_expire_and_of_nothing_else() {
    let table = table();
    put_hash(&table, b"h", &[None, Some(50), Some(70)]);
    let address = table.address(0, b"h");
    // From here on the hash's bound on its earliest deadline is too early.
    table.write(address, b"h", 0, |slot| slot.change(|value| value.hash_mut().unwrap().remove(b"1")));
    let watch = Watch::default();
    table.write(address, b"h", 60, |slot| slot.watch(&watch));
    assert!(!watch.is_dirty());
    table.write(address, b"h", 60, |slot| assert_eq!(slot.take_lapsed(), None));
    assert!(!watch.is_dirty());
    table.write(address, b"h", 70, |slot| assert_eq!(slot.take_lapsed(), fields(&[b"2"])));
    assert!(watch.is_dirty());
}

#[test]
fn the_cycle_removes_fields_that_are_due() {
    let table = table();
    put_hash(&table, b"h", &[None, Some(50), Some(70)]);
    put_hash(&table, b"g", &[Some(50)]);
    let cycle = |now| {
        let mut removed = Vec::new();
        let seen = |_: usize, key: &[u8], lapsed: &Lapsed, _: Vec<Happening>| {
            removed.push((key.to_vec(), lapsed.clone()))
        };
        assert_eq!(table.expire_some(&mut Cursor::default(), now, || false, seen), Progress::Done);
        removed.sort_by(|(one, _), (other, _)| one.cmp(other));
        removed
    };
    assert_eq!(cycle(49), []);
    assert_eq!(cycle(50), [(b"g".to_vec(), Lapsed::Key), (b"h".to_vec(), fields(&[b"1"]).unwrap())]);
    assert_eq!(cycle(69), []);
    assert_eq!(cycle(70), [(b"h".to_vec(), fields(&[b"2"]).unwrap())]);
    assert_eq!(cycle(i64::MAX - 1), []);
}

#[test]
fn a_watch_is_marked_by_changes_of_its_key_only() {
    let table = table();
    let watch = Watch::default();
    let address = table.address(0, b"k");
    table.write(address, b"k", 0, |slot| slot.watch(&watch));
    put(&table, 0, b"other", b"v", Expiry::Clear);
    put(&table, 1, b"k", b"v", Expiry::Clear);
    assert!(!watch.is_dirty());
    put(&table, 0, b"k", b"v", Expiry::Clear);
    assert!(watch.is_dirty());
}

#[test]
fn clearing_and_swapping_mark_the_watchers_of_keys_that_exist() {
    let table = table();
    let (absent, present) = (Watch::default(), Watch::default());
    put(&table, 0, b"present", b"v", Expiry::Clear);
    for (key, watch) in [(b"absent".as_slice(), &absent), (b"present", &present)] {
        table.write(table.address(0, key), key, 0, |slot| slot.watch(watch));
    }
    table.clear(0);
    assert!(present.is_dirty() && !absent.is_dirty());
    put(&table, 1, b"absent", b"v", Expiry::Clear);
    table.swap(0, 1, 0);
    assert!(absent.is_dirty());
}

#[test]
fn a_watch_stays_with_the_database_number_over_a_swap() {
    let table = table();
    let watch = Watch::default();
    table.write(table.address(0, b"k"), b"k", 0, |slot| slot.watch(&watch));
    table.swap(0, 1, 0);
    table.swap(1, 1, 0);
    put(&table, 1, b"k", b"v", Expiry::Clear);
    assert!(!watch.is_dirty());
    put(&table, 0, b"k", b"v", Expiry::Clear);
    assert!(watch.is_dirty());
}

#[test]
fn mass_deletion_gives_memory_back() {
    let table = Table::with_stripes(1, 2, Seed::from_keys(1, 2));
    for key in 0..10_000u32 {
        put(&table, 0, &key.to_be_bytes(), b"v", Expiry::Clear);
    }
    for key in 0..10_000u32 {
        let key = key.to_be_bytes();
        table.write(table.address(0, &key), &key, 0, |slot| slot.remove());
    }
    assert_eq!(table.counts(0, 0), Counts::default());
    assert!(table.stripes_of(0).iter().all(|stripe| stripe.lock().map().capacity() <= 128));
}

#[test]
fn room_made_before_changes_nothing_but_the_number_of_buckets() {
    let table = Table::with_stripes(1, 4, Seed::from_keys(1, 2));
    let put = |name: &str| {
        let address = table.address(0, name.as_bytes());
        table.write(address, name.as_bytes(), 0, |slot| slot.put_text(b"x", Expiry::Clear));
    };
    put("early");
    table.reserve(0, 1000);
    let capacity = || table.stripes_of(0).iter().map(|stripe| stripe.lock().map().capacity()).sum::<usize>();
    let room = capacity();
    (1..1000).for_each(|n| put(&format!("key:{n}")));
    assert_eq!((table.len(0), capacity()), (1000, room));
    table.reserve(0, 10);
    assert_eq!(capacity(), room, "room is not given up");
}

/// A set of so many members of 10 bytes.
fn set_of(members: usize) -> crate::value::Set {
    let limits =
        crate::value::set::Thresholds { intset_entries: 512, listpack_entries: 0, listpack_value: 0 };
    let mut set = crate::value::Set::new();
    (0..members).for_each(|n| assert!(set.add(format!("m{n:09}").as_bytes(), &limits)));
    set
}

/// Each way for a value to leave the table, with what is laid aside of a big one.
#[test]
fn a_big_value_is_laid_aside_however_it_is_removed() {
    type Removal = fn(&Table, Address);
    let now = 2000;
    let ways: [(&str, Removal); 5] = [
        ("removed", |table, at| assert!(table.write(at, b"k", 0, |slot| slot.remove()))),
        ("replaced", |table, at| table.write(at, b"k", 0, |slot| slot.put_text(b"v", Expiry::Keep))),
        ("replaced by a collection", |table, at| {
            table.write(at, b"k", 0, |slot| slot.put(set_of(1), Expiry::Keep));
        }),
        ("found expired", |table, at| assert!(table.write(at, b"k", 2000, |slot| !slot.exists()))),
        ("cleared", |table, _| table.clear(0)),
    ];
    for (way, remove) in ways {
        for (members, laid_aside) in [(100_000, 1), (100, usize::from(way == "cleared"))] {
            let table = table();
            let at = table.address(0, b"k");
            table.write(at, b"k", 0, |slot| slot.put(set_of(members), Expiry::At(now)));
            let bytes = table.bytes();
            remove(&table, at);
            let garbage = table.take_garbage();
            assert_eq!(garbage.len(), laid_aside, "{way}, {members} members");
            for piece in &garbage {
                assert_eq!((piece.objects, piece.bytes), (1, bytes), "{way}, {members} members");
            }
            assert!(table.take_garbage().is_empty(), "{way}: taken twice");
        }
    }
}

#[test]
fn what_a_snapshot_has_yet_to_see_is_no_garbage() {
    let table = table();
    let at = table.address(0, b"k");
    table.write(at, b"k", 0, |slot| slot.put(set_of(100_000), Expiry::Clear));
    let cut = table.cut().unwrap();
    table.write(at, b"k", 0, |slot| slot.remove());
    assert!(table.take_garbage().is_empty());
    let mut seen = 0;
    (0..cut.stripes()).for_each(|stripe| {
        cut.walk_stripe(0, stripe, |_, value, _| seen += value.set().unwrap().len());
    });
    assert_eq!(seen, 100_000);
}

#[test]
fn a_snapshot_writes_big_values_while_their_stripe_is_free() {
    let table = table();
    for (key, members) in [(b"big", 100_000), (b"few", 3)] {
        let at = table.address(0, key);
        table.write(at, key, 0, |slot| slot.put(set_of(members), Expiry::Clear));
    }
    let cut = table.cut().unwrap();
    let mut seen = Vec::new();
    (0..cut.stripes()).for_each(|stripe| {
        cut.walk_stripe(0, stripe, |key, value, _| {
            let is_free = table.aim(table.address(0, key)).stripe.try_lock().is_some();
            seen.push((key.to_vec(), value.set().unwrap().len(), is_free));
        });
    });
    seen.sort();
    assert_eq!(seen, [(b"big".to_vec(), 100_000, true), (b"few".to_vec(), 3, false)]);
}

#[test]
fn expiry_lets_go_of_a_stripe_with_many_due_keys_and_comes_back_for_the_rest() {
    let table = Table::with_stripes(1, 2, Seed::from_keys(1, 2));
    for n in 0..2000 {
        put(&table, 0, format!("{n}").as_bytes(), b"v", Expiry::At(1000));
    }
    put(&table, 0, b"later", b"v", Expiry::At(3000));
    let mut cursor = Cursor::default();
    let mut pass = |now| {
        let mut pieces = Vec::new();
        loop {
            let mut removed = 0usize;
            let progress = table.expire_some(&mut cursor, now, || true, |_, _, _, _| removed += 1);
            pieces.push(removed);
            if progress == Progress::Done {
                return pieces;
            }
        }
    };
    let pieces = pass(2000);
    assert_eq!(pieces.iter().sum::<usize>(), 2000);
    assert!(pieces.iter().all(|piece| *piece <= 256), "{pieces:?}");
    assert_eq!(pass(2999).iter().sum::<usize>(), 0);
    assert_eq!(pass(3000).iter().sum::<usize>(), 1);
}

#[test]
fn who_visits_all_stripes_is_through_with_the_others_while_one_is_held() {
    let table = table();
    put(&table, 0, b"key", b"value", Expiry::Clear);
    let visited = AtomicU64::new(0);
    let held = table.stripes_of(0)[0].lock();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            table.visit(0, |_| {
                visited.fetch_add(1, Ordering::Relaxed);
            });
        });
        let clock = crate::base::clock::Clock::real();
        while visited.load(Ordering::Relaxed) < 7 {
            assert!(clock.elapsed().as_secs() < 10, "it waits for the one that is held");
            std::thread::yield_now();
        }
        drop(held);
    });
    assert_eq!(visited.into_inner(), 8);
}
