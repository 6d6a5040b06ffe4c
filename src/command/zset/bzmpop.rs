//! BZMPOP timeout numkeys key [key ...] MIN | MAX [COUNT count] — what ZMPOP does, and waits if there is nothing.

use super::zmpop::Request;
use crate::base::refusal::Refusal;
use crate::exec::wait::{self, Keys};
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Locked;
use crate::value::Kind;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "bzmpop",
    arity: -5,
    keys: &[KeySpec::counted(2, key::RW | key::ACCESS | key::DELETE)],
    flags: flag::WRITE | flag::BLOCKING | flag::MOVABLEKEYS,
    acl: acl::SORTEDSET,
    since: "7.0.0",
    group: Group::SortedSet,
    summary: "Removes members from the first of several sorted sets that is not empty, waiting for one if need be.",
    complexity: "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the \
                 sorted set, and M being the number of elements popped.",
    syntax: "timeout numkeys key [key ...] <MIN | MAX> [COUNT count]",
    run: Run::Keys(bzmpop),
    ..Spec::DEFAULT
}];

fn bzmpop(args: &mut Args<'_>, locked: &mut Locked<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let timeout = args.word()?;
    let request = Request::read(args)?;
    let deadline = wait::deadline(timeout, args.now())?;
    match request.pop(args.db(), locked, reply)? {
        Effect::None => {}
        effect => return Ok(effect),
    }
    let keys = request.keys.into_iter().map(<[u8]>::to_vec).collect();
    Ok(wait::for_keys(Keys { keys, ..Keys::new(Kind::ZSet, serve) }, deadline, wait::null_array))
}

fn serve(
    args: &mut Args<'_>,
    key: &[u8],
    locked: &mut Locked<'_>,
    reply: &mut Reply<'_>,
) -> Result<Option<Effect>, Refusal> {
    args.word()?;
    let mut request = Request::read(args)?;
    request.keys = vec![key];
    match request.pop(args.db(), locked, reply)? {
        Effect::None => Ok(None),
        effect => Ok(Some(effect)),
    }
}
