//! The gates: why a command may not run now. Each is a few lines, and `run` reads as their list.

use std::sync::atomic::Ordering::Relaxed;

use super::context::Context;
use super::evict;
use super::registry::Command;
use super::script;
use super::session::Session;
use super::spec::{Run, flag};
use crate::base::refusal::Refusal;
use crate::config::Config;
use crate::resp::reply::Proto;
use crate::resp::request::Request;

/// While a script takes too long, what would have to wait for its end is refused.
#[inline]
pub(super) fn busy(is_busy: bool, command: &Command) -> Result<(), Refusal> {
    if !is_busy || command.spec.has(flag::ALLOW_BUSY) {
        return Ok(());
    }
    Err(BUSY)
}

const BUSY: Refusal =
    Refusal::line("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.");

/// No command runs before the password was given, but those that give it or take leave.
#[inline]
pub(super) fn authentication(session: &Session, command: &Command) -> Result<(), Refusal> {
    if session.authenticated || command.spec.has(flag::NO_AUTH) {
        return Ok(());
    }
    Err(Refusal::line("NOAUTH Authentication required."))
}

/// While data is being loaded, what is read would be half the truth and what is written would be overwritten.
#[inline]
pub(super) fn loading(ctx: &Context, command: &Command) -> Result<(), Refusal> {
    if !ctx.loading.is_active() || command.spec.has(flag::LOADING) {
        return Ok(());
    }
    Err(Refusal::line("LOADING Redis is loading the dataset in memory"))
}

/// A write that cannot be kept must not be acknowledged. PING is refused with it, as in Redis: whoever watches the server
/// shall notice.
#[inline]
pub(super) fn disk_works(ctx: &Context, config: &Config, command: &Command) -> Result<(), Refusal> {
    if !command.spec.has(flag::WRITE) && command.full_name != "ping" {
        return Ok(());
    }
    disk_takes_writes(ctx, config)
}

/// A write that so many replicas should have, and not so many are heard.
#[inline]
pub(super) fn replicas(ctx: &Context, config: &Config, command: &Command) -> Result<(), Refusal> {
    if !command.spec.has(flag::WRITE) { Ok(()) } else { enough_replicas(ctx, config) }
}

/// As [`replicas`], for a command or transaction that is known to write.
#[inline]
pub(super) fn enough_replicas(ctx: &Context, config: &Config) -> Result<(), Refusal> {
    let persistence = &config.persistence;
    let (wanted, lag) = (persistence.min_replicas_to_write, persistence.min_replicas_max_lag);
    if wanted == 0 || lag == 0 {
        return Ok(());
    }
    if ctx.replicas.good(ctx.clock.unix_ms(), i64::from(lag) * 1000) >= wanted as usize {
        return Ok(());
    }
    Err(Refusal::line("NOREPLICAS Not enough good replicas to write."))
}

/// As [`disk_works`], for a command or transaction that is known to write.
#[inline]
pub(super) fn disk_takes_writes(ctx: &Context, config: &Config) -> Result<(), Refusal> {
    if let Some(fault) = ctx.log.fault_text() {
        return Err(Refusal::Line(format!("MISCONF Errors writing to the AOF file: {fault}").into()));
    }
    let persistence = &config.persistence;
    if !ctx.saves.last_save_ok.load(Relaxed)
        && persistence.stop_writes_on_bgsave_error
        && !persistence.save.is_empty()
    {
        return Err(SNAPSHOT_FAILED);
    }
    Ok(())
}

/// The words are Redis's, because clients and people look for them.
const SNAPSHOT_FAILED: Refusal = Refusal::line(
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may \
     modify the data set are disabled, because this instance is configured to report errors during writes if RDB \
     snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.",
);

/// With `maxmemory` used up, what may need more is refused. `made` is what came of evicting keys, if that was tried.
#[inline]
pub(super) fn memory(
    ctx: &Context,
    made: Option<evict::Outcome>,
    session: &Session,
    command: &Command,
    request: &Request<'_>,
) -> Result<(), Refusal> {
    let may_grow = || is_queued(session, command) || script::may_grow(ctx, command, request);
    let lacks_room = || evict::lacks_room(made, || ctx.is_memory_full_for(request));
    if ctx.room.is_limited() && may_grow() && lacks_room() { Err(OUT_OF_MEMORY) } else { Ok(()) }
}

/// A queue takes memory, whatever is in it. EXEC is asked for what it will run, and what ends the queue is always let in.
fn is_queued(session: &Session, command: &Command) -> bool {
    const ENDS: [&str; 3] = ["discard", "quit", "reset"];
    session.transaction.is_some()
        && !matches!(command.spec.run, Run::Exec)
        && !ENDS.contains(&command.full_name.as_ref())
}

pub(super) const OUT_OF_MEMORY: Refusal =
    Refusal::line("OOM command not allowed when used memory > 'maxmemory'.");

/// A RESP2 client that listens takes all that comes for messages, so it may run only what is answered in their form.
#[inline]
pub(super) fn listening(session: &Session, command: &Command) -> Result<(), Refusal> {
    if session.subscriptions.is_none() || session.proto != Proto::Resp2 || command.spec.has(flag::LISTENING) {
        return Ok(());
    }
    let line = format!(
        "Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
        command.full_name
    );
    Err(Refusal::err(line))
}

/// A client that monitors counts as a replica in Redis, and a replica keeps off the keys, as CLIENT PAUSE does not hold it.
#[inline]
pub(super) fn monitoring(session: &Session, command: &Command) -> Result<(), Refusal> {
    const ON_KEYS: u32 = flag::WRITE | flag::READONLY | flag::MAY_REPLICATE;
    if !session.monitor || command.spec.flags & ON_KEYS == 0 {
        return Ok(());
    }
    Err(Refusal::line("ERR Replica can't interact with the keyspace"))
}

/// EXEC is refused in its own words, whatever the reason: an error's usual first word is left out.
pub(super) fn exec_aborted(why: &Refusal) -> Refusal {
    let why = why.text();
    let why = why.strip_prefix("ERR ").unwrap_or(&why);
    Refusal::Line(format!("EXECABORT Transaction discarded because of: {why}").into())
}

/// What may not be queued by MULTI.
#[inline]
pub(super) fn transaction(session: &Session, command: &Command) -> Result<(), Refusal> {
    if session.transaction.is_some() && command.spec.has(flag::NO_MULTI) {
        return Err(Refusal::err("Command not allowed inside a transaction"));
    }
    Ok(())
}
