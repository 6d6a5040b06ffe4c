//! The HTTP gateway from outside: the key API, REST for every command, metrics, and what they share with RESP.

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

use std::io::{BufReader, ErrorKind};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use support::client::{Client, Value};
use support::http::{Http, JSON, Site};

const STORED: &str = r#"{"message": "Value stored successfully"}"#;
const DELETED: &str = r#"{"message": "Key deleted successfully"}"#;
const MISSING: &str = r#"{"error": "Key not found"}"#;

#[test]
fn the_key_api_answers_as_its_users_know_it() {
    let site = Site::start(&[]);
    let mut http = site.http();
    for (request, body, status, expected) in [
        ("GET /key_1", "", 404, MISSING),
        ("DELETE /key_1", "", 404, MISSING),
        ("POST /key_1", r#"{"value": "value_1"}"#, 200, STORED),
        ("GET /key_1", "", 200, r#"{"value": "value_1"}"#),
        ("PUT /key_1", r#"{"value":"Grüße\n\"\u0000"}"#, 200, STORED),
        ("GET /key_1", "", 200, r#"{"value": "Grüße\n\"\u0000"}"#),
        ("HEAD /key_1", "", 200, ""),
        ("HEAD /key_2", "", 404, ""),
        ("PUT /number", r#"{"value": 1.50}"#, 200, STORED),
        ("GET /number", "", 200, r#"{"value": "1.50"}"#),
        ("PUT /big", r#"{"value": 123456789012345678901234567890}"#, 200, STORED),
        ("GET /big", "", 200, r#"{"value": "123456789012345678901234567890"}"#),
        ("PUT /", r#"{"value": "x"}"#, 400, "The path names no key"),
        ("PUT /a/b%20c+d%FF", r#"{"value": "x", "more": [1]}"#, 200, STORED),
        ("GET /a%2Fb%20c+d%ff", "", 200, r#"{"value": "x"}"#),
        ("GET /%zz", "", 400, "two hexadecimal digits"),
        ("PUT /metrics", r#"{"value": "a key like any other"}"#, 200, STORED),
        ("GET /metrics", "", 200, r#"{"value": "a key like any other"}"#),
        ("PUT /%2D/x", r#"{"value": "x"}"#, 200, STORED),
        ("GET /-/x", "", 404, "no such page"),
        ("GET /-", "", 404, MISSING),
        ("PUT /k?ttl=100", r#"{"value": "x"}"#, 200, STORED),
        ("PUT /k?ttl=0", r#"{"value": "x"}"#, 400, "whole number of seconds"),
        ("PUT /k?ttl=1.5", r#"{"value": "x"}"#, 400, "whole number of seconds"),
        ("PUT /k?ttl", r#"{"value": "x"}"#, 400, "whole number of seconds"),
        ("PUT /k?ttl=9223372036854775807", r#"{"value": "x"}"#, 400, "invalid expire time"),
        ("PUT /k?tll=5", r#"{"value": "x"}"#, 400, "no parameter tll"),
        ("PUT /k", "{", 400, r#"such as {\"value\": \"text\"}"#),
        ("PUT /k", "[1]", 400, r#"such as {\"value\": \"text\"}"#),
        ("PUT /k", r#"{"valu": "x"}"#, 400, r#"no \"value\""#),
        ("PUT /k", r#"{"value": {"a": 1}}"#, 400, "send other JSON as its text"),
        ("PUT /k", r#"{"value": null}"#, 400, "send other JSON as its text"),
        ("PATCH /k", "", 405, "GET, HEAD, PUT, POST, DELETE"),
    ] {
        let headers = if body.is_empty() { "" } else { JSON };
        let answer = http.ask(request, headers, body);
        assert_eq!(answer.status, status, "{request} {body}: {answer:?}");
        match status {
            200 | 404 if !expected.starts_with("no ") => assert_eq!(answer.body, expected, "{request}"),
            _ => {
                assert!(answer.body.contains(expected), "{request} {body}: {answer:?}");
                assert!(answer.json()["error"].is_string(), "{request} {body}: {answer:?}");
            }
        }
        assert_eq!(answer.header("content-type"), Some("application/json"), "{request}");
        if answer.header("connection") == Some("close") {
            http = site.http();
        }
    }
    assert_eq!(http.ask("DELETE /key_1", "", "").body, DELETED);
    assert_eq!(http.ask("GET /key_1", "", "").body, MISSING);
    let mut redis = site.server.client();
    assert_eq!(redis.call("TTL k").render(), "(integer) 100");
    assert_eq!(redis.try_call(&[b"GET".as_slice(), b"a/b c+d\xff"]).unwrap().text(), "x");
    assert_eq!(redis.call("GET -/x").text(), "x");
}

#[test]
fn what_json_cannot_say_is_refused_with_advice() {
    let site = Site::start(&[]);
    let mut redis = site.server.client();
    redis.try_call(&[b"SET".as_slice(), b"bytes", b"\xff\xfe"]).unwrap();
    let answer = site.ask("GET /bytes", "", "");
    assert_eq!(answer.status, 406);
    assert!(answer.body.contains("base64"), "{answer:?}");
    let answer = site.ask("GET /-/redis/get/bytes", "Upstash-Encoding: base64\r\n", "");
    assert_eq!(answer.body, r#"{"result":"//4="}"#);
    let answer = site.ask("PUT /k", "Content-Type: text/plain\r\n", "{\"value\": \"x\"}");
    assert_eq!(answer.status, 415);
    let answer = site.ask("PUT /k", "", "{\"value\": \"x\"}");
    assert_eq!(answer.status, 415);
    let answer =
        site.ask("PUT /k", "Content-Type: application/json; charset=utf-8\r\n", "{\"value\": \"x\"}");
    assert_eq!(answer.status, 200);
    let long = "k".repeat(20_000);
    assert_eq!(site.ask(&format!("GET /{long}"), "", "").status, 414);
    let longer = "k".repeat(100_000);
    assert!((400..500).contains(&site.ask(&format!("GET /{longer}"), "", "").status));
}

#[test]
fn both_sides_share_one_data_set_and_transactions_notice() {
    let site = Site::start(&[]);
    let mut redis = site.server.client();
    let mut http = site.http();
    assert_eq!(redis.call("SET a from-redis").text(), "OK");
    assert_eq!(http.ask("GET /a", "", "").body, r#"{"value": "from-redis"}"#);
    http.ask("PUT /b", JSON, r#"{"value": "from-http"}"#);
    assert_eq!(redis.call("GET b").text(), "from-http");
    redis.call("WATCH b");
    http.ask("PUT /b", JSON, r#"{"value": "again"}"#);
    redis.call("MULTI");
    redis.call("SET b mine");
    assert_eq!(redis.call("EXEC"), Value::Nil);
    assert_eq!(redis.call("GET b").text(), "again");
    let line = redis.call("CLIENT LIST").text();
    assert_eq!(line.lines().count(), 2, "{line}");
    let stats = redis.call("INFO commandstats").text();
    assert!(stats.contains("cmdstat_set:calls=3,"), "{stats}");
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    for fsync in ["everysec", "always"] {
        let mut site = Site::start(&["--appendfsync", fsync]);
        let mut http = site.http();
        for index in 0..50 {
            let answer = http.ask(&format!("PUT /{index}"), JSON, &json!({"value": index}).to_string());
            assert_eq!(answer.status, 200);
        }
        site.server.kill9();
        site.server.start_again();
        for index in 0..50 {
            let answer = site.ask(&format!("GET /{index}"), "", "");
            assert_eq!(answer.json()["value"], json!(index.to_string()), "{fsync}");
        }
    }
}

#[test]
fn rest_runs_every_command() {
    let site = Site::start(&[]);
    for (command, expected) in [
        (json!(["SET", "k", "v"]), json!({"result": "OK"})),
        (json!(["GET", "k"]), json!({"result": "v"})),
        (json!(["GET", "none"]), json!({"result": null})),
        (json!(["MGET", "k", "none"]), json!({"result": ["v", null]})),
        (json!(["INCRBY", "n", 41]), json!({"result": 41})),
        (json!(["INCRBYFLOAT", "n", 0.5]), json!({"result": "41.5"})),
        (json!(["PING"]), json!({"result": "PONG"})),
        (json!(["SET", "k", "x", "NX"]), json!({"result": null})),
        (json!(["SAVE"]), json!({"result": "OK"})),
        (json!(["INCR", "k"]), json!({"error": "ERR value is not an integer or out of range"})),
        (json!(["GET"]), json!({"error": "ERR wrong number of arguments for 'get' command"})),
        (json!(["POST"]), json!({"error": "ERR the command gave no reply"})),
    ] {
        assert_eq!(site.rest(command.clone()), expected, "{command}");
    }
    for forbidden in
        [json!(["MULTI"]), json!(["SUBSCRIBE", "c"]), json!(["CLIENT", "REPLY", "OFF"]), json!(["MONITOR"])]
    {
        let error = site.rest(forbidden.clone());
        if error["error"].as_str().is_some_and(|text| text.contains("unknown command")) {
            continue;
        }
        assert!(error["error"].as_str().unwrap().contains("needs a connection"), "{forbidden}: {error}");
    }
    let unknown = site.rest(json!(["NOSUCH", "x"]));
    assert!(unknown["error"].as_str().unwrap().starts_with("ERR unknown command 'NOSUCH'"), "{unknown}");
    assert_eq!(site.ask("POST /-/redis", JSON, "[\"GET\"]").status, 400);
    // SELECT lasts for its request.
    assert_eq!(site.rest(json!(["SELECT", 3])), json!({"result": "OK"}));
    assert_eq!(site.rest(json!(["GET", "k"])), json!({"result": "v"}));
}

#[test]
fn rest_by_path_takes_words_from_path_body_and_parameters() {
    let site = Site::start(&[]);
    let mut http = site.http();
    let bytes = "Content-Type: application/octet-stream\r\n";
    for (request, headers, body, status, expected) in [
        ("POST /-/redis/set/a%2Fb/x%20y", "", "", 200, r#"{"result":"OK"}"#),
        ("GET /-/redis/get/a%2Fb", "", "", 200, r#"{"result":"x y"}"#),
        ("POST /-/redis/set/k?EX=100&NX", bytes, "the value / as it is", 200, r#"{"result":"OK"}"#),
        ("GET /-/redis/get/k", "", "", 200, r#"{"result":"the value / as it is"}"#),
        ("GET /-/redis/ttl/k", "", "", 200, r#"{"result":100}"#),
        (
            "GET /-/redis/get/k",
            "Upstash-Encoding: base64\r\n",
            "",
            200,
            r#"{"result":"dGhlIHZhbHVlIC8gYXMgaXQgaXM="}"#,
        ),
        ("GET /-/redis/set/k/x", "", "", 405, r#"{"error": "This path takes only POST"}"#),
        ("GET /-/redis/nosuch", "", "", 400, "unknown command"),
        ("DELETE /-/redis/get/k", "", "", 405, "GET, HEAD, POST"),
        ("POST /-/redis/set/k", "Content-Type: text/plain\r\n", "x", 415, "application/octet-stream"),
        ("GET /-/redis", "", "", 405, "only POST"),
        ("GET /-/redis/pipeline", "", "", 405, "only POST"),
        ("GET /-/redis/get/%f", "", "", 400, "two hexadecimal digits"),
    ] {
        let answer = http.ask(request, headers, body);
        assert_eq!(answer.status, status, "{request}: {answer:?}");
        assert!(answer.body.contains(expected), "{request}: {answer:?}");
        if answer.header("connection") == Some("close") {
            http = site.http();
        }
    }
}

#[test]
fn a_pipeline_answers_each_command_and_a_transaction_all_or_none() {
    let site = Site::start(&[]);
    let post = |path: &str, body: Json| site.ask(&format!("POST {path}"), JSON, &body.to_string());
    let answer =
        post("/-/redis/pipeline", json!([["SET", "a", "x"], ["INCR", "a"], ["NOSUCH"], ["GET", "a"]]));
    assert_eq!(answer.status, 200);
    let found = answer.json();
    assert_eq!(found[0], json!({"result": "OK"}));
    assert_eq!(found[1], json!({"error": "ERR value is not an integer or out of range"}));
    assert!(found[2]["error"].is_string());
    assert_eq!(found[3], json!({"result": "x"}));
    assert_eq!(post("/-/redis/pipeline", json!([])).json(), json!([]));
    // Longer than a turn.
    let many: Vec<Json> = (0..1000).map(|_| json!(["INCR", "many"])).collect();
    let found = post("/-/redis/pipeline", json!(many)).json();
    assert_eq!(found.as_array().unwrap().len(), 1000);
    assert_eq!(found[999], json!({"result": 1000}));

    let answer =
        post("/-/redis/multi-exec", json!([["SET", "b", 1], ["INCR", "b"], ["INCR", "a"], ["GET", "b"]]));
    let error = json!({"error": "ERR value is not an integer or out of range"});
    let expected = json!([{"result": "OK"}, {"result": 2}, error, {"result": "2"}]);
    assert_eq!((answer.status, answer.json()), (200, expected));
    let answer = post("/-/redis/multi-exec", json!([["SET", "b", "lost"], ["NOSUCH"]]));
    assert_eq!(answer.status, 400);
    let text = answer.json()["error"].as_str().unwrap().to_owned();
    assert!(text.starts_with("EXECABORT") && text.contains("NOSUCH"), "{text}");
    assert_eq!(site.rest(json!(["GET", "b"])), json!({"result": "2"}));
    assert_eq!(post("/-/redis/multi-exec", json!([["EXEC"]])).status, 400);
    assert_eq!(post("/-/redis/multi-exec", json!([["SET", "b", "x"], ["WATCH", "a"]])).status, 400);
    assert_eq!(post("/-/redis/multi-exec", json!([])).json(), json!([]));
    for broken in ["", "{}", "[1]", "[[]]", "[[\"GET\", []]]", "[[\"GET\"]"] {
        assert_eq!(site.ask("POST /-/redis/pipeline", JSON, broken).status, 400, "{broken}");
    }
}

#[test]
fn a_pause_holds_http_and_a_kill_ends_a_sleeper() {
    let site = Site::start(&[]);
    let mut redis = site.server.client();
    redis.call("CLIENT PAUSE 400 WRITE");
    let began = Instant::now();
    let mut http = site.http();
    assert_eq!(http.ask("GET /k", "", "").status, 404);
    assert!(began.elapsed() < Duration::from_millis(300));
    assert_eq!(http.ask("PUT /k", JSON, r#"{"value": "x"}"#).status, 200);
    assert!(began.elapsed() >= Duration::from_millis(350), "{:?}", began.elapsed());

    redis.call("CLIENT PAUSE 60000 ALL");
    http.send("PUT /k", JSON, r#"{"value": "never"}"#);
    std::thread::sleep(Duration::from_millis(200));
    let address = http.stream.get_ref().local_addr().unwrap();
    assert_eq!(redis.call(&format!("CLIENT KILL {address}")).text(), "OK");
    assert!(http.is_closed());
    redis.call("CLIENT UNPAUSE");
    assert_eq!(redis.call("GET k").text(), "x");
    assert_eq!(redis.call("CLIENT LIST").text().lines().count(), 1);
}

#[test]
fn who_goes_away_in_a_blocking_command_takes_nothing_with_him() {
    let site = Site::start(&[]);
    let mut redis = site.server.client();
    // Bytes of a next request keep the server from reading on: in one piece with the first, and by themselves.
    for (together, later) in [("", ""), ("G", ""), ("", "G"), ("G", "ET /k HTTP/1.1\r\n")] {
        let mut http = site.http();
        let body = json!(["blpop", "leak", 0]).to_string();
        let head =
            format!("POST /-/redis HTTP/1.1\r\nHost: localhost\r\n{JSON}Content-Length: {}", body.len());
        http.raw(format!("{head}\r\n\r\n{body}{together}").as_bytes());
        until(&mut redis, "blocked_clients:1");
        http.raw(later.as_bytes());
        drop(http);
        until(&mut redis, "blocked_clients:0");
        until(&mut redis, "connected_clients:1");
        assert_eq!(redis.call("RPUSH leak x").render(), "(integer) 1");
        assert_eq!(redis.call("LPOP leak").text(), "x", "{together:?} {later:?}");
    }
    // Who stays is served, also when he sends on.
    let mut http = site.http();
    http.send("POST /-/redis", JSON, "[\"blpop\", \"leak\", 0]");
    http.send("GET /k", "", "");
    until(&mut redis, "blocked_clients:1");
    redis.call("RPUSH leak y");
    assert_eq!(http.read(false).unwrap().json(), json!({"result": ["leak", "y"]}));
    assert_eq!(http.read(false).unwrap().status, 404);
}

/// Waits until a line of INFO clients is this.
fn until(redis: &mut Client, line: &str) {
    let began = Instant::now();
    while !redis.call("INFO clients").text().lines().any(|found| found == line) {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "no {line}: {}",
            redis.call("INFO clients").text()
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn an_answer_stays_below_the_limit_of_normal_clients() {
    let site = Site::start(&[]);
    let mut redis = site.server.client();
    redis.try_call(&["CONFIG", "SET", "client-output-buffer-limit", "normal 100000 0 0"]).unwrap();
    redis.try_call(&["SET", "a", &"x".repeat(40_000)]).unwrap();
    redis.try_call(&["SET", "long", &"x".repeat(100_000)]).unwrap();
    // A byte that JSON writes as six.
    redis.try_call(&["SET", "control", &"\u{1}".repeat(20_000)]).unwrap();
    let get = |key: &str| json!(["GET", key]);
    for (path, body, status) in [
        ("", get("a"), 200),
        ("", get("long"), 413),
        ("", get("control"), 413),
        ("", json!(["MGET", "a", "a", "a"]), 413),
        ("/pipeline", json!([get("a"), get("a")]), 200),
        ("/pipeline", json!([["INCR", "before"], get("a"), get("a"), get("a"), ["INCR", "after"]]), 413),
        ("/pipeline", json!([get("control")]), 413),
        ("/multi-exec", json!([get("a"), get("a")]), 200),
        ("/multi-exec", json!([["INCR", "before"], get("long")]), 413),
        ("/multi-exec", json!(vec![["INCR", "queued"]; 15_000]), 413),
    ] {
        let answer = site.ask(&format!("POST /-/redis{path}"), JSON, &body.to_string());
        assert_eq!(answer.status, status, "{path} {}", &answer.body[..answer.body.len().min(300)]);
        if status == 413 {
            let text = answer.json()["error"].as_str().unwrap().to_owned();
            assert!(text.contains("client-output-buffer-limit"), "{text}");
            // Only its JSON is too long.
            let whole = body.to_string().contains("control");
            assert_eq!(text.contains("All commands"), whole, "{text}");
        }
    }
    assert_eq!(site.ask("GET /long", "", "").status, 413);
    assert_eq!(redis.call("MGET before after queued").render(), "1) \"2\"\n2) (nil)\n3) \"15000\"");
    redis.try_call(&["CONFIG", "SET", "client-output-buffer-limit", "normal 0 0 0"]).unwrap();
    assert_eq!(site.ask("GET /long", "", "").status, 200);
}

#[test]
fn a_long_answer_does_not_hold_up_those_of_others() {
    let site = Site::start(&[]);
    let mut redis = site.server.client();
    redis.try_call(&["SET", "big", &"x".repeat(1 << 20)]).unwrap();
    redis.try_call(&["CONFIG", "SET", "client-output-buffer-limit", "normal 0 0 0"]).unwrap();
    let mut other = site.http();
    // Many replies, and one of many elements.
    for (path, body) in [
        ("POST /-/redis/pipeline", json!(vec![["GET", "big"]; 40])),
        ("POST /-/redis", json!([vec!["MGET"], vec!["big"; 40]].concat())),
    ] {
        let mut long = site.http();
        redis.call("CONFIG RESETSTAT");
        long.send(path, JSON, &body.to_string());
        let began = Instant::now();
        while !redis.call("INFO commandstats").text().contains("get:calls=") {
            assert!(began.elapsed() < Duration::from_secs(10));
        }
        assert_eq!(other.ask("GET /-/health", "", "").status, 200);
        let stream = long.stream.get_ref();
        stream.set_nonblocking(true).unwrap();
        let begun = stream.peek(&mut [0]);
        assert!(
            begun.is_err_and(|error| error.kind() == ErrorKind::WouldBlock),
            "{path}: it was there first"
        );
        stream.set_nonblocking(false).unwrap();
        let answer = long.read(false).unwrap();
        assert_eq!(answer.status, 200);
        assert!(answer.body.len() > 40 << 20);
    }
}

#[test]
fn random_commands_differ_from_request_to_request() {
    let site = Site::start(&[]);
    site.server.client().call("DEBUG POPULATE 1000");
    let mut http = site.http();
    let mut keys: Vec<String> = (0..20).map(|_| http.ask("GET /-/redis/randomkey", "", "").body).collect();
    keys.sort();
    keys.dedup();
    assert!(keys.len() > 10, "{keys:?}");
}

#[test]
fn pages_that_only_tell_say_so_to_whoever_writes() {
    let site = Site::start(&[]);
    for path in ["/-/health", "/-/ready", "/-/metrics"] {
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            let answer = site.ask(&format!("{method} {path}"), "", "");
            assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")), "{method} {path}");
            assert_eq!(answer.json(), json!({"error": "This path takes only GET, HEAD"}), "{method} {path}");
            assert_eq!(answer.header("content-type"), Some("application/json"), "{method} {path}");
        }
        let mut http = site.http();
        assert_eq!(http.ask(&format!("HEAD {path}"), "", "").status, 200);
        assert_eq!(http.ask(&format!("GET {path}"), "", "").status, 200);
    }
}

#[test]
fn metrics_tell_what_info_tells_in_a_form_that_prometheus_reads() {
    let site = Site::start(&[]);
    let mut redis = site.server.client();
    for index in 0..10 {
        redis.call(&format!("SET key:{index} x"));
    }
    redis.call("INCR key:0");
    redis.call("NOSUCH");
    site.ask("GET /key:1", "", "");
    let answer = site.ask("GET /-/metrics", "", "");
    assert_eq!(answer.status, 200);
    assert!(
        answer.header("content-type").unwrap().starts_with("application/openmetrics-text; version=1.0.0")
    );
    assert!(answer.body.ends_with("\n# EOF\n"));
    let found = samples(&answer.body);
    let value = |name: &str| *found.get(name).unwrap_or_else(|| panic!("no {name} in\n{}", answer.body));
    for (name, expected) in [
        ("pinstripe_keys{db=\"db0\"}", 10.0),
        ("pinstripe_commands_total{command=\"set\"}", 10.0),
        ("pinstripe_commands_total{command=\"get\"}", 1.0),
        ("pinstripe_command_failures_total{command=\"incr\"}", 1.0),
        ("pinstripe_errors_total{prefix=\"ERR\"}", 2.0),
        ("pinstripe_keyspace_hits_total", 1.0),
        ("pinstripe_connected_clients", 2.0),
        ("pinstripe_log_records_total", 10.0),
        ("pinstripe_command_duration_seconds_count{command=\"set\"}", 10.0),
        ("pinstripe_command_duration_seconds_bucket{le=\"+Inf\",command=\"set\"}", 10.0),
        ("pinstripe_worker_commands_total{worker=\"http\"}", 1.0),
        ("pinstripe_loading", 0.0),
        ("pinstripe_log_healthy", 1.0),
        ("pinstripe_loaded_keys", 0.0),
    ] {
        assert_eq!(value(name), expected, "{name}");
    }
    assert!(value("pinstripe_log_flush_duration_seconds_count") >= 1.0);
    assert!(value("pinstripe_memory_resident_bytes") > 1e6);
}

/// Samples by name and labels. Every one belongs to a family that was announced just before; the buckets of a histogram
/// only grow, up to its count.
fn samples(page: &str) -> std::collections::BTreeMap<String, f64> {
    let mut found = std::collections::BTreeMap::new();
    let mut families = std::collections::BTreeSet::new();
    let (mut family, mut kind) = (String::new(), String::new());
    let mut bucket: Option<f64> = None;
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# ") {
            if let Some(rest) = rest.strip_prefix("TYPE ") {
                let (name, found_kind) = rest.split_once(' ').unwrap();
                assert!(families.insert(name.to_owned()), "{name} is there twice");
                (family, kind) = (name.to_owned(), found_kind.to_owned());
            }
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap();
        let value: f64 = value.parse().unwrap_or_else(|error| panic!("{error}: {line}"));
        let suffix = name.split('{').next().unwrap().strip_prefix(&family);
        let suffixes: &[&str] = match kind.as_str() {
            "counter" => &["_total"],
            "gauge" => &[""],
            "histogram" => &["_sum", "_count", "_bucket"],
            other => panic!("{other}"),
        };
        assert!(suffix.is_some_and(|suffix| suffixes.contains(&suffix)), "{line} in {family}");
        if suffix == Some("_bucket") {
            assert!(value >= bucket.unwrap_or(0.0), "{line}");
            bucket = Some(value).filter(|_| !line.contains("+Inf"));
        }
        assert_eq!(found.insert(name.to_owned(), value), None, "{line}");
    }
    found
}

#[test]
fn readiness_comes_with_the_data() {
    let mut site = Site::start(&[]);
    site.server.client().call("DEBUG POPULATE 300000");
    site.server.client().call("BGREWRITEAOF");
    site.server.kill9();
    // The gateway is there before the data is, and says so.
    std::thread::scope(|scope| {
        let port = site.port;
        let watcher = scope.spawn(move || {
            let began = Instant::now();
            let mut seen = Vec::new();
            while seen.last() != Some(&200) && began.elapsed() < Duration::from_secs(20) {
                let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let mut http = Http { stream: BufReader::new(stream) };
                http.send("GET /-/ready", "", "");
                if let Ok(answer) = http.read(false) {
                    seen.push(answer.status);
                }
            }
            seen
        });
        site.server.start_again();
        let seen = watcher.join().unwrap();
        assert_eq!((seen.first(), seen.last()), (Some(&503), Some(&200)), "{seen:?}");
        assert!(seen.iter().all(|status| [200, 503].contains(status)), "{seen:?}");
    });
}

#[test]
fn the_operation_log_tells_of_both_sides_and_of_no_password() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("operations.log");
    let mut site = Site::start(&["--operation-log", path.to_str().unwrap(), "--requirepass", "secret"]);
    let token = "Authorization: Bearer secret\r\n";
    site.ask("PUT /key_1", &format!("{JSON}{token}"), r#"{"value": "value_1"}"#);
    site.ask("GET /key_1", token, "");
    let mut redis = site.server.client();
    redis.call("AUTH secret");
    redis.call("MSET a 1 b 2");
    redis.call("CONFIG SET requirepass secret2");
    redis.try_call(&["SET", "line\r\nbreak", "secret-free", "EX", "100"]).unwrap();
    redis.call("INCR nothing here");
    redis.call("SAVE");
    site.ask("DELETE /key_1", "Authorization: Bearer secret2\r\n", "");
    assert!(site.server.terminate().success());
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().map(|line| line.split_once(" - ").unwrap().1).collect();
    let expected = [
        "PUT - Key: key_1, Value: value_1",
        "GET - Key: key_1",
        "PUT - Key: a, Value: 1",
        "PUT - Key: b, Value: 2",
        "PUT - Key: line\\x0d\\x0abreak, Value: secret-free",
        "SAVE: save",
        "DELETE - Key: key_1",
    ];
    assert_eq!(lines, expected);
    let stamp = regex::Regex::new(r"^20\d\d-\d\d-\d\d \d\d:\d\d:\d\d$").unwrap();
    assert!(text.lines().all(|line| stamp.is_match(line.split_once(" - ").unwrap().0)), "{text}");
}
