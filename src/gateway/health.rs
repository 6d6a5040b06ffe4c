//! For whoever watches the process: is it alive, and does it serve?
//!
//! `/-/health` answers as long as the gateway's thread runs. `/-/ready` says 503 while data is being loaded, and while the
//! log cannot be written, when the server refuses writes.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::Gateway;
use super::answer::{Refused, object};

/// Alive.
pub(super) async fn health() -> Response {
    object(StatusCode::OK, "status", "ok")
}

/// Serving reads and writes.
pub(super) async fn ready(State(gateway): State<Arc<Gateway>>) -> Response {
    let ctx = &gateway.ctx;
    let unready = |text: String| Refused::new(StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    if ctx.loading.is_active() {
        return unready("The data is being loaded".to_owned());
    }
    match ctx.log.fault_text() {
        Some(fault) => unready(format!("Writes are refused, because the log cannot be written: {fault}")),
        None => object(StatusCode::OK, "status", "ready"),
    }
}
