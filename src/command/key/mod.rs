//! Commands that work on keys whatever they hold: removing, renaming, finding and letting them expire; and those that
//! treat whole databases as sets of keys.

mod copy;
mod database;
mod dbsize;
mod del;
mod dump;
mod exists;
mod expire;
mod flush;
mod keys;
mod r#move;
mod object;
mod pattern;
mod persist;
mod randomkey;
mod rename;
mod restore;
mod scan;
mod sort;
mod swapdb;
mod touch;
mod ttl;
mod r#type;

use crate::exec::Spec;

pub(super) const FAMILY: &[&[Spec]] = &[
    copy::SPECS,
    dbsize::SPECS,
    del::SPECS,
    dump::SPECS,
    exists::SPECS,
    expire::SPECS,
    flush::SPECS,
    keys::SPECS,
    r#move::SPECS,
    object::SPECS,
    persist::SPECS,
    randomkey::SPECS,
    rename::SPECS,
    restore::SPECS,
    scan::SPECS,
    sort::SPECS,
    swapdb::SPECS,
    touch::SPECS,
    ttl::SPECS,
    r#type::SPECS,
];
