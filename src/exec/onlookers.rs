//! Those who are shown what others do: MONITOR at once, SLOWLOG and LATENCY later. Secrets are shown to neither.

use super::registry::Command;
use super::run::{Desk, NANOS_PER_MS};
use super::session::Session;
use super::spec::flag;
use super::{limits, redact};
use crate::base::bytes;
use crate::clients;
use crate::config::Config;
use crate::resp::request::Request;

impl Desk<'_> {
    /// Shows a command to all who MONITOR.
    pub(super) fn feed_monitors(&self, command: &Command, session: &Session, request: &Request<'_>) {
        let now = self.ctx.clock.unix_us();
        let place = if session.in_script {
            "lua".to_owned()
        } else if session.client.has_flag(clients::flag::UNIX) {
            format!("unix:{}", session.client.address.trim_end_matches(":0"))
        } else {
            session.client.address.to_string()
        };
        let mut line =
            format!("+{}.{:06} [{} {place}]", now / 1_000_000, now % 1_000_000, session.db).into_bytes();
        for word in redact::words(command, request) {
            line.push(b' ');
            line.extend_from_slice(bytes::repr(word).as_bytes());
        }
        line.extend_from_slice(b"\r\n");
        self.ctx.clients.feed_monitors(&line, &limits::outbox(&self.config, self.now()));
    }

    /// Keeps a command that took so many nanoseconds, which one of the logs of what is slow wants to hear of.
    #[cold]
    pub(super) fn note_slow(&self, command: &Command, session: &Session, request: &Request<'_>, took: u64) {
        let config = &self.config.observe;
        let micros = took / 1000;
        let is_slow = u64::try_from(config.slowlog_log_slower_than).is_ok_and(|limit| micros >= limit);
        if is_slow && !command.spec.has(flag::SKIP_SLOWLOG) {
            let client = &session.client;
            let who = (client.address.to_string(), client.names().name);
            let words = redact::words(command, request);
            let at = self.now() / 1000;
            self.ctx.slowlog.add(at, micros, words.into_iter(), who, config.slowlog_max_len as usize);
        }
        if config.latency_monitor_threshold > 0 {
            let event = if command.spec.has(flag::FAST) { "fast-command" } else { "command" };
            let ms = micros / 1000;
            self.ctx.latency.record(event, self.now() / 1000, ms, config.latency_monitor_threshold);
        }
    }
}

/// The least time in nanoseconds of a command after which, with a limit, memory may need another look.
const MAY_FILL_NANOS: u64 = 100_000;

/// The least time, in nanoseconds, that one of the logs of what is slow wants to hear of, or the gate of `maxmemory`.
pub(super) fn slow_from(config: &Config) -> u64 {
    let filled = (config.memory.maxmemory > 0).then_some(MAY_FILL_NANOS);
    filled.into_iter().fold(told_from(config), u64::min)
}

/// The least time, in nanoseconds, that one of the logs of what is slow wants to hear of.
pub(super) fn told_from(config: &Config) -> u64 {
    let observe = &config.observe;
    let slowlog =
        u64::try_from(observe.slowlog_log_slower_than).ok().map(|micros| micros.saturating_mul(1000));
    let monitor = Some(observe.latency_monitor_threshold).filter(|ms| *ms > 0);
    let monitor = monitor.map(|ms| ms.saturating_mul(NANOS_PER_MS));
    slowlog.into_iter().chain(monitor).min().unwrap_or(u64::MAX)
}
