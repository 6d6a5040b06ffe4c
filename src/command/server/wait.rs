//! WAIT numreplicas timeout — how many replicas have this connection's writes: those that have acknowledged all that the
//! stream has held up to now, which these are among. WAITAOF numlocal numreplicas timeout — the same for disks: here the
//! writes of the connection are safe once the log is on the disk as far as it stands now. Of their disks replicas of Redis
//! 7.0 say nothing, so that none is ever counted.

use crate::base::clock::Millis;
use crate::base::number;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Context, Effect, Group, Run, Session, Spec, Until, Wait, Woken, acl, flag};
use crate::resp::reply::Reply;

pub(super) const SPECS: &[Spec] = &[WAIT, WAITAOF];

const WAIT: Spec = Spec {
    name: "wait",
    arity: 3,
    flags: flag::NOSCRIPT,
    acl: acl::CONNECTION,
    since: "3.0.0",
    group: Group::Generic,
    summary: "Waits until replicas have the connection's writes.",
    syntax: "numreplicas timeout",
    run: Run::Host(wait),
    ..Spec::DEFAULT
};

const WAITAOF: Spec = Spec {
    name: "waitaof",
    arity: 4,
    flags: flag::NOSCRIPT,
    acl: acl::CONNECTION,
    since: "7.2.0",
    group: Group::Generic,
    summary: "Waits until the connection's writes are on the disk.",
    syntax: "numlocal numreplicas timeout",
    run: Run::Host(waitaof),
    ..Spec::DEFAULT
};

fn wait(
    args: &mut Args<'_>,
    ctx: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let replicas = args.int()?;
    let deadline = deadline(args)?;
    let offset = ctx.replicas.offset();
    let acked = ctx.replicas.acked(offset);
    let wanted = usize::try_from(replicas).unwrap_or(0);
    if acked >= wanted || session.in_exec {
        reply.int(acked as i64);
        return Ok(Effect::None);
    }
    let until = Until::Acknowledged { offset, replicas: wanted };
    // Whatever ends the sleep, the reply is how many have it then.
    Ok(Wait::effect(until, deadline, move |ctx, _, _, reply| reply.int(ctx.replicas.acked(offset) as i64)))
}

fn waitaof(
    args: &mut Args<'_>,
    ctx: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let local = args.int_within(0..=1, "value is out of range, value must between 0 and 1")?;
    let replicas = number::parse_i64(args.word()?).filter(|&replicas| replicas >= 0);
    let replicas = replicas.ok_or_else(|| Refusal::err("value is out of range, must be positive"))?;
    let deadline = deadline(args)?;
    if local > 0 && !ctx.log.is_on() {
        return Err(Refusal::err("WAITAOF cannot be used when numlocal is set but appendonly is disabled."));
    }
    // All that anybody wrote so far, which the connection's own writes are among.
    let seq = ctx.log.appended();
    let is_safe = ctx.log.is_on() && ctx.log.durable() >= seq;
    if session.in_exec || (replicas == 0 && i64::from(is_safe) >= local) {
        tell(is_safe, reply);
        return Ok(Effect::None);
    }
    let until = if replicas == 0 { Until::Durable(seq) } else { Until::Deadline };
    Ok(Wait::effect(until, deadline, waited))
}

fn waited(ctx: &Context, _: &mut Session, woken: Woken, reply: &mut Reply<'_>) {
    match woken {
        Woken::Done => tell(true, reply),
        // The writes that were waited for may be safe although later ones are not: then this says too little, never
        // too much.
        Woken::TimedOut => tell(ctx.log.is_on() && ctx.log.durable() >= ctx.log.appended(), reply),
        Woken::Failed(why) => reply.error(format!("ERR {why}")),
    }
}

fn tell(is_safe: bool, reply: &mut Reply<'_>) {
    reply.array(2);
    reply.int(i64::from(is_safe));
    reply.int(0);
}

/// A timeout in milliseconds as the end of the wait; 0 is no end.
fn deadline(args: &mut Args<'_>) -> Result<Option<Millis>, Refusal> {
    let timeout = number::parse_i64(args.word()?)
        .ok_or_else(|| Refusal::err("timeout is not an integer or out of range"))?;
    match timeout {
        0 => Ok(None),
        1.. => {
            let end = args.now().checked_add(timeout);
            end.map(Some).ok_or_else(|| Refusal::err("timeout is out of range"))
        }
        _ => Err(Refusal::err("timeout is negative")),
    }
}
