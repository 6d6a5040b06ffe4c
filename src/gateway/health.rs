//! For whoever watches the process: is it alive, and does it serve?
//!
//! `/-/health` answers as long as the gateway's thread runs. `/-/ready` says 503 while data is being loaded, and while the
//! log cannot be written, when the server refuses writes.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::Response;

use super::Gateway;
use super::answer::{Refused, object};

/// Alive.
pub(super) async fn health(method: Method) -> Result<Response, Refused> {
    Refused::unless_reading(&method)?;
    Ok(object(StatusCode::OK, "status", "ok"))
}

/// Serving reads and writes.
pub(super) async fn ready(State(gateway): State<Arc<Gateway>>, method: Method) -> Result<Response, Refused> {
    Refused::unless_reading(&method)?;
    let ctx = &gateway.ctx;
    let unready = |text: String| Err(Refused::new(StatusCode::SERVICE_UNAVAILABLE, text));
    if ctx.loading.is_active() {
        return unready("The data is being loaded".to_owned());
    }
    match ctx.log.fault_text() {
        Some(fault) => unready(format!("Writes are refused, because the log cannot be written: {fault}")),
        None => Ok(object(StatusCode::OK, "status", "ready")),
    }
}
