//! The gates: why a command may not run now. Each is a few lines, and `run` reads as their list.

use super::context::Context;
use super::registry::Command;
use super::session::Session;
use super::spec::{Run, flag};
use crate::base::refusal::Refusal;
use crate::config::Config;
use crate::resp::reply::Proto;

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

/// A write that the log cannot take must not be acknowledged.
#[inline]
pub(super) fn log_works(ctx: &Context, command: &Command) -> Result<(), Refusal> {
    if !command.spec.has(flag::WRITE) {
        return Ok(());
    }
    log_takes_writes(ctx)
}

/// A write that so many replicas should have, as nobody follows here.
#[inline]
pub(super) fn replicas(config: &Config, command: &Command) -> Result<(), Refusal> {
    if !command.spec.has(flag::WRITE) { Ok(()) } else { enough_replicas(config) }
}

/// As [`replicas`], for a command or transaction that is known to write.
#[inline]
pub(super) fn enough_replicas(config: &Config) -> Result<(), Refusal> {
    let persistence = &config.persistence;
    match persistence.min_replicas_to_write > 0 && persistence.min_replicas_max_lag > 0 {
        true => Err(Refusal::line("NOREPLICAS Not enough good replicas to write.")),
        false => Ok(()),
    }
}

/// As [`log_works`], for a command or transaction that is known to write.
pub(super) fn log_takes_writes(ctx: &Context) -> Result<(), Refusal> {
    match ctx.log.fault_text() {
        None => Ok(()),
        Some(fault) => Err(Refusal::Line(format!("MISCONF Errors writing to the AOF file: {fault}").into())),
    }
}

/// With `maxmemory` used up, what may need more is refused.
#[inline]
pub(super) fn memory(ctx: &Context, command: &Command) -> Result<(), Refusal> {
    if ctx.is_memory_full() && command.spec.has(flag::DENYOOM) { Err(OUT_OF_MEMORY) } else { Ok(()) }
}

pub(super) const OUT_OF_MEMORY: Refusal =
    Refusal::line("OOM command not allowed when used memory > 'maxmemory'.");

/// A RESP2 client that listens takes all that comes for messages, so it may run only what is answered in their form.
#[inline]
pub(super) fn listening(session: &Session, command: &Command) -> Result<(), Refusal> {
    if session.subscriptions.is_none() || session.proto != Proto::Resp2 || command.spec.has(flag::LISTENING) {
        return Ok(());
    }
    // EXEC is refused in its own words, whatever the reason.
    let prefix = match command.spec.run {
        Run::Exec => "EXECABORT Transaction discarded because of:",
        _ => "ERR",
    };
    let line = format!(
        "{prefix} Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
        command.full_name
    );
    Err(Refusal::Line(line.into()))
}

/// What may not be queued by MULTI.
#[inline]
pub(super) fn transaction(session: &Session, command: &Command) -> Result<(), Refusal> {
    if session.transaction.is_some() && command.spec.has(flag::NO_MULTI) {
        return Err(Refusal::err("Command not allowed inside a transaction"));
    }
    Ok(())
}
