//! The Grafana dashboard, held against the page of metrics: it must ask for nothing that is not there.

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

use regex::Regex;
use serde_json::Value as Json;
use support::http::{JSON, Site};

const DASHBOARD: &str = include_str!("../dashboards/grafana.json");

/// What the panels' queries are, and the one that fills the choice of instances.
fn queries(board: &Json) -> Vec<String> {
    let panels = board["panels"].as_array().expect("panels");
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let choices = board["templating"]["list"].as_array().expect("choices").iter();
    let texts = targets
        .map(|target| &target["expr"])
        .chain(choices.filter(|choice| choice["type"] == "query").map(|choice| &choice["query"]["query"]));
    texts.map(|text| text.as_str().expect("a query").to_owned()).collect()
}

/// Names of the samples on the page, and the labels that each name has besides those that Prometheus adds.
fn samples(page: &str) -> Vec<(String, BTreeSet<String>)> {
    let label = Regex::new(r#"(\w+)=""#).unwrap();
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, rest) = line.split_at(line.find(['{', ' ']).unwrap());
            (name.to_owned(), label.captures_iter(rest).map(|found| found[1].to_owned()).collect())
        })
        .collect()
}

#[test]
fn the_dashboard_names_only_metrics_and_labels_that_the_page_has() {
    let site = Site::start(&["--appendfsync", "always"]);
    // Errors of all kinds, so that every family has a sample.
    for command in ["SET k v", "INCR k", "GET k x", "NOSUCH", "MULTI", "MULTI"] {
        site.server.client().call(command);
    }
    let answer = site.ask("GET /-/metrics", "", "");
    let there = samples(&answer.body);
    let board: Json = serde_json::from_str(DASHBOARD).expect("a dashboard of JSON");
    let queries = queries(&board);
    assert!(queries.len() > 40, "{}", queries.len());
    let metric = Regex::new(r"\bpinstripe_\w+").unwrap();
    let by = Regex::new(r"by \(([^)]*)\)").unwrap();
    let mut named = BTreeSet::new();
    for query in &queries {
        for found in metric.find_iter(query) {
            let samples: Vec<_> = there.iter().filter(|(name, _)| name == found.as_str()).collect();
            assert!(
                !samples.is_empty(),
                "{} in {query} is not on the page:\n{}",
                found.as_str(),
                answer.body
            );
            for labels in by.captures_iter(query) {
                for label in labels[1].split(", ") {
                    assert!(samples.iter().all(|(_, has)| has.contains(label)), "{label} in {query}");
                }
            }
            named.insert(found.as_str().to_owned());
        }
    }
    // A figure that no panel shows is a gap in the dashboard, or not worth its place on the page.
    let unshown: BTreeSet<_> = there
        .iter()
        .map(|(name, _)| name.clone())
        .filter(|name| !named.contains(name))
        .filter(|name| !["_bucket", "_sum", "_count"].iter().any(|end| name.ends_with(end)))
        .collect();
    let known: BTreeSet<String> = [
        "pinstripe_loaded_keys",
        "pinstripe_loading",
        "pinstripe_rewrite_scheduled",
        "pinstripe_saves_total",
        "pinstripe_start_time_seconds",
    ]
    .map(str::to_owned)
    .into();
    assert_eq!(unshown.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn panels_do_not_overlap_and_each_says_what_it_shows() {
    let board: Json = serde_json::from_str(DASHBOARD).expect("a dashboard of JSON");
    let mut taken = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in board["panels"].as_array().expect("panels") {
        let title = panel["title"].as_str().expect("a title");
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{title}: its id is another's");
        let place = |name: &str| panel["gridPos"][name].as_u64().unwrap_or_else(|| panic!("{title}: {name}"));
        let (x, y, w, h) = (place("x"), place("y"), place("w"), place("h"));
        assert!(x + w <= 24, "{title} is too wide");
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(taken.insert(cell), "{title} lies on another panel at {cell:?}");
        }
    }
}

#[test]
fn log_metrics_tell_of_groups_waits_and_the_last_sync() {
    let site = Site::start(&["--appendfsync", "always"]);
    let mut http = site.http();
    for index in 0..5 {
        // Whoever comes and goes, and sends half a command, waits for no sync.
        let mut passing: Vec<_> = (0..20).map(|_| site.server.client()).collect();
        http.send(&format!("PUT /{index}"), JSON, r#"{"value": "x"}"#);
        passing.iter_mut().for_each(|client| client.send_raw(b"*1\r\n$4\r\nPI").unwrap());
        drop(passing);
        http.read(false).unwrap();
    }
    let value = |name: &str| {
        let page = site.ask("GET /-/metrics", "", "").body;
        let line = page.lines().find(|line| line.split(' ').next() == Some(name));
        line.unwrap_or_else(|| panic!("no {name} in\n{page}"))
            .split(' ')
            .nth(1)
            .unwrap()
            .parse::<f64>()
            .unwrap()
    };
    // Each write waited for its own group and its own sync.
    assert_eq!(value("pinstripe_log_group_records_sum"), 5.0);
    assert_eq!(value("pinstripe_log_group_records_count"), 5.0);
    assert_eq!(value(r#"pinstripe_log_group_records_bucket{le="1.0"}"#), 5.0);
    assert_eq!(value("pinstripe_log_sync_wait_duration_seconds_count"), 5.0);
    assert!(value("pinstripe_log_group_bytes_total") > 100.0);
    // The regular tasks look every tenth of a second.
    let began = std::time::Instant::now();
    while value("pinstripe_log_last_sync_timestamp_seconds") < value("pinstripe_start_time_seconds") {
        assert!(began.elapsed().as_secs() < 10);
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}
