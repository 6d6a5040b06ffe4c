//! MOVE key db — the key goes to another database, unless that one has it already.

use crate::base::event;
use crate::base::refusal::Refusal;
use crate::command::key::database;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::resp::request::Request;
use crate::table::{Entry, Expiry, Locked};

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "move",
    arity: 3,
    keys: &[KeySpec::first(key::RW | key::ACCESS | key::UPDATE)],
    flags: flag::WRITE | flag::FAST | flag::TABLE_WIDE,
    acl: acl::KEYSPACE,
    group: Group::Generic,
    summary: "Moves a key to another database.",
    syntax: "key db",
    other_db: Some(target_db),
    run: Run::Keys(carry),
    ..Spec::DEFAULT
}];

fn target_db(request: &Request<'_>) -> Option<usize> {
    let number = database::parse(request.get(2)?).ok()?;
    usize::try_from(number).ok()
}

fn carry(args: &mut Args<'_>, locked: &mut Locked<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let (key, db) = (args.word()?, args.db());
    let target_db = database::existing(database::parse(args.word()?)?, locked.table().databases())?;
    if target_db == db {
        return Err(database::SAME_OBJECT);
    }
    let exists = locked.slot(db, key).exists();
    if !exists || locked.slot(target_db, key).exists() {
        reply.int(0);
        return Ok(Effect::None);
    }
    let mut source = locked.slot(db, key);
    source.mark_used();
    let access = source.entry().map(Entry::access);
    let taken = source.take();
    if let Some((value, deadline)) = taken {
        let mut target = locked.slot(target_db, key);
        target.put(value, Expiry::At(deadline));
        access.into_iter().for_each(|record| target.set_access(record));
        locked.slot(db, key).tell(event::generic("move_from"));
        locked.slot(target_db, key).tell(event::generic("move_to"));
    }
    reply.int(1);
    Ok(Effect::Same)
}
