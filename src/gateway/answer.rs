//! Answers: JSON bodies, and refusals that say what to do.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::exec::safety::NotSafe;

/// The media type of all bodies.
pub(super) const JSON: &str = "application/json";

/// Seconds after which a client may try again what the server cannot do now.
const RETRY_SECONDS: &str = "1";

/// Why a request was not carried out.
#[derive(Debug)]
pub(super) struct Refused {
    status: StatusCode,
    text: Cow<'static, str>,
    /// Methods that the path takes, where the method was wrong.
    allow: Option<&'static str>,
    /// The rest of the request is not read: the connection ends.
    close: bool,
}

impl Refused {
    /// A refusal with this status and text.
    pub(super) fn new(status: StatusCode, text: impl Into<Cow<'static, str>>) -> Self {
        Refused { status, text: text.into(), allow: None, close: false }
    }

    /// The request is malformed.
    pub(super) fn bad(text: impl Into<Cow<'static, str>>) -> Self {
        Refused::new(StatusCode::BAD_REQUEST, text)
    }

    /// The path does not take this method.
    pub(super) fn method(allow: &'static str) -> Self {
        let text = format!("This path takes only {allow}");
        Refused { allow: Some(allow), ..Refused::new(StatusCode::METHOD_NOT_ALLOWED, text) }
    }

    /// Refuses all methods but those that only look.
    pub(super) fn unless_reading(method: &Method) -> Result<(), Self> {
        match *method {
            Method::GET | Method::HEAD => Ok(()),
            _ => Err(Refused::method("GET, HEAD").and_close()),
        }
    }

    /// The answer does not stay below this many bytes; `done` says what was carried out nevertheless.
    pub(super) fn too_long(limit: u64, done: &str) -> Self {
        // The status speaks of requests, and its advice fits: a client that understands it asks for less.
        let text = format!(
            "The answer would take {limit} bytes or more: ask for less in one request, or raise the hard limit of the \
             class normal in client-output-buffer-limit. {done}"
        );
        Refused::new(StatusCode::PAYLOAD_TOO_LARGE, text)
    }

    /// The same, and the connection ends after it.
    pub(super) fn and_close(self) -> Self {
        Refused { close: true, ..self }
    }

    /// What a command's error line means to an HTTP client.
    pub(super) fn by_command(line: &str) -> Self {
        let status = match line.split(' ').next() {
            Some("LOADING" | "MISCONF" | "OOM" | "BUSY") => StatusCode::SERVICE_UNAVAILABLE,
            Some("WRONGTYPE") => StatusCode::CONFLICT,
            Some("NOAUTH" | "WRONGPASS") => StatusCode::UNAUTHORIZED,
            Some("NOPERM") => StatusCode::FORBIDDEN,
            _ => StatusCode::BAD_REQUEST,
        };
        Refused::new(status, line.to_owned())
    }
}

impl From<NotSafe> for Refused {
    fn from(fault: NotSafe) -> Self {
        Refused::new(StatusCode::INTERNAL_SERVER_ERROR, format!("It may not survive a crash: {fault}"))
            .and_close()
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = object(self.status, "error", &self.text);
        let headers = response.headers_mut();
        if let Some(allow) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        if self.close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        match self.status {
            StatusCode::UNAUTHORIZED => {
                headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"pinstripe\""));
                let basic = HeaderValue::from_static("Basic realm=\"pinstripe\", charset=\"UTF-8\"");
                headers.append(WWW_AUTHENTICATE, basic);
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_SECONDS));
            }
            _ => {}
        }
        response
    }
}

/// `{"name": "text"}`, with the blank that the key API's users may compare with.
pub(super) fn object(status: StatusCode, name: &str, text: &str) -> Response {
    let mut body = Vec::with_capacity(name.len() + text.len() + 16);
    body.push(b'{');
    super::json::write_text(name, &mut body);
    body.extend_from_slice(b": ");
    super::json::write_text(text, &mut body);
    body.push(b'}');
    json(status, body)
}

/// A body that is JSON already.
pub(super) fn json(status: StatusCode, body: Vec<u8>) -> Response {
    with_type(status, JSON, body)
}

/// A body of another type.
pub(super) fn with_type(status: StatusCode, media: &'static str, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    response
}
