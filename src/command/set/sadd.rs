//! SADD key member [member ...] — adds members; answers how many are new.

use super::set_of;
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::{Expiry, Slot};
use crate::value::Set;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "sadd",
    arity: -3,
    keys: &[KeySpec::first(key::RW | key::INSERT)],
    flags: flag::WRITE | flag::DENYOOM | flag::FAST | flag::BRIEF,
    acl: acl::SET,
    group: Group::Set,
    summary: "Adds members to a set, which is made if it is not there.",
    complexity: "O(1) for each element added, so O(N) to add N elements when the command is called with multiple \
                 arguments.",
    syntax: "key member [member ...]",
    event: Some(event::set("sadd")),
    run: Run::Write(sadd),
    ..Spec::DEFAULT
}];

fn sadd(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let limits = args.set_limits();
    let old = set_of(slot.entry())?;
    // Members before the first new one need not be looked up again, and without a new one nothing is touched.
    let known = args.rest().take_while(|member| old.is_some_and(|set| set.contains(member))).count();
    let mut new = args.rest().skip(known);
    let mut add_to = |set: &mut Set| new.by_ref().filter(|member| set.add(member, &limits)).count();
    let added = if known == args.left() {
        0
    } else if old.is_some() {
        slot.change(|value| value.set_mut().map(add_to)).transpose()?.unwrap_or_default()
    } else {
        let mut set = Set::new();
        let added = add_to(&mut set);
        slot.put(set, Expiry::Clear);
        added
    };
    reply.int(added as i64);
    Ok(Effect::same_if(added > 0))
}
