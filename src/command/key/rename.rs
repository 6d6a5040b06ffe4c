//! RENAME key newkey — the value and its deadline get another key, over what was there; RENAMENX only where nothing is.

use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::{Entry, Expiry, Locked};

pub(super) const SPECS: &[Spec] = &[
    RENAME,
    Spec {
        name: "renamenx",
        keys: &[KeySpec::at(1, key::RW | key::ACCESS | key::DELETE), KeySpec::at(2, key::OW | key::INSERT)],
        flags: flag::WRITE | flag::FAST,
        summary: "Gives a value another key unless that key exists.",
        run: Run::Keys(rename_nx),
        ..RENAME
    },
];

const RENAME: Spec = Spec {
    name: "rename",
    arity: 3,
    keys: &[KeySpec::at(1, key::RW | key::ACCESS | key::DELETE), KeySpec::at(2, key::OW | key::UPDATE)],
    flags: flag::WRITE,
    acl: acl::KEYSPACE,
    group: Group::Generic,
    summary: "Gives a value another key, replacing what that key held.",
    syntax: "key newkey",
    run: Run::Keys(rename),
    ..Spec::DEFAULT
};

fn rename(args: &mut Args<'_>, locked: &mut Locked<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let changed = carry(args, locked, true)?;
    reply.ok();
    Ok(Effect::same_if(changed == Outcome::Moved))
}

fn rename_nx(args: &mut Args<'_>, locked: &mut Locked<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let moved = carry(args, locked, false)? == Outcome::Moved;
    reply.int(i64::from(moved));
    Ok(Effect::same_if(moved))
}

#[derive(PartialEq)]
enum Outcome {
    Moved,
    /// Both keys are one, or the new one is taken.
    Stayed,
}

fn carry(args: &mut Args<'_>, locked: &mut Locked<'_>, replace: bool) -> Result<Outcome, Refusal> {
    let (from, to) = (args.word()?, args.word()?);
    let db = args.db();
    if !locked.slot(db, from).exists() {
        return Err(Refusal::NoSuchKey);
    }
    if from == to || (!replace && locked.slot(db, to).exists()) {
        return Ok(Outcome::Stayed);
    }
    let mut source = locked.slot(db, from);
    source.mark_used();
    let access = source.entry().map(Entry::access);
    let (value, deadline) = source.take().ok_or(Refusal::NoSuchKey)?;
    let mut target = locked.slot(db, to);
    if target.exists() {
        // What it replaces counts as removed before, of which nothing is told.
        target.tell(event::NEW);
    }
    target.put(value, Expiry::At(deadline));
    // The value is as old as it was: a new key must not make it the last to be evicted.
    access.into_iter().for_each(|record| target.set_access(record));
    locked.slot(db, from).tell(event::generic("rename_from"));
    locked.slot(db, to).tell(event::generic("rename_to"));
    Ok(Outcome::Moved)
}
