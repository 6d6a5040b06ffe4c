//! The door: which requests come in at all.
//!
//! While neither `requirepass` nor `http-token` is set, the gateway is open to this machine. Then the danger is a web page
//! in a browser on it: the page's requests come from this machine, too. Three checks keep it out, each sufficient for
//! one way in:
//!
//! - `Host` must be an address or `localhost`. A page whose own name was made to point here (DNS rebinding) sends that
//!   name.
//! - `Origin`, which browsers add to all requests of a page but simple reads, must be this server's own.
//! - `Sec-Fetch-Site`, which they add to simple reads such as images too, must not tell of another site.
//!
//! With a password all but the health pages and the console's own files ask for it: as a bearer token, or as the password of the user `default`.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONNECTION, HOST, ORIGIN, TRANSFER_ENCODING, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::answer::Refused;
use super::{Gateway, console};
use crate::base::secret::is_same;
use crate::config::Config;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Pages for whoever watches the process: they tell no secrets, and a watcher has no password.
const OPEN_TO_ALL: [&str; 2] = ["/-/health", "/-/ready"];

/// The only user.
const USER: &str = "default";

/// True when clients must show a token or password.
pub(super) fn is_locked(config: &Config) -> bool {
    config.has_password() || !config.access.http_token.is_empty()
}

/// Lets a request through to its handler, or answers why not.
pub(super) async fn pass(State(gateway): State<Arc<Gateway>>, request: Request, next: Next) -> Response {
    // Another server in front of this one may take the length of such a body from elsewhere: what it takes for the next
    // request must not be read here as one.
    let close = request.headers().contains_key(TRANSFER_ENCODING);
    let mut response = match check(&gateway.ctx.settings.load(), &request) {
        Ok(()) => next.run(request).await,
        Err(refused) => refused.and_close().into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    if close {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn check(config: &Config, request: &Request) -> Result<(), Refused> {
    let headers = request.headers();
    let is_open = OPEN_TO_ALL.contains(&request.uri().path());
    // Simple watchers speak HTTP/1.0, which has no Host; HTTP/1.1 demands that its absence be refused.
    if is_open && request.version() < Version::HTTP_11 && !headers.contains_key(HOST) {
        return Ok(());
    }
    let host = host(request)?;
    if is_open {
        return Ok(());
    }
    let locked = is_locked(config);
    if !locked && !names_this_machine(host) {
        return Err(Refused::new(
            StatusCode::FORBIDDEN,
            "While no password is set, the Host header must be an IP address or localhost. Use one of them, or set \
             requirepass or http-token",
        ));
    }
    // They hold no secret, and must be there to ask for the token; a link elsewhere may lead to them.
    if console::is_file(request.uri().path()) {
        return Ok(());
    }
    same_origin(headers, host)?;
    if locked && !is_authorized(config, headers) {
        return Err(Refused::new(
            StatusCode::UNAUTHORIZED,
            "Unauthorized: send the header Authorization: Bearer TOKEN, or the user default with its password",
        ));
    }
    Ok(())
}

/// What the client takes this server for, with the port.
fn host(request: &Request) -> Result<&str, Refused> {
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next().map(HeaderValue::to_str), hosts.next()) {
        (Some(Ok(host)), None) => match request.uri().authority() {
            Some(authority) if authority.as_str() != host => {
                Err(Refused::bad("The request's address and its Host header differ: send the same in both"))
            }
            _ => Ok(host),
        },
        _ => Err(Refused::bad("A request needs one Host header, such as Host: localhost")),
    }
}

fn names_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        // [::1]:8080
        Some(rest) => rest.split_once(']').map_or("", |(address, _)| address),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

fn same_origin(headers: &HeaderMap, host: &str) -> Result<(), Refused> {
    let foreign = || {
        Refused::new(
            StatusCode::FORBIDDEN,
            "Pages of other sites are not served: send the request from a program",
        )
    };
    for origin in headers.get_all(ORIGIN) {
        let origin = origin.to_str().map_err(|_| foreign())?;
        let own = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        if !own.is_some_and(|own| own.eq_ignore_ascii_case(host)) {
            return Err(foreign());
        }
    }
    match headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes) {
        Some(b"cross-site" | b"same-site") => Err(foreign()),
        _ => Ok(()),
    }
}

fn is_authorized(config: &Config, headers: &HeaderMap) -> bool {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (given.next(), given.next()) else { return false };
    let Some((scheme, credentials)) = value.to_str().ok().and_then(|value| value.split_once(' ')) else {
        return false;
    };
    let credentials = credentials.trim();
    let is_password =
        |given: &[u8]| config.has_password() && is_same(config.access.requirepass.as_bytes(), given);
    if scheme.eq_ignore_ascii_case("bearer") {
        let token = &config.access.http_token;
        let is_token = !token.is_empty() && is_same(token.as_bytes(), credentials.as_bytes());
        return is_token || is_password(credentials.as_bytes());
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let Ok(pair) = STANDARD.decode(credentials) else { return false };
        let Some(colon) = memchr::memchr(b':', &pair) else { return false };
        return &pair[..colon] == USER.as_bytes() && is_password(&pair[colon + 1..]);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn config(pairs: &[(&str, &str)]) -> Config {
        let settings = crate::config::Settings::new(Config::default(), None);
        let pairs: Vec<_> =
            pairs.iter().map(|(k, v)| (k.as_bytes().to_vec(), v.as_bytes().to_vec())).collect();
        let changed = settings.set(&pairs, crate::config::Origin::Local).unwrap();
        Config::clone(&changed.now)
    }

    fn status(config: &Config, path: &str, headers: &[(&str, &str)]) -> u16 {
        let mut request = Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        match check(config, &request.body(Body::empty()).unwrap()) {
            Ok(()) => 200,
            Err(refused) => refused.into_response().status().as_u16(),
        }
    }

    #[test]
    fn without_a_password_only_this_machine_by_address_comes_in() {
        let open = config(&[]);
        for host in ["localhost", "LocalHost:80", "127.0.0.1:8080", "[::1]", "[::1]:80", "192.0.2.7"] {
            assert_eq!(status(&open, "/k", &[("host", host)]), 200, "{host}");
        }
        for host in
            ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "[evil]", "x:y:z"]
        {
            assert_eq!(status(&open, "/k", &[("host", host)]), 403, "{host}");
        }
        assert_eq!(status(&open, "/k", &[]), 400);
        assert_eq!(status(&open, "/k", &[("host", "localhost"), ("host", "localhost")]), 400);
        assert_eq!(status(&open, "http://localhost/k", &[("host", "127.0.0.1")]), 400);
        assert_eq!(status(&open, "/-/health", &[("host", "inside.example")]), 200);
    }

    #[test]
    fn pages_of_other_sites_stay_outside_also_with_a_password() {
        let locked = config(&[("http-token", "t")]);
        let own = [("host", "h:1"), ("authorization", "Bearer t")];
        for (header, value, expected) in [
            ("origin", "http://h:1", 200),
            ("origin", "https://H:1", 200),
            ("origin", "http://h", 403),
            ("origin", "http://evil.example", 403),
            ("origin", "null", 403),
            ("sec-fetch-site", "cross-site", 403),
            ("sec-fetch-site", "same-site", 403),
            ("sec-fetch-site", "same-origin", 200),
            ("sec-fetch-site", "none", 200),
        ] {
            assert_eq!(
                status(&locked, "/k", &[own[0], own[1], (header, value)]),
                expected,
                "{header} {value}"
            );
        }
    }

    #[test]
    fn a_password_or_token_opens_all_but_what_is_open() {
        let both = config(&[("http-token", "t"), ("requirepass", "p:w")]);
        let token_only = config(&[("http-token", "t")]);
        let password_only = config(&[("requirepass", "p:w")]);
        // default:p:w, default:t, other:p:w
        let basic = ["Basic ZGVmYXVsdDpwOnc=", "Basic ZGVmYXVsdDp0", "Basic b3RoZXI6cDp3"];
        for (given, expected) in [
            ("Bearer t", [200, 200, 401]),
            ("bearer p:w", [200, 401, 200]),
            (basic[0], [200, 401, 200]),
            (basic[1], [401, 401, 401]),
            (basic[2], [401, 401, 401]),
            ("Bearer ", [401, 401, 401]),
            ("Bearer", [401, 401, 401]),
            ("Basic !", [401, 401, 401]),
            ("t", [401, 401, 401]),
        ] {
            let headers = [("host", "any.example"), ("authorization", given)];
            let found = [&both, &token_only, &password_only].map(|config| status(config, "/k", &headers));
            assert_eq!(found, expected, "{given}");
        }
        assert_eq!(status(&both, "/k", &[("host", "localhost")]), 401);
        assert_eq!(status(&both, "/-/metrics", &[("host", "localhost")]), 401);
        assert_eq!(status(&both, "/-/ready", &[("host", "localhost")]), 200);
    }
}
