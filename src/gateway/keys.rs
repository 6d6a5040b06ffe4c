//! The key API: a key is a path, its value a JSON object.
//!
//! ```text
//! PUT or POST /KEY  {"value": "…"}    200 {"message": "Value stored successfully"}     ?ttl=SECONDS
//! GET /KEY                            200 {"value": "…"}
//! DELETE /KEY                         200 {"message": "Key deleted successfully"}
//! a key that does not exist           404 {"error": "Key not found"}
//! ```
//!
//! They are SET, GET and DEL on database 0: what is written here is read there, and the other way round.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use redis_protocol::resp2::types::OwnedFrame;

use super::answer::{Refused, object};
use super::{Gateway, body, caller, json, percent};
use crate::base::number;
use crate::clients::Client;

/// The longest key, in bytes. A path that is much longer does not even get here.
const KEY_BYTES_MAX: usize = 16 * 1024;

/// Every path but the server's own is a key's.
pub(super) async fn key(
    State(gateway): State<Arc<Gateway>>,
    Extension(client): Extension<Arc<Client>>,
    request: Request,
) -> Result<Response, Refused> {
    let key = key_of(request.uri().path())?;
    match *request.method() {
        Method::GET | Method::HEAD => get(&gateway, &client, &key).await,
        Method::PUT | Method::POST => put(&gateway, &client, &key, request).await,
        Method::DELETE => delete(&gateway, &client, &key).await,
        _ => Err(Refused::method("GET, HEAD, PUT, POST, DELETE").and_close()),
    }
}

fn key_of(path: &str) -> Result<Vec<u8>, Refused> {
    let key = percent::decode(path.strip_prefix('/').unwrap_or(path))?;
    if key.is_empty() {
        return Err(Refused::bad("The path names no key: write it after the slash, such as /key_1"));
    }
    if key.len() > KEY_BYTES_MAX {
        let text = format!("The key is longer than {KEY_BYTES_MAX} bytes: use a shorter one");
        return Err(Refused::new(StatusCode::URI_TOO_LONG, text));
    }
    Ok(key)
}

async fn put(
    gateway: &Gateway,
    client: &Arc<Client>,
    key: &[u8],
    request: Request,
) -> Result<Response, Refused> {
    let ttl = ttl(request.uri().query())?;
    let body = body::json(gateway, request).await?;
    let value = json::value(&body).map_err(Refused::bad)?;
    let mut words: Vec<&[u8]> = vec![b"SET", key, &value];
    let mut digits = itoa::Buffer::new();
    if let Some(ttl) = ttl {
        words.extend([b"EX".as_slice(), digits.format(ttl).as_bytes()]);
    }
    match caller::call(gateway, client, &words).await? {
        OwnedFrame::Error(line) => Err(Refused::by_command(&line)),
        _ => Ok(object(StatusCode::OK, "message", "Value stored successfully")),
    }
}

/// The one parameter that a write takes. Others are refused: a misspelt one would store a value for ever.
fn ttl(query: Option<&str>) -> Result<Option<i64>, Refused> {
    let mut ttl = None;
    for (name, value) in percent::query(query)? {
        if name != b"ttl" {
            let name = String::from_utf8_lossy(&name).into_owned();
            return Err(Refused::bad(format!("There is no parameter {name}: the only one is ttl=SECONDS")));
        }
        let seconds = value.as_deref().and_then(number::parse_i64).filter(|seconds| *seconds > 0);
        ttl = Some(seconds.ok_or_else(|| Refused::bad("ttl must be a whole number of seconds, 1 or more"))?);
    }
    Ok(ttl)
}

async fn get(gateway: &Gateway, client: &Arc<Client>, key: &[u8]) -> Result<Response, Refused> {
    match caller::call(gateway, client, &[b"GET", key]).await? {
        OwnedFrame::BulkString(value) => match String::from_utf8(value) {
            Ok(text) => Ok(object(StatusCode::OK, "value", &text)),
            Err(_) => Err(Refused::new(
                StatusCode::NOT_ACCEPTABLE,
                "The value is not UTF-8, so JSON cannot hold it: read it with GET under /-/redis/ and the header \
                 Upstash-Encoding: base64",
            )),
        },
        OwnedFrame::Error(line) if line.starts_with("WRONGTYPE") => Err(Refused::new(
            StatusCode::CONFLICT,
            "The key holds another type of value than a string: read it with its own commands under /-/redis/",
        )),
        OwnedFrame::Error(line) => Err(Refused::by_command(&line)),
        _ => Err(missing()),
    }
}

async fn delete(gateway: &Gateway, client: &Arc<Client>, key: &[u8]) -> Result<Response, Refused> {
    match caller::call(gateway, client, &[b"DEL", key]).await? {
        OwnedFrame::Error(line) => Err(Refused::by_command(&line)),
        OwnedFrame::Integer(0) => Err(missing()),
        _ => Ok(object(StatusCode::OK, "message", "Key deleted successfully")),
    }
}

fn missing() -> Refused {
    Refused::new(StatusCode::NOT_FOUND, "Key not found")
}
