//! The console from outside: its files and their policy, the live figures, commands that only read, and listening.

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

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pinstripe::command::FAMILIES;
use pinstripe::exec::{Spec, flag};
use regex::Regex;
use serde_json::{Value as Json, json};
use support::http::{Answer, JSON, Site};

/// Runs commands of the console, their words given as text or bytes.
fn run(site: &Site, db: u32, commands: &[&[&[u8]]]) -> Answer {
    let words = |command: &&[&[u8]]| command.iter().map(|word| STANDARD.encode(word)).collect::<Vec<_>>();
    let body = json!(commands.iter().map(words).collect::<Vec<_>>());
    site.ask(&format!("POST /-/console/run?db={db}"), JSON, &body.to_string())
}

fn text(bytes: impl AsRef<[u8]>) -> Json {
    json!({"text": STANDARD.encode(bytes)})
}

#[test]
fn the_page_loads_nothing_but_its_own_files_and_says_so_in_its_policy() {
    let site = Site::start(&[]);
    let named = Regex::new(r#"(?:src|href)="(/[^"]*)"|from "\./([^"]+)"|import "\./([^"]+)""#).unwrap();
    let (mut left, mut seen) = (vec!["/-/".to_owned()], BTreeSet::new());
    while let Some(path) = left.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let answer = site.ask(&format!("GET {path}"), "", "");
        assert_eq!(answer.status, 200, "{path}");
        let policy = answer.header("content-security-policy").unwrap();
        for part in
            ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "trusted-types 'none'"]
        {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        let media = answer.header("content-type").unwrap();
        let expected =
            [("/", "text/html"), (".js", "text/javascript"), (".css", "text/css"), (".svg", "image/svg+xml")];
        let (_, expected) = expected.iter().find(|(end, _)| path.ends_with(end)).unwrap();
        assert!(media.starts_with(expected), "{path}: {media}");
        // What the policy forbids would be there in vain: script and style within the page, and HTML made of strings.
        for forbidden in [
            " style=\"",
            " onclick",
            "<script>",
            "<style",
            "innerHTML",
            "outerHTML",
            "insertAdjacent",
            "eval(",
        ] {
            assert!(!answer.body.contains(forbidden), "{forbidden} in {path}");
        }
        for found in named.captures_iter(&answer.body) {
            let own = (1..4).find_map(|group| found.get(group)).unwrap().as_str();
            left.push(if own.starts_with('/') { own.to_owned() } else { format!("/-/console/{own}") });
        }
        assert_eq!(site.ask(&format!("HEAD {path}"), "", "").status, 200, "{path}");
        assert_eq!(site.ask(&format!("POST {path}"), JSON, "{}").status, 405, "{path}");
    }
    assert_eq!(seen.len(), 11, "{seen:?}");
    assert_eq!(site.ask("GET /-/console/nosuch.js", "", "").status, 404);
}

#[test]
fn with_a_password_the_files_are_open_and_the_data_is_not() {
    let site = Site::start(&["--requirepass", "secret"]);
    for path in ["/-/", "/-/console/main.js", "/-/console/style.css"] {
        assert_eq!(site.ask(&format!("GET {path}"), "Host: any.example\r\n", "").status, 200, "{path}");
    }
    for request in ["GET /-/console/state", "POST /-/console/run", "POST /-/console/listen"] {
        assert_eq!(site.ask(request, JSON, "").status, 401, "{request}");
        let wrong = format!("{JSON}Authorization: Bearer wrong\r\n");
        assert_eq!(site.ask(request, &wrong, "").status, 401, "{request}");
    }
    let right = "Authorization: Bearer secret\r\n";
    assert_eq!(site.ask("GET /-/console/state", right, "").status, 200);
}

#[test]
fn pages_of_other_sites_reach_neither_figures_nor_commands() {
    let site = Site::start(&[]);
    for headers in
        ["Host: evil.example\r\n", "Origin: http://evil.example\r\n", "Sec-Fetch-Site: cross-site\r\n"]
    {
        for request in ["GET /-/console/state", "POST /-/console/run", "POST /-/console/listen"] {
            let answer = site.ask(request, &format!("{headers}{JSON}"), "[[\"UElORw==\"]]");
            assert_eq!(answer.status, 403, "{request} {headers}");
        }
    }
    // A name that was made to point here gets not even the page.
    assert_eq!(site.ask("GET /-/", "Host: evil.example\r\n", "").status, 403);
    // A form of a page can send a POST, but not of this type.
    let form = "Content-Type: text/plain\r\n";
    assert_eq!(site.ask("POST /-/console/run", form, "[[\"UElORw==\"]]").status, 415);
    assert_eq!(site.ask("POST /-/console/listen", form, "{}").status, 415);
    assert_eq!(site.ask("GET /-/console/run", "", "").status, 405);
    assert_eq!(site.ask("GET /-/console/listen", "", "").status, 405);
    assert_eq!(site.ask("POST /-/console/state", JSON, "{}").status, 405);
}

#[test]
fn the_figures_are_those_of_info() {
    let site = Site::start(&["--slowlog-log-slower-than", "0", "--appendfsync", "always"]);
    let mut redis = site.server.client();
    redis.call("CLIENT SETNAME clerk");
    for index in 0..20 {
        redis.call(&format!("SET key:{index} x EX 100"));
    }
    redis.call("GET key:1");
    redis.call("GET none");
    redis.call("INCR key:1");
    redis.call("SELECT 5");
    redis.try_call(&[b"SET".as_slice(), b"a b\xff", b"x"]).unwrap();
    let state = site.ask("GET /-/console/state", "", "").json();
    assert_eq!(state["server"]["version"], pinstripe::VERSION);
    assert_eq!(state["server"]["databases"], 16);
    assert_eq!(state["server"]["writes"], false);
    let totals = &state["totals"];
    assert_eq!((&totals["hits"], &totals["misses"], &totals["changes"]), (&json!(1), &json!(1), &json!(21)));
    // Who asked before the server was there got an error, too.
    let info = redis.call("INFO stats").text();
    assert!(info.contains(&format!("total_error_replies:{}\r\n", totals["errors"])), "{info}");
    let row = |list: &Json, field: &str, value: Json| {
        list.as_array().unwrap().iter().find(|row| row[field] == value).cloned().unwrap_or_default()
    };
    let set = row(&state["commands"], "name", json!("set"));
    assert_eq!((&set["calls"], &set["errors"]), (&json!(21), &json!(0)));
    assert!(set["p99_ns"].as_u64().unwrap() >= set["p50_ns"].as_u64().unwrap(), "{set}");
    let info = redis.call("INFO commandstats").text();
    assert!(info.contains("cmdstat_set:calls=21,"), "{info}");
    // All latencies that were counted, by bucket.
    let latencies = state["latency"].as_array().unwrap();
    let counted: u64 = latencies.iter().map(|pair| pair[1].as_u64().unwrap()).sum();
    let calls: u64 =
        state["commands"].as_array().unwrap().iter().map(|row| row["calls"].as_u64().unwrap()).sum();
    assert_eq!(counted, calls);
    let db0 = row(&state["databases"], "db", json!(0));
    assert_eq!((&db0["keys"], &db0["expires"]), (&json!(20), &json!(20)));
    assert_eq!(row(&state["databases"], "db", json!(5))["keys"], 1);
    let client = row(&state["clients"]["list"], "name", json!("clerk"));
    assert_eq!((&client["db"], &client["command"]), (&json!(5), &json!("set")));
    let slow = &state["slowlog"]["entries"][0];
    assert_eq!(slow["command"], "SET \"a b\\xff\" x");
    let log = &state["log"];
    assert_eq!((&log["on"], &log["fsync"], &log["records"]), (&json!(true), &json!("always"), &json!(21)));
    assert_eq!((&log["groups"], &log["group_records"]), (&json!(21), &json!(21)));
    let done = row(&state["workers"], "name", json!("worker-0"))["commands"].as_u64().unwrap()
        + row(&state["workers"], "name", json!("worker-1"))["commands"].as_u64().unwrap_or(0);
    assert!(done >= 25, "{}", state["workers"]);
}

#[test]
fn commands_run_in_their_database_with_words_of_any_bytes() {
    let site = Site::start(&["--http-console-writes", "yes"]);
    let answer = run(
        &site,
        3,
        &[
            &[b"SET", b"k\xff", b"\x00v"],
            &[b"GET", b"k\xff"],
            &[b"GET", b"none"],
            &[b"DBSIZE"],
            &[b"NOSUCH"],
            &[b"MGET", b"k\xff", b"none"],
        ],
    );
    assert_eq!(answer.status, 200, "{answer:?}");
    let replies = answer.json();
    assert_eq!(replies[0], json!({"status": "OK"}));
    assert_eq!(replies[1], text(b"\x00v"));
    assert_eq!((&replies[2], &replies[3]), (&Json::Null, &json!(1)));
    assert!(replies[4]["error"].as_str().unwrap().starts_with("ERR unknown command"), "{replies}");
    assert_eq!(replies[5], json!([text(b"\x00v"), null]));
    assert_eq!(site.server.client().call("DBSIZE").render(), "(integer) 0");
    // What needs a connection that stays, a database that is not there, words that are not base64, too many commands.
    assert_eq!(run(&site, 0, &[&[b"MULTI"]]).status, 400);
    assert_eq!(run(&site, 16, &[&[b"PING"]]).status, 400);
    let post = |body: &str| site.ask("POST /-/console/run", JSON, body).status;
    assert_eq!(post("[[\"PING\"]]"), 200);
    for wrong in ["[[\"P!NG\"]]", "[\"UElORw==\"]", "{}", "", "[[]]"] {
        assert_eq!(post(wrong), 400, "{wrong}");
    }
    assert_eq!(post(&json!(vec![["UElORw=="]; 1001]).to_string()), 400);
    assert_eq!(post(&json!(vec![["UElORw=="]; 1000]).to_string()), 200);
}

/// Names of all commands whose rows say that they may change something.
fn changing() -> Vec<Vec<&'static str>> {
    let changes = |spec: &Spec| spec.flags & (flag::WRITE | flag::ADMIN | flag::MAY_REPLICATE) != 0;
    let mut names = Vec::new();
    for spec in FAMILIES.iter().copied().flatten().copied().flatten() {
        if changes(spec) {
            names.push(vec![spec.name]);
        }
        names.extend(spec.subcommands.iter().filter(|sub| changes(sub)).map(|sub| vec![spec.name, sub.name]));
    }
    names
}

#[test]
fn without_leave_to_write_no_command_changes_anything() {
    let mut site = Site::start(&[]);
    let mut redis = site.server.client();
    redis.call("SET k v");
    let changing = changing();
    assert!(changing.len() > 100, "{}", changing.len());
    let find = |name: &str| {
        FAMILIES.iter().copied().flatten().copied().flatten().find(|spec| spec.name == name).copied().unwrap()
    };
    for name in changing {
        let mut spec = find(name[0]);
        if let Some(sub) = name.get(1) {
            spec = *spec.subcommands.iter().find(|known| known.name == *sub).unwrap();
        }
        // As many words as make it complete, in the case that nobody expects.
        let mut words: Vec<Vec<u8>> =
            name.iter().map(|word| word.to_ascii_uppercase().into_bytes()).collect();
        words.resize(words.len().max(spec.arity.unsigned_abs() as usize), b"k".to_vec());
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        // One that only reads before it must not carry it through.
        let answer = run(&site, 0, &[&[b"GET", b"k"], &words]);
        let is_refused = answer.status == 403 && answer.body.contains("only reads");
        assert!(is_refused || answer.body.contains("needs a connection"), "{name:?}: {answer:?}");
    }
    assert_eq!(redis.call("GET k").text(), "v");
    assert!(site.server.is_alive());
    for reads in [&[b"GET".as_slice(), b"k"], &[b"TTL".as_slice(), b"k"], &[b"INFO".as_slice(), b"memory"]] {
        assert_eq!(run(&site, 0, &[reads]).status, 200);
    }
    // The settings decide, at once.
    redis.call("CONFIG SET http-console-writes yes");
    assert_eq!(run(&site, 0, &[&[b"SET", b"k", b"w"]]).json(), json!([{"status": "OK"}]));
    assert_eq!(site.ask("GET /-/console/state", "", "").json()["server"]["writes"], true);
    redis.call("CONFIG SET http-console-writes no");
    assert_eq!(run(&site, 0, &[&[b"SET", b"k", b"x"]]).status, 403);
    assert_eq!(redis.call("GET k").text(), "w");
}

#[test]
fn listening_counts_keys_for_a_second_and_one_page_at_a_time() {
    let site = Site::start(&[]);
    let listen = || site.ask("POST /-/console/listen", JSON, "{}");
    let (heard, refused) = std::thread::scope(|scope| {
        let first = scope.spawn(listen);
        let mut redis = site.server.client();
        std::thread::sleep(Duration::from_millis(200));
        let second = listen();
        for index in 0..30 {
            redis.try_call(&[b"INCR".as_slice(), b"hot\xff\n"]).unwrap();
            redis.call(&format!("GET key:{}", index % 3));
        }
        (first.join().unwrap(), second)
    });
    assert_eq!(refused.status, 409, "{refused:?}");
    let heard = heard.json();
    assert_eq!((&heard["commands"], &heard["keys"], &heard["whole"]), (&json!(60), &json!(4), &json!(true)));
    let hottest = json!({"db": 0, "key": STANDARD.encode(b"hot\xff\n"), "uses": 30, "writes": 30});
    assert_eq!(heard["hottest"][0], hottest);
    assert_eq!(heard["hottest"][1]["uses"], 10);

    // Who goes away in the midst leaves nobody listening.
    let mut http = site.http();
    http.send("POST /-/console/listen", JSON, "{}");
    std::thread::sleep(Duration::from_millis(100));
    drop(http);
    let began = Instant::now();
    while listen().status == 409 {
        assert!(began.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(50));
    }
}
