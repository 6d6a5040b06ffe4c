//! Loading by several lanes gives what loading in a row gives.
//!
//! A log is written in which commands on one key, on several, on none and transactions stand in a random order over few
//! keys, so that any two commands that changed places would show. It is loaded by one thread and by several, from
//! increments and from a base: the digest of all data is that of the server which wrote it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test may end itself"
)]

mod support;

use std::fs;
use std::path::Path;

use support::client::Client;
use support::server::Server;

/// Enough that every lane gets several whole chunks, and chunks are cut short by commands on several keys.
const COMMANDS: u64 = 24_000;
const KEYS: u64 = 300;

/// A sequence of numbers that looks like chance and is the same at each run (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

fn command(dice: &mut Dice, number: u64) -> Vec<String> {
    let kinds = ["s", "n", "l", "h", "z", "m"];
    let mut key = |kind: usize| format!("{}{}", kinds[kind], dice.below(KEYS));
    let (text, number_key, list, hash, sorted, many, other) =
        (key(0), key(1), key(2), key(3), key(4), key(5), key(5));
    let value = number.to_string();
    let words: Vec<&str> = match dice.below(40) {
        0..8 => vec!["SET", &text, &value],
        8..14 => vec!["APPEND", &text, &value],
        14..20 => vec!["INCRBY", &number_key, &value],
        20..25 => vec!["RPUSH", &list, &value],
        25 => vec!["LPOP", &list],
        26..30 => vec!["HSET", &hash, &text, &value],
        30..33 => vec!["ZADD", &sorted, &value, &text],
        33 => vec!["DEL", &text],
        34..36 => vec!["MSET", &many, &value, &other, &value],
        36 => vec!["RENAME", &many, &other],
        37 => vec!["COPY", &list, &many, "REPLACE"],
        38 => vec!["EXPIRE", &many, "100000"],
        _ if number.is_multiple_of(50) => vec!["SWAPDB", "0", "1"],
        _ => vec!["SELECT", if number.is_multiple_of(3) { "0" } else { "1" }],
    };
    words.into_iter().map(str::to_owned).collect()
}

fn encode(words: &[String]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    bytes
}

/// Fills the server; some of the commands are refused (RENAME of no key), which is part of it.
fn fill(client: &mut Client) {
    let mut dice = Dice(0x5eed);
    let mut number = 0;
    while number < COMMANDS {
        let mut bytes = Vec::new();
        let mut replies = 0;
        let in_transaction = dice.below(4) == 0;
        if in_transaction {
            bytes.extend(encode(&["MULTI".to_owned()]));
            replies += 2;
        }
        for _ in 0..100 {
            number += 1;
            bytes.extend(encode(&command(&mut dice, number)));
            replies += 1;
        }
        if in_transaction {
            bytes.extend(encode(&["EXEC".to_owned()]));
        }
        client.send_raw(&bytes).expect("sent");
        for _ in 0..replies {
            client.read().expect("a reply");
        }
    }
}

fn digest(server: &Server) -> String {
    server.client().call("DEBUG DIGEST").render()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory's list") {
        let entry = entry.expect("its entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else if entry.file_name() != "pinstripe.lock" {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

#[test]
fn any_number_of_lanes_loads_the_same_data() {
    let arguments = ["--enable-debug-command", "yes", "--auto-aof-rewrite-percentage", "0"];
    let mut origin = Server::start(&[&arguments[..], &["--io-threads", "1"]].concat());
    fill(&mut origin.client());
    let expected = digest(&origin);
    for from_base in [false, true] {
        if from_base {
            let mut client = origin.client();
            client.call("BGREWRITEAOF");
            let ended =
                |info: &str| info.contains("aof_rewrite_in_progress:0") && info.contains("aof_rewrites:1");
            while !ended(&client.call("INFO persistence").text()) {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        }
        origin.kill9();
        for workers in ["1", "2", "5"] {
            let mut server = Server::start(&[&arguments[..], &["--io-threads", workers]].concat());
            server.kill9();
            fs::remove_dir_all(server.dir()).expect("an empty directory's end");
            copy(&origin.dir(), &server.dir());
            server.start_again();
            assert_eq!(digest(&server), expected, "{workers} workers, from a base: {from_base}");
        }
        origin.start_again();
        assert_eq!(digest(&origin), expected);
    }
}
