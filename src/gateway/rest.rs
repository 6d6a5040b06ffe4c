//! REST for every command, in the form that Upstash's clients speak.
//!
//! ```text
//! POST /-/redis               ["SET", "k", "v"]            {"result":"OK"}
//! GET  /-/redis/get/k                                      {"result":"v"}
//! POST /-/redis/set/k?EX=10   the value's bytes            {"result":"OK"}
//! POST /-/redis/pipeline      [["GET", "a"], ["INCR", …]]  [{"result":…},{"error":"ERR …"}]
//! POST /-/redis/multi-exec    the same, as a transaction   the same, or {"error":"EXECABORT …"}
//! ```
//!
//! An error of a single command has status 400; with `Upstash-Encoding: base64` strings are written in base64, so that they
//! may be any bytes. Each request is a session of its own, so commands that are about a connection are refused.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use redis_protocol::resp2::types::OwnedFrame;

use super::answer::{Refused, json};
use super::json::{Strings, command as read_command, commands as read_commands, write_outcome};
use super::paced::Paced;
use super::{Gateway, body, caller, door, percent};
use crate::clients::Client;
use crate::exec::flag;
use crate::exec::registry::Command;
use crate::resp::request::OwnedRequest;

/// Commands that change or need a connection that stays.
const NEED_A_CONNECTION: &[&str] = &[
    "multi",
    "exec",
    "discard",
    "watch",
    "unwatch",
    "quit",
    "reset",
    "hello",
    "monitor",
    "subscribe",
    "psubscribe",
    "ssubscribe",
    "unsubscribe",
    "punsubscribe",
    "sunsubscribe",
    "sync",
    "psync",
    "client|reply",
    "client|tracking",
    "client|caching",
];

type Answer = Result<Response, Refused>;

/// One command as a JSON array.
pub(super) async fn command(
    State(gateway): State<Arc<Gateway>>,
    Extension(client): Extension<Arc<Client>>,
    request: Request,
) -> Answer {
    post_only(&request)?;
    let strings = strings(request.headers());
    let body = body::json(&gateway, request).await?;
    let request = read_command(&body).map_err(Refused::bad)?;
    single(&gateway, &client, request, strings).await
}

/// One command as a path. The body, if there is one, is the last word before the parameters.
pub(super) async fn by_path(
    State(gateway): State<Arc<Gateway>>,
    Extension(client): Extension<Arc<Client>>,
    request: Request,
) -> Answer {
    let is_post = *request.method() == Method::POST;
    if !is_post && !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Refused::method("GET, HEAD, POST").and_close());
    }
    let strings = strings(request.headers());
    let path = request.uri().path().strip_prefix("/-/redis/").unwrap_or_default();
    let mut command = OwnedRequest::default();
    for word in path.split('/') {
        command.push(&percent::decode(word)?);
    }
    let parameters = percent::query(request.uri().query())?;
    if !is_post && !may_get(&gateway, &command) {
        return Err(Refused::method("POST"));
    }
    if is_post && let Some(word) = last_word(&gateway, request).await? {
        command.push(&word);
    }
    for (name, value) in parameters {
        command.push(&name);
        if let Some(value) = value {
            command.push(&value);
        }
    }
    single(&gateway, &client, command, strings).await
}

async fn last_word(gateway: &Gateway, request: Request) -> Result<Option<Vec<u8>>, Refused> {
    let is_typed =
        [body::BYTES, super::answer::JSON].iter().any(|media| body::is_of_type(request.headers(), media));
    let body = body::bytes(gateway, request).await?;
    match body.is_empty() {
        true => Ok(None),
        false if is_typed => Ok(Some(body.to_vec())),
        false => Err(Refused::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "The body becomes the command's last word as it is: send the header Content-Type: application/octet-stream",
        )),
    }
}

/// While no password is set, GET only reads: a browser fetches many an address without having been asked to.
fn may_get(gateway: &Gateway, command: &OwnedRequest) -> bool {
    door::is_locked(&gateway.ctx.settings.load())
        || gateway.ctx.registry.resolve(&command.as_request()).map_or(true, is_harmless)
}

/// True when a command changes neither data nor the server, as its row says.
pub(super) fn is_harmless(command: &Command) -> bool {
    command.spec.flags & (flag::WRITE | flag::ADMIN | flag::MAY_REPLICATE) == 0
}

async fn single(gateway: &Gateway, client: &Arc<Client>, request: OwnedRequest, strings: Strings) -> Answer {
    check(gateway, &request)?;
    let replies = caller::call_all(gateway, client, &[request]).await?;
    let frame = replies.frames().next().unwrap_or(OwnedFrame::Null);
    if let OwnedFrame::Error(line) = &frame {
        return Err(Refused::by_command(line));
    }
    let mut body = Paced::new(replies.limit());
    write_outcome(&frame, strings, &mut body).await?;
    Ok(json(StatusCode::OK, body.out))
}

/// Several commands, one after the other; others may come in between.
pub(super) async fn pipeline(
    State(gateway): State<Arc<Gateway>>,
    Extension(client): Extension<Arc<Client>>,
    request: Request,
) -> Answer {
    let (requests, strings) = several(&gateway, request).await?;
    let replies = caller::call_all(&gateway, &client, &requests).await?;
    list(replies.frames(), strings, replies.limit()).await
}

/// Several commands as one transaction.
pub(super) async fn multi_exec(
    State(gateway): State<Arc<Gateway>>,
    Extension(client): Extension<Arc<Client>>,
    request: Request,
) -> Answer {
    let (mut requests, strings) = several(&gateway, request).await?;
    requests.insert(0, OwnedRequest::from_args(["MULTI"]));
    requests.push(OwnedRequest::from_args(["EXEC"]));
    let replies = caller::call_all(&gateway, &client, &requests).await?;
    let limit = replies.limit();
    let mut refused = None;
    let mut last = OwnedFrame::Null;
    for frame in replies.frames() {
        if let (OwnedFrame::Error(line), None) = (&frame, &refused) {
            refused = Some(line.clone());
        }
        last = frame;
    }
    match (last, refused) {
        (OwnedFrame::Array(results), _) => list(results.into_iter(), strings, limit).await,
        // EXEC tells that nothing was done; the command that was refused tells why.
        (OwnedFrame::Error(line), Some(why)) if line.starts_with("EXECABORT") && why != line => {
            Err(Refused::bad(format!("{line} {why}")))
        }
        (OwnedFrame::Error(line), _) => Err(Refused::by_command(&line)),
        _ => Err(Refused::bad("EXECABORT Transaction discarded")),
    }
}

async fn several(gateway: &Gateway, request: Request) -> Result<(Vec<OwnedRequest>, Strings), Refused> {
    post_only(&request)?;
    let strings = strings(request.headers());
    let body = body::json(gateway, request).await?;
    let requests = read_commands(&body).map_err(Refused::bad)?;
    requests.iter().try_for_each(|request| check(gateway, request))?;
    Ok((requests, strings))
}

async fn list(frames: impl Iterator<Item = OwnedFrame>, strings: Strings, limit: u64) -> Answer {
    let mut body = Paced::new(limit);
    body.out.push(b'[');
    for (index, frame) in frames.enumerate() {
        body.separate(index);
        write_outcome(&frame, strings, &mut body).await?;
    }
    body.out.push(b']');
    Ok(json(StatusCode::OK, body.out))
}

fn post_only(request: &Request) -> Result<(), Refused> {
    match *request.method() {
        Method::POST => Ok(()),
        _ => Err(Refused::method("POST").and_close()),
    }
}

/// Refuses what needs a connection. A command that does not exist is refused when it is run.
pub(super) fn check(gateway: &Gateway, request: &OwnedRequest) -> Result<(), Refused> {
    match gateway.ctx.registry.resolve(&request.as_request()) {
        Ok(command) if NEED_A_CONNECTION.contains(&command.full_name.as_str()) => Err(Refused::bad(format!(
            "ERR '{}' needs a connection that stays: use a Redis client, or multi-exec for a transaction",
            command.full_name
        ))),
        _ => Ok(()),
    }
}

fn strings(headers: &HeaderMap) -> Strings {
    match headers.get("upstash-encoding").map(|value| value.as_bytes()) {
        Some(value) if value.eq_ignore_ascii_case(b"base64") => Strings::Base64,
        _ => Strings::Text,
    }
}
