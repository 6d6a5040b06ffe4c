//! BLMPOP timeout numkeys key [key ...] LEFT | RIGHT [COUNT count] — what LMPOP does, and waits if there is nothing.

use super::lmpop::Choice;
use crate::base::refusal::Refusal;
use crate::exec::wait::{self, Keys};
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Locked;
use crate::value::Kind;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "blmpop",
    arity: -5,
    keys: &[KeySpec::counted(2, key::RW | key::ACCESS | key::DELETE)],
    flags: flag::WRITE | flag::BLOCKING | flag::MOVABLEKEYS,
    acl: acl::LIST,
    since: "7.0.0",
    group: Group::List,
    summary: "Takes elements from the first of several lists that has any, waiting for one if need be.",
    complexity: "O(N+M) where N is the number of provided keys and M is the number of elements returned.",
    syntax: "timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
    run: Run::Keys(blmpop),
    ..Spec::DEFAULT
}];

fn blmpop(args: &mut Args<'_>, locked: &mut Locked<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let timeout = args.word()?;
    let choice = Choice::parse(args)?;
    let deadline = wait::deadline(timeout, args.now())?;
    for key in &choice.keys {
        if let Some(effect) = choice.pop(args, key, locked, reply)? {
            return Ok(effect);
        }
    }
    let keys = choice.keys.into_iter().map(<[u8]>::to_vec).collect();
    Ok(wait::for_keys(Keys { keys, ..Keys::new(Kind::List, serve) }, deadline, wait::null_array))
}

fn serve(
    args: &mut Args<'_>,
    key: &[u8],
    locked: &mut Locked<'_>,
    reply: &mut Reply<'_>,
) -> Result<Option<Effect>, Refusal> {
    args.word()?;
    Choice::parse(args)?.pop(args, key, locked, reply)
}
