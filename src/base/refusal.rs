//! What a client may be refused, each with its exact wire text.
//!
//! A refusal is part of the protocol and the client's business; a fault (the disk's, or ours) is another type. The
//! frequent refusals are cases of their own, because client libraries branch on their first word; the rest is text.

use std::borrow::Cow;

/// Why a command was not carried out. [`Refusal::text`] gives the line without its leading `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The key holds another type than the command works on.
    WrongType,
    /// An option is misspelt or does not go with another.
    Syntax,
    /// An argument or a stored value is not a 64-bit integer.
    NotInteger,
    /// An argument or a stored value is not a finite float.
    NotFloat,
    /// The key does not exist, for the few commands that insist.
    NoSuchKey,
    /// The wrong number of arguments for the command of this (lower-case) name.
    Arity(Cow<'static, str>),
    /// Anything else: the whole line, prefix word included.
    Line(Cow<'static, str>),
}

impl Refusal {
    /// A refusal whose line is `ERR ` and the text.
    pub fn err(text: impl AsRef<str>) -> Self {
        Refusal::Line(Cow::Owned(format!("ERR {}", text.as_ref())))
    }

    /// A refusal whose whole line is known when the program is built, prefix word included.
    pub const fn line(text: &'static str) -> Self {
        Refusal::Line(Cow::Borrowed(text))
    }

    /// The error line as the client sees it, without the leading `-` and the line end.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Refusal::WrongType => {
                Cow::Borrowed("WRONGTYPE Operation against a key holding the wrong kind of value")
            }
            Refusal::Syntax => Cow::Borrowed("ERR syntax error"),
            Refusal::NotInteger => Cow::Borrowed("ERR value is not an integer or out of range"),
            Refusal::NotFloat => Cow::Borrowed("ERR value is not a valid float"),
            Refusal::NoSuchKey => Cow::Borrowed("ERR no such key"),
            Refusal::Arity(name) => Cow::Owned(format!("ERR wrong number of arguments for '{name}' command")),
            Refusal::Line(text) => Cow::Borrowed(text),
        }
    }

    /// The first word of the line (`ERR`, `WRONGTYPE`, …): what INFO's error statistics count by.
    pub fn prefix(&self) -> String {
        first_word(self.text().as_bytes())
    }
}

/// Bytes of a line among which the end of its first word is looked for.
const FIRST_WORD_MAX: usize = 32;

/// The first word of an error line, by which errors are counted. A line without such counts as any error, as in Redis.
pub fn first_word(line: &[u8]) -> String {
    let start = &line[..line.len().min(FIRST_WORD_MAX)];
    let word = start.iter().position(|&byte| byte == b' ').map(|end| &start[..end]);
    word.map_or_else(|| "ERR".into(), |word| String::from_utf8_lossy(word).into_owned())
}
