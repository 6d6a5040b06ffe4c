//! REPLICAOF NO ONE, SLAVEOF NO ONE — this server follows nobody, which is what it does anyway. REPLICAOF host port is refused:
//! `pinstripe import` brings in another server's data.

use crate::base::number;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Context, Effect, Group, Run, Session, Spec, flag};
use crate::resp::reply::Reply;

pub(super) const SPECS: &[Spec] = &[REPLICAOF, SLAVEOF];

const REPLICAOF: Spec = Spec {
    name: "replicaof",
    arity: 3,
    flags: flag::ADMIN | flag::NOSCRIPT | flag::STALE | flag::NO_ASYNC_LOADING,
    since: "5.0.0",
    group: Group::Server,
    summary: "Makes the server follow another, which this one refuses, or nobody.",
    syntax: "<host port | NO ONE>",
    run: Run::Host(replica_of),
    ..Spec::DEFAULT
};

const SLAVEOF: Spec = Spec { name: "slaveof", since: "1.0.0", replaced_by: Some("`REPLICAOF`"), ..REPLICAOF };

fn replica_of(
    args: &mut Args<'_>,
    _: &Context,
    _: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let (host, port) = (args.word()?, args.word()?);
    if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
        reply.ok();
        return Ok(Effect::None);
    }
    if number::parse_i64(port).is_none_or(|port| !(0..=65535).contains(&port)) {
        return Err(Refusal::err("Invalid master port"));
    }
    Err(Refusal::err(
        "Pinstripe feeds replicas and follows no other server. To bring in another server's data, use `pinstripe import`",
    ))
}
