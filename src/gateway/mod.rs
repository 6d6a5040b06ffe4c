//! HTTP: the same data and the same commands for those who speak JSON instead of RESP.
//!
//! ```text
//! PUT /KEY  GET /KEY  DELETE /KEY      keys           the key API: values as JSON
//! /-/redis  /-/redis/pipeline  …       rest           every command, as Upstash's clients send it
//! /-/health  /-/ready  /-/metrics      health metrics for whoever watches
//! ```
//!
//! The gateway is a client among clients: a request becomes commands, a session and a turn on the gateway's own seat, so
//! gates, locks, log, watchers and statistics are those of every other connection. It has one thread with a runtime of
//! its own; nothing of it is on the path of a RESP command.
//!
//! A request passes [`door`] first (may it come in at all?), then its handler. Whatever is refused is answered with a
//! 4xx or 5xx status and `{"error": "…"}` that says what to do.

mod answer;
mod body;
mod caller;
mod console;
mod door;
mod health;
mod json;
mod keys;
mod listener;
mod metrics;
mod paced;
mod percent;
mod rest;
mod socket;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::any;

use crate::exec::Context;
use crate::exec::safety::Flusher;
use answer::Refused;

pub use listener::start;

/// What all requests share.
struct Gateway {
    ctx: Arc<Context>,
    /// The gateway's seat: nobody else may use it.
    seat: usize,
    flusher: Flusher,
    /// A page of the console is listening to commands.
    listening: AtomicBool,
}

fn router(gateway: &Arc<Gateway>) -> Router {
    Router::new()
        .route("/-/health", any(health::health))
        .route("/-/ready", any(health::ready))
        .route("/-/metrics", any(metrics::metrics))
        .route("/-/redis", any(rest::command))
        .route("/-/redis/", any(rest::command))
        .route("/-/redis/pipeline", any(rest::pipeline))
        .route("/-/redis/multi-exec", any(rest::multi_exec))
        .route("/-/redis/{*words}", any(rest::by_path))
        .merge(console::routes())
        .route("/-/{*rest}", any(unknown))
        .fallback(keys::key)
        .layer(axum::middleware::from_fn_with_state(gateway.clone(), door::pass))
        .with_state(gateway.clone())
}

async fn unknown() -> Refused {
    Refused::new(
        StatusCode::NOT_FOUND,
        "There is no such page: paths that start with /-/ are the server's own. A key whose name starts so is reached \
         by writing the first dash as %2D",
    )
}
