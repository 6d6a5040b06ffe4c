//! Jobs in the background, as whoever asks for them sees them: from the answer on they are under way until they are done.

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

use support::client::encode;
use support::server::Server;

/// What INFO says right behind a command, in the same turn, before any other thread can have done anything.
fn info_behind(server: &Server, command: &[&str]) -> String {
    let mut client = server.client();
    let pipeline = [encode(command), encode(&["INFO", "persistence"])].concat();
    client.send_raw(&pipeline).unwrap();
    assert_eq!(client.read().unwrap().error(), None);
    client.read().unwrap().text()
}

#[test]
fn a_rewrite_or_snapshot_that_was_asked_for_is_under_way_at_once() {
    let server = Server::start(&["--appendonly", "yes"]);
    let info = info_behind(&server, &["BGREWRITEAOF"]);
    let shows = |field: &str| info.contains(&format!("{field}:1"));
    assert!(shows("aof_rewrite_in_progress") || shows("aof_rewrite_scheduled"), "{info}");
    let server = Server::start(&["--appendonly", "no"]);
    let info = info_behind(&server, &["BGSAVE"]);
    assert!(info.contains("rdb_bgsave_in_progress:1"), "{info}");
}
