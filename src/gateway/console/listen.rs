//! Which keys are used most: commands are listened to for a second, as MONITOR does, and the keys that they name counted.
//!
//! The server keeps no count for each key, and OBJECT FREQ needs an LFU policy. So this is a sample, made on request: it
//! costs every command a line while it lasts, which is why it is short, ends after [`COMMANDS_MAX`] commands, and is made for
//! one page at a time. What MONITOR does not show (administration) is not counted.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Release};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use super::super::answer::{Refused, json as answer};
use super::super::{Gateway, body};
use crate::base::bytes::split_args;
use crate::clients::{Arrival, Client};
use crate::exec::flag;
use crate::exec::registry::Registry;
use crate::resp::request::OwnedRequest;

/// How long commands are listened to.
const SPAN: Duration = Duration::from_secs(1);
/// How often what was heard is taken: not so much may come in between that the listener is ended for not reading.
const STEP: Duration = Duration::from_millis(10);
/// Commands after which the sample ends.
const COMMANDS_MAX: u64 = 200_000;
/// Different keys that are counted.
const KEYS_MAX: usize = 100_000;
/// Keys that are told.
const TOLD: usize = 20;
/// No connection has this number.
const NUMBER: u64 = u64::MAX;

/// Answers the keys that were named most.
pub(super) async fn listen(
    State(gateway): State<Arc<Gateway>>,
    request: Request,
) -> Result<Response, Refused> {
    if *request.method() != Method::POST {
        return Err(Refused::method("POST").and_close());
    }
    body::json(&gateway, request).await?;
    let listener = Listener::start(&gateway).ok_or_else(|| {
        Refused::new(StatusCode::CONFLICT, "Another page is listening: try again in a second")
    })?;
    let ctx = &gateway.ctx;
    let mut heard = Heard::default();
    let mut lines = Vec::new();
    let began = ctx.clock.elapsed();
    while ctx.clock.elapsed() - began < SPAN && heard.commands < COMMANDS_MAX && !listener.0.is_killed() {
        tokio::time::sleep(STEP).await;
        lines.clear();
        listener.0.take_posted(&mut lines);
        heard.take(&ctx.registry, &lines);
    }
    let span = ctx.clock.elapsed() - began;
    drop(listener);
    let found = json!({
        "span_ms": span.as_millis() as u64,
        "commands": heard.commands,
        "keys": heard.keys.len(),
        "whole": span >= SPAN,
        "hottest": heard.hottest(),
    });
    Ok(answer(StatusCode::OK, found.to_string().into_bytes()))
}

/// Listens until it is dropped, also when the page has gone away meanwhile.
struct Listener<'g>(Arc<Client>, &'g Gateway);

impl<'g> Listener<'g> {
    /// None while there is another.
    fn start(gateway: &'g Gateway) -> Option<Self> {
        gateway.listening.compare_exchange(false, true, AcqRel, Acquire).ok()?;
        let client = Arc::new(Client::new(NUMBER, Arrival::default()));
        gateway.ctx.clients.start_monitor(&client);
        Some(Listener(client, gateway))
    }
}

impl Drop for Listener<'_> {
    fn drop(&mut self) {
        self.1.ctx.clients.stop_monitor(&self.0);
        self.1.listening.store(false, Release);
    }
}

/// Uses of keys.
#[derive(Default)]
struct Heard {
    commands: u64,
    /// By database and name: uses, and those of them by commands that may write.
    keys: HashMap<(String, Vec<u8>), (u64, u64)>,
}

impl Heard {
    /// Takes whole lines in the form of MONITOR: `+1700000000.123456 [0 127.0.0.1:5000] "GET" "key"`.
    fn take(&mut self, registry: &Registry, lines: &[u8]) {
        for line in lines.split(|&byte| byte == b'\n') {
            let Some((db, words)) = parse(line) else { continue };
            self.commands += 1;
            let request = OwnedRequest::from_args(words);
            let request = request.as_request();
            let Ok(command) = registry.resolve(&request) else { continue };
            let writes = u64::from(command.spec.has(flag::WRITE));
            for key in command.spec.key_positions(&request) {
                let name = (db.clone(), request.arg(key.index).to_vec());
                if self.keys.len() < KEYS_MAX || self.keys.contains_key(&name) {
                    let (uses, written) = self.keys.entry(name).or_default();
                    (*uses, *written) = (*uses + 1, *written + writes);
                }
            }
        }
    }

    fn hottest(&self) -> Vec<Json> {
        let mut rows: Vec<_> = self.keys.iter().collect();
        rows.sort_unstable_by(|(name, (uses, _)), (other, (more, _))| more.cmp(uses).then(name.cmp(other)));
        let told = rows.into_iter().take(TOLD);
        told.map(|((db, key), (uses, writes))| {
            json!({
                "db": db.parse::<u32>().unwrap_or(0),
                "key": STANDARD.encode(key),
                "uses": uses,
                "writes": writes,
            })
        })
        .collect()
    }
}

/// The database and the words of a line.
fn parse(line: &[u8]) -> Option<(String, Vec<Vec<u8>>)> {
    let bracket = memchr::memchr(b'[', line)?;
    let rest = &line[bracket + 1..];
    let blank = memchr::memchr(b' ', rest)?;
    let db = std::str::from_utf8(&rest[..blank]).ok()?.to_owned();
    let words = memchr::memmem::find(rest, b"] \"")? + 2;
    Some((db, split_args(&rest[words..]).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::FAMILIES;

    #[test]
    fn keys_are_counted_by_database_and_may_be_any_bytes() {
        let registry = Registry::new(FAMILIES, &[]).unwrap();
        let mut heard = Heard::default();
        heard.take(
            &registry,
            b"+1.5 [0 127.0.0.1:1] \"GET\" \"a\\xff\"\r\n+1.5 [0 unix:/x] \"set\" \"a\\xff\" \"[v] \\\"\"\r\n\
              +1.5 [3 127.0.0.1:1] \"MGET\" \"a\\xff\" \"b\"\r\n+1.5 [0 x] \"PING\"\r\n\r\nbroken\r\n",
        );
        assert_eq!((heard.commands, heard.keys.len()), (4, 3));
        let hottest = heard.hottest();
        assert_eq!(hottest[0], json!({"db": 0, "key": "Yf8=", "uses": 2, "writes": 1}));
        assert_eq!(hottest[1], json!({"db": 3, "key": "Yf8=", "uses": 1, "writes": 0}));
    }
}
