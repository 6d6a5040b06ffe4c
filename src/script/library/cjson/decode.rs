//! From JSON to Lua. What is nested lies on a stack of its own, so depth costs no thread's stack.

use mlua::{Error, Lua, Result, Table, Value};

use super::NULL;
use super::settings::Settings;
use crate::base::number::parse_f64;

/// Deeper than this nothing is read, whatever is set.
const DEPTH_MAX: usize = 1000;

/// A piece of the text.
enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    Text(Vec<u8>),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
}

/// What is no piece of JSON, and where, if that is not where it begins.
struct Wrong(&'static str, Option<usize>);

/// A table that is being read.
enum Open {
    Array(Table, i64),
    Object(Table, Value),
}

/// A text as a value.
pub(super) fn decode(lua: &Lua, text: &[u8], settings: &Settings) -> Result<Value> {
    if text.len() >= 2 && (text[0] == 0 || text[1] == 0) {
        return Err(refused("JSON parser does not support UTF-16 or UTF-32".to_owned()));
    }
    let mut reader = Reader { text, at: 0, lenient: settings.decode_invalid };
    let mut open: Vec<Open> = Vec::new();
    loop {
        // A value, or the end of an empty table.
        let (begin, token) = reader.next("value")?;
        let mut value = match token {
            Token::ArrayBegin | Token::ObjectBegin => {
                let depth = open.len() + 1;
                if depth as i64 > settings.decode_depth || depth > DEPTH_MAX {
                    let text =
                        format!("Found too many nested data structures ({depth}) at character {}", reader.at);
                    return Err(refused(text));
                }
                let table = lua.create_table()?;
                if let Token::ArrayBegin = token {
                    match reader.peek() {
                        Some(b']') => {
                            reader.at += 1;
                            Value::Table(table)
                        }
                        _ => {
                            open.push(Open::Array(table, 1));
                            continue;
                        }
                    }
                } else if reader.peek() == Some(b'}') {
                    reader.at += 1;
                    Value::Table(table)
                } else {
                    let key = reader.key(lua)?;
                    open.push(Open::Object(table, key));
                    continue;
                }
            }
            Token::Text(bytes) => Value::String(lua.create_string(bytes)?),
            Token::Number(number) => Value::Number(number),
            Token::Boolean(truth) => Value::Boolean(truth),
            Token::Null => NULL,
            token => return Err(unexpected("value", token.name(), begin)),
        };
        // It is whole: into the table around it, and so on outwards.
        loop {
            let Some(innermost) = open.last_mut() else {
                return match reader.next("the end")? {
                    (_, Token::End) => Ok(value),
                    (at, token) => Err(unexpected("the end", token.name(), at)),
                };
            };
            match innermost {
                Open::Array(table, next) => {
                    table.raw_set(*next, &value)?;
                    *next += 1;
                    match reader.next("comma or array end")? {
                        (_, Token::Comma) => break,
                        (_, Token::ArrayEnd) => {}
                        (at, token) => return Err(unexpected("comma or array end", token.name(), at)),
                    }
                }
                Open::Object(table, key) => {
                    table.raw_set(&*key, &value)?;
                    match reader.next("comma or object end")? {
                        (_, Token::Comma) => {
                            *key = reader.key(lua)?;
                            break;
                        }
                        (_, Token::ObjectEnd) => {}
                        (at, token) => return Err(unexpected("comma or object end", token.name(), at)),
                    }
                }
            }
            if let Some(Open::Array(table, _) | Open::Object(table, _)) = open.pop() {
                value = Value::Table(table);
            }
        }
    }
}

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
    /// Numbers that JSON does not have are taken.
    lenient: bool,
}

impl Reader<'_> {
    /// The next byte that is no blank.
    fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(self.at) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    /// A key and the colon behind it.
    fn key(&mut self, lua: &Lua) -> Result<Value> {
        let key = match self.next("object key string")? {
            (_, Token::Text(bytes)) => Value::String(lua.create_string(bytes)?),
            (at, token) => return Err(unexpected("object key string", token.name(), at)),
        };
        match self.next("colon")? {
            (_, Token::Colon) => Ok(key),
            (at, token) => Err(unexpected("colon", token.name(), at)),
        }
    }

    /// The next piece and where it begins. `wanted` is said of what is none.
    fn next(&mut self, wanted: &str) -> Result<(usize, Token)> {
        let first = self.peek();
        let begin = self.at;
        let token = self.token(first);
        token
            .map(|token| (begin, token))
            .map_err(|Wrong(what, at)| unexpected(wanted, what, at.unwrap_or(begin)))
    }

    fn token(&mut self, first: Option<u8>) -> std::result::Result<Token, Wrong> {
        let single = match first {
            // What stands behind a zero byte is not looked at, as in C.
            None | Some(0) => return Ok(Token::End),
            Some(b'{') => Token::ObjectBegin,
            Some(b'}') => Token::ObjectEnd,
            Some(b'[') => Token::ArrayBegin,
            Some(b']') => Token::ArrayEnd,
            Some(b',') => Token::Comma,
            Some(b':') => Token::Colon,
            Some(b'"') => return self.string(),
            Some(b'-' | b'0'..=b'9') => return self.number(),
            Some(b't') if self.word(b"true") => return Ok(Token::Boolean(true)),
            Some(b'f') if self.word(b"false") => return Ok(Token::Boolean(false)),
            Some(b'n') if self.word(b"null") => return Ok(Token::Null),
            Some(b'+' | b'i' | b'I' | b'n' | b'N') if self.lenient => {
                return self.number().map_err(|_| Wrong("invalid token", None));
            }
            Some(_) => return Err(Wrong("invalid token", None)),
        };
        self.at += 1;
        Ok(single)
    }

    fn word(&mut self, word: &[u8]) -> bool {
        let found = self.text[self.at..].starts_with(word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    fn string(&mut self) -> std::result::Result<Token, Wrong> {
        let mut bytes = Vec::new();
        let mut at = self.at + 1;
        loop {
            match self.text.get(at) {
                None | Some(0) => return Err(Wrong("unexpected end of string", Some(at))),
                Some(b'"') => break,
                Some(b'\\') => {
                    let plain = match self.text.get(at + 1) {
                        Some(b'b') => 0x08,
                        Some(b'f') => 0x0c,
                        Some(b'n') => b'\n',
                        Some(b'r') => b'\r',
                        Some(b't') => b'\t',
                        Some(b'u') => {
                            let (letter, length) =
                                self.unicode(at).ok_or(Wrong("invalid unicode escape code", Some(at)))?;
                            bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                            at += length;
                            continue;
                        }
                        Some(&byte @ (b'"' | b'\\' | b'/')) => byte,
                        _ => return Err(Wrong("invalid escape code", Some(at))),
                    };
                    bytes.push(plain);
                    at += 2;
                }
                Some(&byte) => {
                    bytes.push(byte);
                    at += 1;
                }
            }
        }
        self.at = at + 1;
        Ok(Token::Text(bytes))
    }

    /// The letter that an escape at `at` stands for, and how long the escape is: a pair of surrogates has two.
    fn unicode(&self, at: usize) -> Option<(char, usize)> {
        let unit = |at: usize| {
            let digits = self.text.get(at..at + 6)?.strip_prefix(b"\\u")?;
            let digits =
                digits.iter().all(u8::is_ascii_hexdigit).then(|| std::str::from_utf8(digits).ok())??;
            u32::from_str_radix(digits, 16).ok()
        };
        let high = unit(at)?;
        if !(0xd800..0xdc00).contains(&high) {
            return Some((char::from_u32(high)?, 6));
        }
        let low = unit(at + 6).filter(|low| (0xdc00..0xe000).contains(low))?;
        Some((char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))?, 12))
    }

    /// The longest number at this place, as C reads it.
    fn number(&mut self) -> std::result::Result<Token, Wrong> {
        let rest = &self.text[self.at..];
        let unsigned = rest.strip_prefix(b"-").unwrap_or(rest);
        let strange = match unsigned {
            [b'0', b'0'..=b'9' | b'x' | b'X', ..] => true,
            [first, ..] => !first.is_ascii_digit() && *first != b'.',
            [] => true,
        };
        if strange && !self.lenient {
            return Err(Wrong("invalid number", None));
        }
        let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-');
        // No number that a script means is longer.
        let longest = rest.iter().take(400).take_while(is_part).count();
        for length in (1..=longest).rev() {
            let part = &rest[..length];
            let number = match part.strip_prefix(b"-").unwrap_or(part) {
                name if name.eq_ignore_ascii_case(b"nan") => Some(f64::NAN),
                _ => parse_f64(part),
            };
            if let Some(number) = number {
                self.at += length;
                return Ok(Token::Number(number));
            }
        }
        Err(Wrong("invalid number", None))
    }
}

impl Token {
    fn name(&self) -> &'static str {
        match self {
            Token::ObjectBegin => "T_OBJ_BEGIN",
            Token::ObjectEnd => "T_OBJ_END",
            Token::ArrayBegin => "T_ARR_BEGIN",
            Token::ArrayEnd => "T_ARR_END",
            Token::Text(_) => "T_STRING",
            Token::Number(_) => "T_NUMBER",
            Token::Boolean(_) => "T_BOOLEAN",
            Token::Null => "T_NULL",
            Token::Colon => "T_COLON",
            Token::Comma => "T_COMMA",
            Token::End => "T_END",
        }
    }
}

fn unexpected(wanted: &str, found: &str, at: usize) -> Error {
    refused(format!("Expected {wanted} but found {found} at character {}", at + 1))
}

fn refused(text: String) -> Error {
    Error::RuntimeError(text)
}
