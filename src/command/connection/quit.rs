//! QUIT — the server closes the connection once it has answered. Closing it from the other side does as well.

use crate::base::refusal::Refusal;
use crate::exec::{Args, Context, Effect, Group, Run, Session, Spec, acl, flag};
use crate::resp::reply::Reply;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "quit",
    arity: -1,
    flags: flag::NOSCRIPT
        | flag::LOADING
        | flag::STALE
        | flag::FAST
        | flag::NO_AUTH
        | flag::ALLOW_BUSY
        | flag::TRANSACTION_CONTROL
        | flag::LISTENING,
    acl: acl::CONNECTION,
    since: "1.0.0",
    group: Group::Connection,
    summary: "Closes the connection.",
    replaced_by: Some("just closing the connection"),
    run: Run::Host(quit),
    ..Spec::DEFAULT
}];

fn quit(
    _: &mut Args<'_>,
    _: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    session.closing = true;
    reply.ok();
    Ok(Effect::None)
}
