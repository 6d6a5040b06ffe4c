//! The console: a page to look at the server with, at `/-/`.
//!
//! ```text
//! GET  /-/, /-/console/…       the page, its script and its style, built into the program
//! GET  /-/console/state        the live figures, as JSON
//! POST /-/console/run?db=N     commands whose words are base64: keys may be any bytes     [["R0VU","aw=="], …]
//! POST /-/console/listen       the keys that are used most, from a second of MONITOR
//! ```
//!
//! The page's files hold no secret, so they are served to anybody who may connect; everything that they then ask for passes
//! the door like any other request. The policy that comes with the page lets it load nothing from elsewhere and run nothing
//! but its own files, and makes the browser refuse text that is used as HTML.

mod listen;
mod run;
mod state;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_FRAME_OPTIONS};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::any;

use super::Gateway;
use super::answer::{Refused, with_type};

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// Path, media type and text of the page's files.
const FILES: &[(&str, &str, &str)] = &[
    ("/-/", HTML, include_str!("page/index.html")),
    ("/-/console/style.css", CSS, include_str!("page/style.css")),
    ("/-/console/icon.svg", SVG, include_str!("page/icon.svg")),
    ("/-/console/main.js", SCRIPT, include_str!("page/main.js")),
    ("/-/console/base.js", SCRIPT, include_str!("page/base.js")),
    ("/-/console/chart.js", SCRIPT, include_str!("page/chart.js")),
    ("/-/console/live.js", SCRIPT, include_str!("page/live.js")),
    ("/-/console/keys.js", SCRIPT, include_str!("page/keys.js")),
    ("/-/console/value.js", SCRIPT, include_str!("page/value.js")),
    ("/-/console/spots.js", SCRIPT, include_str!("page/spots.js")),
    ("/-/console/prompt.js", SCRIPT, include_str!("page/prompt.js")),
];

/// The console's paths.
pub(super) fn routes() -> Router<Arc<Gateway>> {
    let mut router = Router::new()
        .route("/-/console/state", any(state::state))
        .route("/-/console/run", any(run::run))
        .route("/-/console/listen", any(listen::listen));
    for (path, _, _) in FILES {
        router = router.route(path, any(file));
    }
    router
}

/// True for the files of the page, which anybody may read who may connect.
pub(super) fn is_file(path: &str) -> bool {
    FILES.iter().any(|(known, _, _)| *known == path)
}

async fn file(request: Request) -> Result<Response, Refused> {
    Refused::unless_reading(request.method())?;
    let path = request.uri().path();
    let found = FILES.iter().find(|(known, _, _)| *known == path);
    let (_, media, text) =
        found.ok_or_else(|| Refused::new(StatusCode::NOT_FOUND, "There is no such file"))?;
    let mut response = with_type(StatusCode::OK, media, text.as_bytes().to_vec());
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
    Ok(response)
}
