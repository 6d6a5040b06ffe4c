//! The table: looking up, storing, removing, walking.

use std::hint::black_box;

use pinstripe::base::hash::Seed;
use pinstripe::base::prefetch::AHEAD;
use pinstripe::table::{Address, Entry, Expiry, Table, look_ahead};

use crate::cases::{BATCH, Case, Named, Order, Staged, key};

pub(crate) const CASES: &[Named] = &[
    Named { name: "table/get, hit", operations: BATCH, make: |keys| filled(keys, pick_present, get) },
    Named { name: "table/get, miss", operations: BATCH, make: |keys| filled(keys, pick_absent, get) },
    Named {
        name: "table/get, 16 looked at ahead",
        operations: BATCH,
        make: |keys| filled(keys, pick_present, get_ahead),
    },
    Named { name: "table/overwrite", operations: BATCH, make: |keys| filled(keys, pick_present, put) },
    Named { name: "table/insert", operations: BATCH, make: |keys| filled(keys, pick_new, put) },
    Named { name: "table/remove", operations: BATCH, make: |keys| filled(keys, pick_doomed, remove) },
    Named { name: "table/scan, a page of 100", operations: 100, make: |keys| filled(keys, |_| (), scan) },
];

/// A time before which nothing expires here.
const NOW: i64 = 1_700_000_000_000;
const VALUE: &[u8] = b"a value that takes thirty-two by";

struct Filled {
    table: Table,
    keys: usize,
    order: Order,
    /// The keys of the next run.
    picked: Vec<Vec<u8>>,
    cursor: u64,
}

fn filled(keys: usize, prepare: fn(&mut Filled), run: fn(&mut Filled)) -> Box<dyn Case> {
    let table = Table::new(1, Seed::from_keys(1, 2));
    let mut state = Filled { table, keys, order: Order::below(keys), picked: Vec::new(), cursor: 0 };
    for number in 0..keys {
        store(&state.table, &key(number));
    }
    prepare(&mut state);
    Box::new(Staged { state, prepare, run })
}

fn store(table: &Table, key: &[u8]) {
    table.write(table.address(0, key), key, NOW, |slot| slot.put_text(VALUE, Expiry::Clear));
}

fn pick_present(state: &mut Filled) {
    let order = &mut state.order;
    state.picked = (0..BATCH).map(|_| key(order.pick())).collect();
}

fn pick_absent(state: &mut Filled) {
    let (order, keys) = (&mut state.order, state.keys);
    state.picked = (0..BATCH).map(|_| key(keys + order.pick())).collect();
}

/// Keys that are not there; those of the run before are taken out again, so that the table does not grow.
fn pick_new(state: &mut Filled) {
    remove(state);
    pick_absent(state);
}

/// Keys that are there only for this run.
fn pick_doomed(state: &mut Filled) {
    pick_absent(state);
    state.picked.iter().for_each(|key| store(&state.table, key));
}

fn get(state: &mut Filled) {
    let table = &state.table;
    for key in &state.picked {
        look(table, table.address(0, key), key);
    }
}

/// As a batch runs: hashes, stripes, buckets and entries are asked for before the first lookup.
fn get_ahead(state: &mut Filled) {
    let table = &state.table;
    for keys in state.picked.chunks(AHEAD) {
        let addresses: Vec<_> = keys.iter().map(|key| table.address(0, key)).collect();
        let aims: Vec<_> = addresses.iter().map(|address| table.aim(*address)).collect();
        look_ahead(&aims);
        addresses.iter().zip(keys).for_each(|(address, key)| look(table, *address, key));
    }
}

fn look(table: &Table, address: Address, key: &[u8]) {
    table.write(address, key, NOW, |slot| {
        slot.mark_used();
        black_box(slot.text().ok());
    });
}

fn put(state: &mut Filled) {
    state.picked.iter().for_each(|key| store(&state.table, key));
}

fn remove(state: &mut Filled) {
    let table = &state.table;
    for key in &state.picked {
        table.write(table.address(0, key), key, NOW, |slot| black_box(slot.remove()));
    }
}

fn scan(state: &mut Filled) {
    let visit = |entry: &Entry| {
        black_box(entry.key());
    };
    let page = state.table.scan(0, state.cursor, 100, NOW, visit, |_| ());
    state.cursor = page.cursor;
}
