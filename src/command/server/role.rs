//! ROLE — the part that this server plays in replication: a master, and who follows it.

use crate::base::refusal::Refusal;
use crate::exec::replicas::Stage;
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

fn role(_: &mut Args<'_>, ctx: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let mut replicas = ctx.replicas.list();
    replicas.retain(|replica| replica.stage == Stage::Online);
    reply.array(3);
    reply.bulk(b"master");
    reply.int(ctx.replicas.offset() as i64);
    reply.array(replicas.len());
    for replica in replicas {
        reply.array(3);
        reply.bulk(replica.ip.as_bytes());
        reply.bulk_int(replica.port.into());
        reply.bulk_int(replica.acked as i64);
    }
    Ok(Effect::None)
}
