//! RESET — as if the connection were new: for clients that hand connections on. The library's name and version stay,
//! because the library stays.

use crate::base::refusal::Refusal;
use crate::clients::flag as bit;
use crate::exec::session::Replies;
use crate::exec::{Args, Context, Effect, Group, Run, Session, Spec, acl, flag, listen, multi, tracking};
use crate::resp::reply::{Proto, Reply};

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "reset",
    arity: 1,
    flags: flag::NOSCRIPT
        | flag::LOADING
        | flag::STALE
        | flag::FAST
        | flag::NO_AUTH
        | flag::ALLOW_BUSY
        | flag::TRANSACTION_CONTROL
        | flag::LISTENING,
    acl: acl::CONNECTION,
    since: "6.2.0",
    group: Group::Connection,
    summary: "Puts the connection back to how it began.",
    run: Run::Host(reset),
    ..Spec::DEFAULT
}];

fn reset(
    _: &mut Args<'_>,
    ctx: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    session.transaction = None;
    multi::unwatch(ctx, session);
    tracking::stop(ctx, session);
    ctx.clients.stop_monitor(&session.client);
    session.monitor = false;
    session.db = 0;
    session.replies = Replies::On;
    session.no_touch = false;
    session.client.set_flag(bit::NO_TOUCH | bit::NO_EVICT, false);
    session.authenticated = ctx.settings.load().access.requirepass.is_empty();
    session.client.rename(|names| names.name = String::new());
    listen::unsubscribe_all(ctx, session);
    session.speak(Proto::Resp2);
    reply.set_proto(Proto::Resp2);
    reply.simple("RESET");
    Ok(Effect::None)
}
