//! A client for the HTTP gateway that writes what the test says and reads status, headers and body, nothing more: what a
//! library would mend (a missing Host, a header twice) must get through.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use serde_json::Value as Json;

use super::client::REPLY_TIMEOUT;
use super::server::Server;

/// A server with its HTTP port.
pub(crate) struct Site {
    pub(crate) server: Server,
    pub(crate) port: u16,
}

impl Site {
    pub(crate) fn start(arguments: &[&str]) -> Site {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let text = port.to_string();
        let mut all = vec!["--http-port", &text];
        all.extend(arguments);
        Site { server: Server::start(&all), port }
    }

    pub(crate) fn http(&self) -> Http {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(REPLY_TIMEOUT)).unwrap();
        stream.set_write_timeout(Some(REPLY_TIMEOUT)).unwrap();
        stream.set_nodelay(true).unwrap();
        Http { stream: BufReader::new(stream) }
    }

    /// One request on a connection of its own.
    pub(crate) fn ask(&self, request: &str, headers: &str, body: &str) -> Answer {
        self.http().ask(request, headers, body)
    }

    /// A command by REST; its result or error.
    pub(crate) fn rest(&self, command: Json) -> Json {
        let answer = self.ask("POST /-/redis", JSON, &command.to_string());
        answer.json()
    }
}

pub(crate) const JSON: &str = "Content-Type: application/json\r\n";

/// A connection that is kept.
pub(crate) struct Http {
    pub(crate) stream: BufReader<TcpStream>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }
}

impl Http {
    pub(crate) fn ask(&mut self, request: &str, headers: &str, body: &str) -> Answer {
        self.send(request, headers, body);
        self.read(request.starts_with("HEAD ")).unwrap_or_else(|error| panic!("{request}: {error}"))
    }

    pub(crate) fn send(&mut self, request: &str, headers: &str, body: &str) {
        let host = if headers.contains("Host:") { "" } else { "Host: localhost\r\n" };
        let length = match body.is_empty() || headers.contains("Content-Length:") {
            true => String::new(),
            false => format!("Content-Length: {}\r\n", body.len()),
        };
        self.raw(format!("{request} HTTP/1.1\r\n{host}{headers}{length}\r\n{body}").as_bytes());
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        // The server may have refused and closed while the rest is on its way.
        let _ = self.stream.get_mut().write_all(bytes);
    }

    pub(crate) fn read(&mut self, is_head: bool) -> io::Result<Answer> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.stream.read_line(&mut head)? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
        }
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(head.clone()))?;
        if status == 100 {
            return self.read(is_head);
        }
        let mut answer = Answer { status, head, body: String::new() };
        let length: usize = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; if is_head { 0 } else { length }];
        self.stream.read_exact(&mut body)?;
        answer.body = String::from_utf8(body).expect("a body of text");
        Ok(answer)
    }

    /// True when the server ends the connection without another word.
    pub(crate) fn is_closed(&mut self) -> bool {
        match self.stream.read(&mut [0]) {
            Ok(count) => count == 0,
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }
}
