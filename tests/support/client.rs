//! A small blocking client that keeps the wire's types apart, and prints a reply as `redis-cli` does on a terminal.
//!
//! ```text
//! +OK            OK                     *2 …   1) "a"              %1 …  1# "k" => "v"     #t      (true)
//! -ERR no        (error) ERR no                2) 1) (integer) 1   ~1 …  1~ "a"            ,1.5    (double) 1.5
//! :3             (integer) 3            *0     (empty array)       >1 …  1) "a"            (12     (big number) 12
//! $1 a           "a"                    $-1 *-1 _   (nil)          =5 txt:a   "a"
//! ```

use std::io::{self, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// No test waits longer than this for a reply.
pub(crate) const REPLY_TIMEOUT: Duration = Duration::from_secs(10);

/// Deeper than any reply of a server that is well.
const DEPTH_MAX: usize = 64;

/// A reply, with the type that it had on the wire. Attributes are read and dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Simple(Vec<u8>),
    Error(String),
    Int(i64),
    Bulk(Vec<u8>),
    /// A null of either protocol: `$-1`, `*-1` or `_`.
    Nil,
    Array(Vec<Value>),
    Map(Vec<(Value, Value)>),
    Set(Vec<Value>),
    Push(Vec<Value>),
    /// The digits as they came, so that a difference in formatting is seen.
    Double(String),
    Bool(bool),
    Big(String),
    Verbatim(Vec<u8>),
}

impl Value {
    /// The reply as text, without a line end.
    pub(crate) fn render(&self) -> String {
        let mut out = String::new();
        self.render_into(&mut out, "");
        out
    }

    fn render_into(&self, out: &mut String, indent: &str) {
        match self {
            Value::Simple(text) => out.push_str(&String::from_utf8_lossy(text)),
            Value::Error(text) => out.push_str(&format!("(error) {text}")),
            Value::Int(n) => out.push_str(&format!("(integer) {n}")),
            Value::Bulk(bytes) | Value::Verbatim(bytes) => out.push_str(&quoted(bytes)),
            Value::Nil => out.push_str("(nil)"),
            Value::Double(digits) => out.push_str(&format!("(double) {digits}")),
            Value::Bool(b) => out.push_str(if *b { "(true)" } else { "(false)" }),
            Value::Big(digits) => out.push_str(&format!("(big number) {digits}")),
            Value::Array(items) => list(out, indent, ')', "(empty array)", items),
            Value::Set(items) => list(out, indent, '~', "(empty set)", items),
            Value::Push(items) => list(out, indent, ')', "(empty push)", items),
            Value::Map(pairs) if pairs.is_empty() => out.push_str("(empty hash)"),
            Value::Map(pairs) => {
                let width = digits(pairs.len());
                let inner = format!("{indent}{}", " ".repeat(width + 2));
                for (at, (key, value)) in pairs.iter().enumerate() {
                    number(out, indent, width, '#', at);
                    key.render_into(out, &inner);
                    out.push_str(" => ");
                    value.render_into(out, &inner);
                }
            }
        }
    }

    /// The error's text, if it is one.
    pub(crate) fn error(&self) -> Option<&str> {
        match self {
            Value::Error(text) => Some(text),
            _ => None,
        }
    }

    /// The text of a simple or bulk string; empty for anything else.
    pub(crate) fn text(&self) -> String {
        match self {
            Value::Simple(bytes) | Value::Bulk(bytes) | Value::Verbatim(bytes) => {
                String::from_utf8_lossy(bytes).into_owned()
            }
            _ => String::new(),
        }
    }

    /// The elements of an array, a set or a push, or a map's keys and values in turn; empty for anything else.
    pub(crate) fn items(&self) -> Vec<Value> {
        match self {
            Value::Array(items) | Value::Set(items) | Value::Push(items) => items.clone(),
            Value::Map(pairs) => pairs.iter().flat_map(|(k, v)| [k.clone(), v.clone()]).collect(),
            _ => Vec::new(),
        }
    }
}

fn digits(n: usize) -> usize {
    n.to_string().len()
}

/// The `1) ` before an element; the first stands on the line of what holds it.
fn number(out: &mut String, indent: &str, width: usize, mark: char, at: usize) {
    if at > 0 {
        out.push('\n');
        out.push_str(indent);
    }
    out.push_str(&format!("{:>width$}{mark} ", at + 1));
}

fn list(out: &mut String, indent: &str, mark: char, empty: &str, items: &[Value]) {
    if items.is_empty() {
        return out.push_str(empty);
    }
    let width = digits(items.len());
    let inner = format!("{indent}{}", " ".repeat(width + 2));
    for (at, item) in items.iter().enumerate() {
        number(out, indent, width, mark, at);
        item.render_into(out, &inner);
    }
}

/// Bytes in double quotes, with what is not printable ASCII as `\xHH`.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    let mut out = String::from("\"");
    for &byte in bytes {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b'"' => out.push_str("\\\""),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x07 => out.push_str("\\a"),
            0x08 => out.push_str("\\b"),
            b' '..=b'~' => out.push(byte as char),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push('"');
    out
}

/// A request as an array of bulk strings.
pub(crate) fn encode<W: AsRef<[u8]>>(words: &[W]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        let word = word.as_ref();
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// One connection.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects; replies are RESP2 until `HELLO 3` says otherwise.
    pub(crate) fn connect(address: impl ToSocketAddrs) -> io::Result<Client> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(REPLY_TIMEOUT))?;
        stream.set_write_timeout(Some(REPLY_TIMEOUT))?;
        Ok(Client { stream: BufReader::new(stream) })
    }

    /// The socket, for what is not a request: other timeouts, half a close.
    pub(crate) fn socket(&self) -> &TcpStream {
        self.stream.get_ref()
    }

    /// Writes bytes as they are.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Whether it is this process that answers. Between the choice of a free port and its bind the server of another test may
    /// take it, and would be taken for ours until ours has said that it got none. A server that wants a password does not tell.
    pub(crate) fn is_of(&mut self, pid: u32) -> io::Result<bool> {
        let info = self.try_call(&["INFO", "server"])?;
        let own = format!("process_id:{pid}");
        Ok(info.error().is_some() || info.text().lines().any(|line| line == own))
    }

    /// Sends one request and reads one reply.
    pub(crate) fn try_call<W: AsRef<[u8]>>(&mut self, words: &[W]) -> io::Result<Value> {
        self.send_raw(&encode(words))?;
        self.read()
    }

    /// Sends one request, its words cut at spaces, and reads one reply; a broken connection ends the test.
    pub(crate) fn call(&mut self, request: &str) -> Value {
        let words: Vec<&str> = request.split(' ').collect();
        match self.try_call(&words) {
            Ok(value) => value,
            Err(error) => panic!("no reply to {request}: {error}"),
        }
    }

    /// Reads one reply or push message.
    pub(crate) fn read(&mut self) -> io::Result<Value> {
        loop {
            if let Some(value) = self.frame(0)? {
                return Ok(value);
            }
        }
    }

    /// One frame; `None` for an attribute, which stands before the reply that it tells of.
    fn frame(&mut self, depth: usize) -> io::Result<Option<Value>> {
        if depth > DEPTH_MAX {
            return Err(broken("a reply nested too deep"));
        }
        let line = self.line()?;
        let (kind, rest) = line.split_at(1);
        Ok(Some(match kind {
            "+" => Value::Simple(rest.as_bytes().to_vec()),
            "-" => Value::Error(rest.to_owned()),
            ":" => Value::Int(rest.parse().map_err(|_| broken(&line))?),
            "," => Value::Double(rest.to_owned()),
            "(" => Value::Big(rest.to_owned()),
            "#" if rest == "t" || rest == "f" => Value::Bool(rest == "t"),
            "_" if rest.is_empty() => Value::Nil,
            "$" if rest == "-1" => Value::Nil,
            "*" if rest == "-1" => Value::Nil,
            "$" => Value::Bulk(self.payload(rest)?),
            "=" => {
                let payload = self.payload(rest)?;
                let text = payload.get(4..).ok_or_else(|| broken("a verbatim string without its format"))?;
                Value::Verbatim(text.to_vec())
            }
            "!" => Value::Error(String::from_utf8_lossy(&self.payload(rest)?).into_owned()),
            "*" => Value::Array(self.elements(rest, 1, depth)?),
            "~" => Value::Set(self.elements(rest, 1, depth)?),
            ">" => Value::Push(self.elements(rest, 1, depth)?),
            "%" => {
                let mut items = self.elements(rest, 2, depth)?.into_iter();
                let mut pairs = Vec::new();
                while let (Some(key), Some(value)) = (items.next(), items.next()) {
                    pairs.push((key, value));
                }
                Value::Map(pairs)
            }
            "|" => {
                self.elements(rest, 2, depth)?;
                return Ok(None);
            }
            _ => return Err(broken(&line)),
        }))
    }

    fn elements(&mut self, count: &str, per: usize, depth: usize) -> io::Result<Vec<Value>> {
        let count: usize = count.parse().map_err(|_| broken(count))?;
        let mut items = Vec::new();
        while items.len() < count * per {
            items.extend(self.frame(depth + 1)?);
        }
        Ok(items)
    }

    fn payload(&mut self, length: &str) -> io::Result<Vec<u8>> {
        let length: usize = length.parse().map_err(|_| broken(length))?;
        let mut bytes = vec![0; length + 2];
        self.stream.read_exact(&mut bytes)?;
        if !bytes.ends_with(b"\r\n") {
            return Err(broken("a bulk string without its end"));
        }
        bytes.truncate(length);
        Ok(bytes)
    }

    /// A line without its CRLF, never empty. Kept as lossy text: only payloads carry arbitrary bytes.
    fn line(&mut self) -> io::Result<String> {
        let mut bytes = Vec::new();
        let mut byte = [0];
        while !bytes.ends_with(b"\r\n") {
            self.stream.read_exact(&mut byte)?;
            bytes.push(byte[0]);
        }
        bytes.truncate(bytes.len() - 2);
        match bytes.first() {
            Some(kind) if kind.is_ascii() => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            _ => Err(broken("a line that starts no reply")),
        }
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not a reply: {what}"))
}
