//! ROLE — the part that this server plays in replication: a master without replicas.

use crate::base::refusal::Refusal;
use crate::exec::{Args, Context, Effect, Group, Run, Session, Spec, acl, flag};
use crate::resp::reply::Reply;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "role",
    arity: 1,
    flags: flag::NOSCRIPT | flag::LOADING | flag::STALE | flag::FAST,
    acl: acl::ADMIN | acl::DANGEROUS,
    since: "2.8.12",
    group: Group::Server,
    summary: "Tells the server's part in replication.",
    run: Run::Host(role),
    ..Spec::DEFAULT
}];

fn role(_: &mut Args<'_>, _: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    reply.array(3);
    reply.bulk(b"master");
    // The offset of the replication stream, which nobody reads and which therefore never grows.
    reply.int(0);
    reply.array(0);
    Ok(Effect::None)
}
