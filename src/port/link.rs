//! A connection to a running server, this one or Redis: RESP2, commands pipelined.
//!
//! ```text
//! redis://[[user]:password@]host[:port][/db]      parts may be percent-encoded; the port is 6379
//! ```
//!
//! Where the address holds no password, that of the environment variable REDISCLI_AUTH is used, as redis-cli does: words of
//! a command line can be read by every user of the machine.

use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::boot::Failure;
use crate::cli::{EXIT_CONFIG, EXIT_UNAVAILABLE};
use crate::log::encode_command;

/// How long a server may take to accept the connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long it may be silent. It may be saving or deleting something large.
const SILENCE_MAX: Duration = Duration::from_secs(300);
/// The longest string of a reply: what the server announces is not believed beyond it.
const STRING_MAX: u64 = 4 << 30;
/// The most elements of an array, and how deep arrays may be nested.
const ELEMENTS_MAX: i64 = 1 << 24;
const DEPTH_MAX: u32 = 8;

/// Where a server is, and how to be let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    host: String,
    port: u16,
    user: Option<String>,
    password: Option<String>,
    /// The database, if one is named.
    pub(super) db: Option<u32>,
}

impl Address {
    /// Reads an address.
    pub(super) fn parse(text: &str) -> Result<Address, Failure> {
        let wrong = |why: &str| {
            Failure::new(
                EXIT_CONFIG,
                format!("the address {why}: write redis://[[user]:password@]host[:port][/db]"),
            )
        };
        let rest = text.strip_prefix("redis://").ok_or_else(|| wrong("does not begin with redis://"))?;
        let (place, db) = rest.rsplit_once('/').map_or((rest, ""), |(place, db)| (place, db));
        let db = match db {
            "" => None,
            digits => Some(digits.parse().map_err(|_| wrong("names a database that is no number"))?),
        };
        let (login, place) =
            place.rsplit_once('@').map_or((None, place), |(login, place)| (Some(login), place));
        let (mut user, mut password) = (None, None);
        if let Some(login) = login {
            let (name, secret) = login.split_once(':').unwrap_or((login, ""));
            let decode =
                |part: &str| decode(part).ok_or_else(|| wrong("holds a % without two hexadecimal digits"));
            user = Some(decode(name)?).filter(|name| !name.is_empty());
            password = Some(decode(secret)?).filter(|secret| !secret.is_empty());
        }
        let (host, port) = match place.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or_else(|| wrong("has no ] behind its host"))?;
                (host, port.strip_prefix(':').unwrap_or(port))
            }
            None => place.rsplit_once(':').unwrap_or((place, "")),
        };
        let port = match port {
            "" => 6379,
            digits => digits.parse().map_err(|_| wrong("names a port that is none"))?,
        };
        if host.is_empty() {
            return Err(wrong("names no host"));
        }
        Ok(Address { host: host.to_owned(), port, user, password, db })
    }

    /// Host and port, for a person.
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// `%XX` stands for a byte.
fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                let digits = [*high, *low];
                out.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
                tail
            }
            (b'%', _) => return None,
            _ => {
                out.push(*first);
                tail
            }
        };
    }
    String::from_utf8(out).ok()
}

/// What a server answers.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reply {
    /// A status or a string.
    Text(Vec<u8>),
    Error(String),
    Int(i64),
    Nil,
    List(Vec<Reply>),
}

/// See the head of this file.
pub(super) struct Link {
    reader: BufReader<TcpStream>,
    writer: BufWriter<TcpStream>,
    command: Vec<u8>,
    place: String,
}

impl Link {
    /// Connects, shows the password and selects the database that the address names.
    pub(super) fn connect(address: &Address) -> Result<Link, Failure> {
        let place = address.place();
        let cannot = |why: &dyn std::fmt::Display| unavailable(&place, why);
        let places =
            (address.host.as_str(), address.port).to_socket_addrs().map_err(|error| cannot(&error))?;
        let mut outcome = Err(io::Error::from(io::ErrorKind::NotFound));
        for place in places {
            outcome = TcpStream::connect_timeout(&place, CONNECT_TIMEOUT);
            if outcome.is_ok() {
                break;
            }
        }
        let stream = outcome.map_err(|error| cannot(&error))?;
        let twin = stream.try_clone().and_then(|twin| {
            stream.set_read_timeout(Some(SILENCE_MAX))?;
            stream.set_write_timeout(Some(SILENCE_MAX))?;
            // Without it everything works as well, only later.
            let _ = stream.set_nodelay(true);
            Ok(twin)
        });
        let writer = BufWriter::with_capacity(256 * 1024, twin.map_err(|error| cannot(&error))?);
        let reader = BufReader::with_capacity(256 * 1024, stream);
        let mut link = Link { reader, writer, command: Vec::new(), place };
        link.log_in(address)?;
        if let Some(db) = address.db {
            link.must(&[b"SELECT", db.to_string().as_bytes()])?;
        }
        link.must(&[b"PING"])?;
        Ok(link)
    }

    fn log_in(&mut self, address: &Address) -> Result<(), Failure> {
        let from_environment = || std::env::var("REDISCLI_AUTH").ok().filter(|secret| !secret.is_empty());
        let Some(password) = address.password.clone().or_else(from_environment) else { return Ok(()) };
        match &address.user {
            Some(user) => self.must(&[b"AUTH", user.as_bytes(), password.as_bytes()]),
            None => self.must(&[b"AUTH", password.as_bytes()]),
        }
        .map(|_| ())
    }

    /// Puts a command into the pipeline.
    pub(super) fn send(&mut self, words: &[&[u8]]) -> Result<(), Failure> {
        self.command.clear();
        encode_command(&mut self.command, words.iter().copied());
        self.writer.write_all(&self.command).map_err(|error| unavailable(&self.place, &error))
    }

    /// Lets all that was sent go.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        self.writer.flush().map_err(|error| unavailable(&self.place, &error))
    }

    /// The next reply.
    pub(super) fn receive(&mut self) -> Result<Reply, Failure> {
        read(&mut self.reader, 0).map_err(|error| unavailable(&self.place, &error))
    }

    /// One command and its reply.
    pub(super) fn call(&mut self, words: &[&[u8]]) -> Result<Reply, Failure> {
        self.send(words)?;
        self.flush()?;
        self.receive()
    }

    /// One command, which the server must not refuse.
    pub(super) fn must(&mut self, words: &[&[u8]]) -> Result<Reply, Failure> {
        match self.call(words)? {
            Reply::Error(line) => Err(unavailable(&self.place, &line)),
            reply => Ok(reply),
        }
    }
}

fn unavailable(place: &str, why: &dyn std::fmt::Display) -> Failure {
    Failure::new(EXIT_UNAVAILABLE, format!("the server at {place}: {why}"))
}

fn read(source: &mut impl BufRead, depth: u32) -> io::Result<Reply> {
    let mut line = Vec::new();
    source.by_ref().take(64 * 1024).read_until(b'\n', &mut line)?;
    let line = line.strip_suffix(b"\r\n").ok_or_else(|| broken("it ended the connection"))?;
    let (mark, rest) = line.split_first().ok_or_else(|| broken("an empty reply"))?;
    let text = || String::from_utf8_lossy(rest).into_owned();
    let number = || text().parse::<i64>().map_err(|_| broken("a reply without its number"));
    match mark {
        b'+' => Ok(Reply::Text(rest.to_vec())),
        b'-' => Ok(Reply::Error(text())),
        b':' => Ok(Reply::Int(number()?)),
        b'$' => match number()? {
            -1 => Ok(Reply::Nil),
            length if (0..=STRING_MAX as i64).contains(&length) => {
                let mut bytes = Vec::new();
                source.by_ref().take(length as u64 + 2).read_to_end(&mut bytes)?;
                if bytes.len() as i64 != length + 2 || !bytes.ends_with(b"\r\n") {
                    return Err(broken("a string that is not whole"));
                }
                bytes.truncate(length as usize);
                Ok(Reply::Text(bytes))
            }
            _ => Err(broken("a string of an impossible length")),
        },
        b'*' if depth < DEPTH_MAX => match number()? {
            -1 => Ok(Reply::Nil),
            count if (0..=ELEMENTS_MAX).contains(&count) => {
                (0..count).map(|_| read(source, depth + 1)).collect::<io::Result<Vec<_>>>().map(Reply::List)
            }
            _ => Err(broken("an array of an impossible length")),
        },
        _ => Err(broken("that is no Redis server")),
    }
}

fn broken(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_address_has_parts_that_may_be_left_out() {
        let parsed = |text: &str| {
            let found = Address::parse(text).unwrap();
            (found.place(), found.user.unwrap_or_default(), found.password.unwrap_or_default(), found.db)
        };
        let expected = |place: &str, user: &str, password: &str, db| {
            (place.to_owned(), user.to_owned(), password.to_owned(), db)
        };
        assert_eq!(parsed("redis://h"), expected("h:6379", "", "", None));
        assert_eq!(parsed("redis://h:1/7"), expected("h:1", "", "", Some(7)));
        assert_eq!(parsed("redis://:p%40%2f@h/"), expected("h:6379", "", "p@/", None));
        assert_eq!(parsed("redis://u:p@[::1]:2/0"), expected("::1:2", "u", "p", Some(0)));
        for wrong in
            ["h", "rediss://h", "redis://", "redis://:1", "redis://h:x", "redis://h/x", "redis://:%z@h"]
        {
            assert_eq!(Address::parse(wrong).unwrap_err().code, EXIT_CONFIG, "{wrong}");
        }
    }

    #[test]
    fn replies_are_read_to_their_end_and_no_further() {
        let mut source = &b"+OK\r\n-ERR no\r\n:-7\r\n$3\r\na\r\n\r\n$-1\r\n*2\r\n*-1\r\n:1\r\n"[..];
        let mut next = || read(&mut source, 0).unwrap();
        assert_eq!(next(), Reply::Text(b"OK".to_vec()));
        assert_eq!(next(), Reply::Error("ERR no".into()));
        assert_eq!(next(), Reply::Int(-7));
        assert_eq!(next(), Reply::Text(b"a\r\n".to_vec()));
        assert_eq!(next(), Reply::Nil);
        assert_eq!(next(), Reply::List(vec![Reply::Nil, Reply::Int(1)]));
        assert!(source.is_empty());
        for broken in ["", "x\r\n", "$5\r\nab", ":x\r\n", "$-2\r\n", "$99999999999\r\n", "*99999999999\r\n"] {
            assert!(read(&mut broken.as_bytes(), 0).is_err(), "{broken:?}");
        }
        assert!(read(&mut "*1\r\n".repeat(100_000).as_bytes(), 0).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = read(&mut &bytes[..], 0);
        }
    }
}
