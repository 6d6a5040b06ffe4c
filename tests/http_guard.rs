//! The HTTP gateway's door from outside: passwords, pages of other sites, and requests that no well-meaning client sends.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test may end itself, and uses the real clock"
)]

mod support;

use std::io;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use support::http::{JSON, Site};

/// An answer that does not come within this waits for more of the request.
const PATIENCE: Duration = Duration::from_millis(500);

#[test]
fn with_a_password_all_but_health_asks_for_it() {
    let site = Site::start(&["--requirepass", "secret", "--http-token", "token"]);
    let put = r#"{"value": "x"}"#;
    let answer = site.ask("PUT /k", JSON, put);
    assert_eq!(answer.status, 401);
    assert!(answer.header("www-authenticate").is_some());
    for path in ["/k", "/-/metrics", "/-/redis/get/k", "/-/nosuch"] {
        assert_eq!(site.ask(&format!("GET {path}"), "", "").status, 401, "{path}");
        let wrong = site.ask(&format!("GET {path}"), "Authorization: Bearer wrong\r\n", "");
        assert_eq!(wrong.status, 401, "{path}");
    }
    for path in ["/-/health", "/-/ready"] {
        assert_eq!(site.ask(&format!("GET {path}"), "Host: any.example\r\n", "").status, 200, "{path}");
    }
    // default:secret
    for right in ["Bearer token", "Bearer secret", "Basic ZGVmYXVsdDpzZWNyZXQ="] {
        let headers = format!("{JSON}Authorization: {right}\r\n");
        assert_eq!(site.ask("PUT /k", &headers, put).status, 200, "{right}");
    }
    // Who has a token may write with GET, as Upstash's users do.
    let answer = site.ask("GET /-/redis/set/k/y", "Authorization: Bearer token\r\nHost: any.example\r\n", "");
    assert_eq!(answer.body, r#"{"result":"OK"}"#);
    // The body is not waited for.
    let mut http = site.http();
    http.raw(
        b"PUT /k HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{",
    );
    assert_eq!(http.read(false).unwrap().status, 401);
}

#[test]
fn pages_of_other_sites_get_nothing() {
    let site = Site::start(&[]);
    for headers in [
        "Host: evil.example\r\n",
        "Origin: http://evil.example\r\n",
        "Origin: null\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
    ] {
        for request in
            ["GET /k", "PUT /k", "DELETE /k", "GET /-/redis/flushall", "GET /-/metrics", "OPTIONS /k"]
        {
            let answer = site.ask(request, &format!("{headers}{JSON}"), "");
            assert_eq!(answer.status, 403, "{request} {headers}");
            assert_eq!(answer.header("access-control-allow-origin"), None);
        }
    }
    let origin = format!("Origin: http://localhost:{0}\r\nHost: localhost:{0}\r\n{JSON}", site.port);
    assert_eq!(site.ask("PUT /k", &origin, r#"{"value": "x"}"#).status, 200);
}

#[test]
fn slow_and_endless_requests_are_cut() {
    let site = Site::start(&["--http-timeout", "1", "--http-max-body", "4096"]);
    let within = |began: Instant| began.elapsed() < Duration::from_secs(8);
    let head = "PUT /k HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let began = Instant::now();
    // A head that does not end, an idle connection, a body that does not come.
    let mut slow_head = site.http();
    slow_head.raw(b"GET /k HTTP/1.1\r\nHost: loc");
    let mut idle = site.http();
    idle.ask("GET /k", "", "");
    let mut slow_body = site.http();
    slow_body.raw(format!("{head}Content-Length: 100\r\n\r\n{{").as_bytes());
    assert_eq!(slow_body.read(false).unwrap().status, 408);
    assert!(slow_body.is_closed() && slow_head.is_closed() && idle.is_closed());
    assert!(within(began), "{:?}", began.elapsed());
    // Too long: announced, and in chunks that tell nothing beforehand.
    let mut long = site.http();
    long.raw(format!("{head}Content-Length: 4097\r\n\r\n").as_bytes());
    assert_eq!(long.read(false).unwrap().status, 413);
    let mut chunked = site.http();
    let chunk = format!("400\r\n{}\r\n", "x".repeat(0x400));
    chunked.raw(format!("{head}Transfer-Encoding: chunked\r\n\r\n{}", chunk.repeat(5)).as_bytes());
    assert_eq!(chunked.read(false).unwrap().status, 413);
    // Somebody who does not read what he asked for.
    let mut redis = site.server.client();
    redis.try_call(&["SETRANGE", "large", "8000000", "x"]).unwrap();
    let mut deaf = site.http();
    for _ in 0..20 {
        deaf.raw(b"GET /-/redis/get/large HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    let began = Instant::now();
    while redis.call("CLIENT LIST").text().lines().count() > 1 {
        assert!(within(began), "{}", redis.call("CLIENT LIST").text());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_chunked_request_is_the_last_of_its_connection() {
    let site = Site::start(&[]);
    let mut http = site.http();
    let body = r#"{"value": "x"}"#;
    // What another server in front might take for the body ends earlier: the rest must not be run.
    http.raw(
        format!(
            "PUT /k HTTP/1.1\r\nHost: localhost\r\n{JSON}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n\
             {:x}\r\n{body}\r\n0\r\n\r\nDELETE /k HTTP/1.1\r\nHost: localhost\r\n\r\n",
            body.len()
        )
        .as_bytes(),
    );
    let answer = http.read(false).unwrap();
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    assert!(http.is_closed());
    assert_eq!(site.ask("GET /k", "", "").status, 200);
}

#[test]
fn health_needs_no_host_where_the_protocol_has_none() {
    for arguments in [&[][..], &["--requirepass", "secret"]] {
        let site = Site::start(arguments);
        for (line, status) in [
            ("GET /-/health HTTP/1.0", 200),
            ("HEAD /-/health HTTP/1.0", 200),
            ("GET /-/ready HTTP/1.0", 200),
            ("GET /-/health HTTP/1.1", 400),
            ("GET /-/metrics HTTP/1.0", 400),
            ("GET /k HTTP/1.0", 400),
        ] {
            let mut http = site.http();
            http.raw(format!("{line}\r\n\r\n").as_bytes());
            assert_eq!(http.read(line.starts_with("HEAD")).unwrap().status, status, "{line}");
        }
        let mut http = site.http();
        http.raw(b"GET /-/health HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n");
        assert_eq!(http.read(false).unwrap().status, 400);
    }
}

/// What no well-meaning client sends.
fn hostile() -> Vec<Vec<u8>> {
    let mut cases: Vec<Vec<u8>> = Vec::new();
    let lines = [
        "",
        "GET",
        "GET /",
        "GET / HTTP/9.9",
        "GET / HTTP/2.0",
        "GET /k HTTP/1.1 x",
        "GET  /k HTTP/1.1",
        "G\u{0}T /k HTTP/1.1",
        "GET /\u{1}k HTTP/1.1",
        "GET k HTTP/1.1",
        "GET http:// HTTP/1.1",
        "GET http://evil.example/ HTTP/1.1",
        "CONNECT evil.example:80 HTTP/1.1",
        "CONNECT / HTTP/1.1",
        "TRACE /k HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "PRI * HTTP/2.0",
        "*1 $4 PING",
        "SET k v",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}",
        "get /k HTTP/1.1",
        "PATCH /k HTTP/1.1",
        "PROPFIND /k HTTP/1.1",
        "GET /%00%zz HTTP/1.1",
        "GET /% HTTP/1.1",
        "GET /-/../etc/passwd HTTP/1.1",
        "GET /-/%2e%2e/ HTTP/1.1",
        "GET /-/redis/%zz HTTP/1.1",
        "GET /-/redis/ HTTP/1.1",
        "GET /-/redis/shutdown HTTP/1.1",
        "GET /-/redis/flushall HTTP/1.1",
        "GET /-/redis/debug/segfault HTTP/1.1",
    ];
    cases.extend(lines.map(|line| format!("{line}\r\nHost: localhost\r\n\r\n").into_bytes()));
    let headers = [
        "",
        "Host: a\r\nHost: b\r\n",
        "Host: evil.example\r\n",
        "Host : localhost\r\n",
        " Host: localhost\r\n",
        "Host: localhost\r\n folded: x\r\n",
        "Host: localhost\r\nno colon\r\n",
        "Host: localhost\r\n: no name\r\n",
        "Host: localhost\r\nX: a\u{0}b\r\n",
        "Host: localhost\r\nX\u{0}: b\r\n",
        "Host: localhost\r\nContent-Length: -1\r\n",
        "Host: localhost\r\nContent-Length: +5\r\n",
        "Host: localhost\r\nContent-Length: 5, 6\r\n",
        "Host: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
        "Host: localhost\r\nContent-Length: 18446744073709551615\r\n",
        "Host: localhost\r\nContent-Length: 99999999999999999999\r\n",
        "Host: localhost\r\nContent-Length: 0x10\r\n",
        "Host: localhost\r\nTransfer-Encoding: chunked, identity\r\n",
        "Host: localhost\r\nTransfer-Encoding: gzip\r\n",
        "Host: localhost\r\nTransfer-Encoding: xchunked\r\n",
        "Host: localhost\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Host: localhost\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n",
        "Host: localhost\r\nExpect: the-unexpected\r\n",
        "Host: localhost\r\nOrigin: http://evil.example\r\n",
        "Host: localhost\r\nOrigin: null\r\n",
        "Host: localhost\r\nSec-Fetch-Site: cross-site\r\n",
        "Host: localhost\r\nContent-Type: text/plain\r\n",
        "Host: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n",
        "Host: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n",
        "Host: localhost\r\nContent-Encoding: gzip\r\n",
    ];
    cases.extend(headers.map(|headers| format!("PUT /k HTTP/1.1\r\n{headers}\r\n").into_bytes()));
    cases.push(
        [b"GET /k HTTP/1.1\r\nHost: localhost\r\n".as_slice(), &b"X: y\r\n".repeat(500), b"\r\n"].concat(),
    );
    cases.push(
        format!("GET /k HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "y".repeat(1 << 20)).into_bytes(),
    );
    cases.push(format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "k".repeat(1 << 20)).into_bytes());
    let chunks = [
        "zz\r\n",
        "-1\r\n",
        "fffffffffffffffff\r\n",
        "1\r\nxx\r\n",
        "5;\n\r\n",
        "2\r\n{}\r\n0\r\nX: y\r\n\r\n",
    ];
    cases.extend(chunks.map(|chunk| {
        format!("PUT /k HTTP/1.1\r\nHost: localhost\r\n{JSON}Transfer-Encoding: chunked\r\n\r\n{chunk}")
            .into_bytes()
    }));
    let long_number = format!("{{\"value\": {}}}", "9".repeat(100_000));
    let deep = "[".repeat(200_000);
    let deep_object = "{\"value\":".repeat(50_000);
    let bodies = [
        "",
        "{",
        "}",
        "[]",
        "null",
        "1",
        "\"\"",
        "{}",
        "{\"value\"}",
        "{\"value\":}",
        "{\"value\": nul}",
        "{'value': 'x'}",
        "{\"value\": \"\\ud800\"}",
        "{\"value\": \"\\x\"}",
        "{\"value\": \"a\nb\"}",
        "{\"value\": \"x\"",
        "{\"value\": [}",
        "{\"value\": \"x\"},",
        "{\"value\": 0x10}",
        "{\"value\": NaN}",
        "{\"value\": +1}",
        "{\"value\": .5}",
        "\u{feff}{\"value\": \"x\"}",
        "{\"value\": true}",
        "<xml/>",
        "value=x",
        &deep,
        &deep_object,
    ];
    let put = |path: &str, body: &[u8]| {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\n{JSON}Content-Length: {}\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), body].concat()
    };
    cases.extend(bodies.map(|body| put("/k", body.as_bytes())));
    cases.push(put("/k", b"{\"value\": \"\xff\"}"));
    cases.push(put("/k", b"\0\0\0\0"));
    for path in ["/-/redis", "/-/redis/pipeline", "/-/redis/multi-exec"] {
        for body in [
            "",
            "[",
            "{}",
            "null",
            "[null]",
            "[{}]",
            "[[[]]]",
            "[[\"GET\", null]]",
            "[[]]",
            "[\"\\ud800\"]",
            &deep,
            long_number.as_str(),
        ] {
            cases.push(put(path, body.as_bytes()));
        }
    }
    cases.push(put("/-/redis", b"[\"SUBSCRIBE\",\"c\"]"));
    cases.push(put("/-/redis", b"[\"\\r\\nFLUSHALL\\r\\n\"]"));
    cases.push(put("/-/redis/multi-exec", b"[[\"MULTI\"]]"));
    cases
}

#[test]
fn hostile_requests_are_answered_and_cost_nothing() {
    let mut site = Site::start(&["--http-timeout", "2"]);
    let cases = hostile();
    assert!(cases.len() >= 120, "{}", cases.len());
    let round = |site: &Site| {
        let mut answered = 0;
        for case in &cases {
            let mut http = site.http();
            http.stream.get_ref().set_read_timeout(Some(PATIENCE)).unwrap();
            http.raw(case);
            let mut answer = http.read(false);
            if answer.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
                // It waits for more: there is none.
                let _ = http.stream.get_ref().shutdown(Shutdown::Write);
                answer = http.read(false);
            }
            let shown = String::from_utf8_lossy(&case[..case.len().min(120)]).into_owned();
            match answer {
                Ok(answer) => {
                    assert!((400..500).contains(&answer.status), "{shown}: {answer:?}");
                    answered += 1;
                }
                // A request that never was whole.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    eprintln!("unanswered: {shown:?}")
                }
                // The refusal met the rest of the request.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => eprintln!("reset: {shown:?}"),
                Err(error) => panic!("{shown}: {error}"),
            }
        }
        answered
    };
    assert!(round(&site) >= 120);
    let before = site.server.resident();
    (0..3).for_each(|_| assert!(round(&site) >= 120));
    let grown = site.server.resident().saturating_sub(before);
    assert!(grown < 16 << 20, "grown by {grown} bytes");
    assert!(site.server.is_alive());
    assert_eq!(site.ask("GET /-/health", "", "").status, 200);
    assert_eq!(site.server.client().call("DBSIZE").render(), "(integer) 0");
}
