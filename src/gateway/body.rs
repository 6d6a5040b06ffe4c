//! Reading a request's body: its type, its size, and how long it may take.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use tokio::time::timeout;

use super::Gateway;
use super::answer::{JSON, Refused};
use super::listener::patience;

/// A whole body may take this many times as long as its sender may be silent.
const WHOLE_BODY_FACTOR: u32 = 10;

/// Bytes as they are, for the last word of a command.
pub(super) const BYTES: &str = "application/octet-stream";

/// The body of a request that must be JSON.
pub(super) async fn json(gateway: &Gateway, request: Request) -> Result<Bytes, Refused> {
    if !is_of_type(request.headers(), JSON) {
        return Err(Refused::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "The body must be JSON: send the header Content-Type: application/json",
        )
        .and_close());
    }
    bytes(gateway, request).await
}

/// Whether the body is said to be of this type, whatever its parameters.
pub(super) fn is_of_type(headers: &HeaderMap, media: &str) -> bool {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    given.split(';').next().is_some_and(|given| given.trim().eq_ignore_ascii_case(media))
}

/// The whole body.
pub(super) async fn bytes(gateway: &Gateway, request: Request) -> Result<Bytes, Refused> {
    let limit = gateway.ctx.settings.load().network.http_max_body;
    let announced =
        request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_long(limit));
    }
    let patience = patience(&gateway.ctx);
    match timeout(patience * WHOLE_BODY_FACTOR, gather(request.into_body(), limit, patience)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(too_slow()),
    }
}

async fn gather(mut body: Body, limit: u64, patience: Duration) -> Result<Bytes, Refused> {
    let mut first = Bytes::new();
    let mut all: Vec<u8> = Vec::new();
    loop {
        let frame = match timeout(patience, body.frame()).await {
            Err(_) => return Err(too_slow()),
            Ok(Some(Err(_))) => return Err(Refused::bad("The body could not be read to its end").and_close()),
            Ok(Some(Ok(frame))) => frame,
            // Nearly every body comes in one piece, which needs no copy.
            Ok(None) if all.is_empty() => return Ok(first),
            Ok(None) => return Ok(all.into()),
        };
        let Ok(data) = frame.into_data() else { continue };
        if (first.len().max(all.len()) + data.len()) as u64 > limit {
            return Err(too_long(limit));
        }
        if first.is_empty() {
            first = data;
        } else {
            if all.is_empty() {
                all.extend_from_slice(&first);
            }
            all.extend_from_slice(&data);
        }
    }
}

fn too_long(limit: u64) -> Refused {
    let text = format!("The body is longer than {limit} bytes: send less, or raise http-max-body");
    Refused::new(StatusCode::PAYLOAD_TOO_LARGE, text).and_close()
}

fn too_slow() -> Refused {
    Refused::new(StatusCode::REQUEST_TIMEOUT, "The body did not come in time: see http-timeout").and_close()
}
