//! SELECT index — the database that the connection's commands work on from now on.

use crate::base::refusal::Refusal;
use crate::exec::{Args, Context, Effect, Group, Run, Session, Spec, acl, flag};
use crate::resp::reply::Reply;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "select",
    arity: 2,
    // Inside a transaction it moves the keys of the commands behind it, so their stripes are not known beforehand.
    flags: flag::LOADING | flag::STALE | flag::FAST | flag::TABLE_WIDE,
    acl: acl::CONNECTION,
    since: "1.0.0",
    group: Group::Connection,
    summary: "Chooses the database of the connection.",
    syntax: "index",
    run: Run::Host(select),
    ..Spec::DEFAULT
}];

const INDEX: std::ops::RangeInclusive<i64> = i32::MIN as i64..=i32::MAX as i64;

fn select(
    args: &mut Args<'_>,
    ctx: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let index =
        args.int_within(INDEX, "value is out of range, value must between -2147483648 and 2147483647")?;
    match usize::try_from(index) {
        Ok(index) if index < ctx.table.databases() => session.db = index,
        _ => return Err(Refusal::err("DB index is out of range")),
    }
    reply.ok();
    Ok(Effect::None)
}
