//! SMOVE source destination member — the member leaves one set and joins another, in one step for everybody who looks.

use super::set_of;
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::{Expiry, Locked};
use crate::value::Set;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "smove",
    arity: 4,
    keys: &[KeySpec::at(1, key::RW | key::ACCESS | key::DELETE), KeySpec::at(2, key::RW | key::INSERT)],
    flags: flag::WRITE | flag::FAST,
    acl: acl::SET,
    group: Group::Set,
    summary: "Moves a member from one set to another.",
    syntax: "source destination member",
    run: Run::Keys(smove),
    ..Spec::DEFAULT
}];

fn smove(args: &mut Args<'_>, locked: &mut Locked<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let (db, from, to, member) = (args.db(), args.word()?, args.word()?, args.word()?);
    let limits = args.set_limits();
    let mut source = locked.slot(db, from);
    source.mark_used();
    // A source that is not there is answered before the destination is looked at.
    if !source.exists() {
        reply.int(0);
        return Ok(Effect::None);
    }
    let has_it = set_of(source.entry())?.is_some_and(|set| set.contains(member));
    let mut target = locked.slot(db, to);
    target.mark_used();
    let target_has_it = set_of(target.entry())?.map(|set| set.contains(member));
    if !has_it || from == to {
        reply.int(i64::from(has_it));
        return Ok(Effect::None);
    }
    let mut source = locked.slot(db, from);
    let is_void = source.change(|value| {
        let set = value.set_mut()?;
        set.remove(member);
        Ok::<_, Refusal>(set.is_empty())
    });
    source.tell(event::set("srem"));
    if is_void.transpose()?.unwrap_or_default() {
        source.remove();
    }
    let mut target = locked.slot(db, to);
    match target_has_it {
        Some(true) => {}
        Some(false) => {
            target.change(|value| value.set_mut().map(|set| set.add(member, &limits))).transpose()?;
        }
        None => {
            let mut set = Set::new();
            set.add(member, &limits);
            target.put(set, Expiry::Clear);
        }
    }
    if target_has_it != Some(true) {
        target.tell(event::set("sadd"));
    }
    reply.int(1);
    Ok(Effect::Same)
}
