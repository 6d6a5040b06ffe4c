//! SREM key member [member ...] — removes members; answers how many there were. The last one takes the key with it.

use super::set_of;
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Slot;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "srem",
    arity: -3,
    keys: &[KeySpec::first(key::RW | key::DELETE)],
    flags: flag::WRITE | flag::FAST | flag::BRIEF,
    acl: acl::SET,
    group: Group::Set,
    summary: "Removes members from a set, and the set with its last member.",
    complexity: "O(N) where N is the number of members to be removed.",
    syntax: "key member [member ...]",
    event: Some(event::set("srem")),
    run: Run::Write(srem),
    ..Spec::DEFAULT
}];

fn srem(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let old = set_of(slot.entry())?;
    // Without a member among them nothing is touched.
    let unknown = args.rest().take_while(|member| !old.is_some_and(|set| set.contains(member))).count();
    if unknown == args.left() {
        reply.int(0);
        return Ok(Effect::None);
    }
    let removed = slot.change(|value| {
        let set = value.set_mut()?;
        let removed = args.rest().skip(unknown).filter(|member| set.remove(member)).count();
        Ok::<_, Refusal>((removed, set.is_empty()))
    });
    let (removed, is_void) = removed.transpose()?.unwrap_or_default();
    if is_void {
        slot.remove();
    }
    reply.int(removed as i64);
    Ok(Effect::Same)
}
