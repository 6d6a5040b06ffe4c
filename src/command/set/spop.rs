//! SPOP key [count] — removes members picked by chance and answers with them.
//!
//! The log gets an SREM of what was picked, or a DEL if nothing was left: chance must not be asked again.

use super::set_of;
use crate::base::event;
use crate::base::number;
use crate::base::refusal::Refusal;
use crate::exec::effect::Record;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Slot;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "spop",
    arity: -2,
    keys: &[KeySpec::first(key::RW | key::ACCESS | key::DELETE)],
    flags: flag::WRITE | flag::FAST | flag::BRIEF,
    acl: acl::SET,
    group: Group::Set,
    summary: "Removes members of a set by chance and returns them.",
    complexity: "Without the count argument O(1), otherwise O(N) where N is the value of the passed count.",
    syntax: "key [count]",
    event: Some(event::set("spop")),
    run: Run::Write(spop),
    ..Spec::DEFAULT
}];

fn spop(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    if args.left() > 1 {
        return Err(Refusal::Syntax);
    }
    let count = match args.next() {
        Some(word) => {
            let count = number::parse_i64(word).and_then(|count| usize::try_from(count).ok());
            Some(count.ok_or(Refusal::line("ERR value is out of range, must be positive"))?)
        }
        None => None,
    };
    let exists = set_of(slot.entry())?.is_some();
    let mut popped = Vec::new();
    if exists && count != Some(0) {
        let mut random = args.random();
        let change = slot.change(|value| {
            let set = value.set_mut()?;
            Ok::<_, Refusal>((set.pop(count.unwrap_or(1), &mut random), set.is_empty()))
        });
        let (members, is_void) = change.transpose()?.unwrap_or_default();
        popped = members;
        if is_void {
            slot.remove();
        }
    }
    match (count, popped.first()) {
        (None, Some(member)) => reply.bulk(member),
        (None, None) => reply.null(),
        (Some(_), _) => {
            reply.set(popped.len());
            popped.iter().for_each(|member| reply.bulk(member));
        }
    }
    Ok(match popped.as_slice() {
        [] => Effect::None,
        _ if cfg!(feature = "canary-chance-logged") => Effect::Same,
        _ if !slot.exists() => Effect::instead([b"DEL", slot.key()]),
        members => {
            let mut words: Vec<&[u8]> = vec![b"SREM", slot.key()];
            words.extend(members.iter().map(Vec::as_slice));
            let mut record = Record::default();
            record.push_words(&words);
            Effect::Instead(record)
        }
    })
}
