//! More clients than there is room for: those who are too many are told so, those who are there notice nothing, and whoever
//! comes when somebody has left gets in. Who does not say who he is leaves soon.

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

use std::io::Read;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use support::client::{Client, REPLY_TIMEOUT};
use support::server::Server;

const CLIENTS_MAX: usize = 20;
/// Connections of one storm.
const STORM: usize = 1000;

/// What a connection hears that says nothing, until it is closed.
fn heard(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(REPLY_TIMEOUT)).unwrap();
    let mut heard = String::new();
    // A connection that is refused may be reset instead of closed.
    let _ = stream.read_to_string(&mut heard);
    heard
}

fn until_let_in(server: &Server) -> Client {
    loop {
        if let Ok(mut client) = Client::connect(("127.0.0.1", server.port()))
            && client.try_call(&["PING"]).is_ok_and(|reply| reply.text() == "PONG")
        {
            return client;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn who_is_too_many_is_told_and_harms_nobody() {
    let server = Server::start(&["--maxclients", &CLIENTS_MAX.to_string()]);
    for _ in 0..3 {
        let mut inside: Vec<Client> = Vec::new();
        while inside.len() < CLIENTS_MAX {
            inside.push(until_let_in(&server));
        }
        for nth in 0..STORM / 10 {
            let said = heard(server.port());
            assert_eq!(said, "-ERR max number of clients reached\r\n");
            let count = inside.len();
            assert_eq!(inside[nth % count].call("PING").text(), "PONG");
        }
        // Nobody waits for an answer here.
        for nth in 0..STORM {
            drop(TcpStream::connect(("127.0.0.1", server.port())));
            if nth % 50 == 0 {
                assert_eq!(inside[0].call("PING").text(), "PONG");
            }
        }
        inside.pop();
        until_let_in(&server);
    }
}

#[test]
fn who_does_not_give_the_password_keeps_nobody_out() {
    let words = ["--requirepass", "secret", "--auth-timeout", "1", "--maxclients", "20"];
    let server = Server::start(&words);
    let mut known = Client::connect(("127.0.0.1", server.port())).unwrap();
    assert_eq!(known.call("AUTH secret").text(), "OK");
    assert_eq!(known.call("RESET").text(), "RESET");
    let strangers: Vec<TcpStream> =
        (0..CLIENTS_MAX).map(|_| TcpStream::connect(("127.0.0.1", server.port())).unwrap()).collect();
    let began = Instant::now();
    let mut late = loop {
        assert!(began.elapsed() < REPLY_TIMEOUT, "the strangers are still there");
        let mut late = Client::connect(("127.0.0.1", server.port())).unwrap();
        if late.try_call(&["AUTH", "secret"]).is_ok_and(|reply| reply.text() == "OK") {
            break late;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    // They are all gone, and who gave the password once is not.
    for mut stranger in strangers {
        stranger.set_read_timeout(Some(REPLY_TIMEOUT)).unwrap();
        let mut heard = String::new();
        stranger.read_to_string(&mut heard).unwrap();
        assert!(heard.is_empty() || heard.starts_with("-ERR max number"), "{heard}");
    }
    assert_eq!(known.call("PING").error(), Some("NOAUTH Authentication required."));
    assert_eq!(known.call("AUTH secret").text(), "OK");
    assert_eq!(late.call("PING").text(), "PONG");
}
