//! What values a directive takes: the check and the one spelling that CONFIG GET shows.
//!
//! Every value passes through [`Kind::canonical`], whether it comes from a file, the command line or CONFIG SET, and
//! whether the server obeys the directive or only knows it. The refusals are Redis 7.0's own texts, because clients and
//! scripts compare them.

use super::parse;

/// The values that a directive takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// `yes` or `no`.
    Bool,
    /// A whole number within bounds, both included.
    Int {
        /// The least accepted.
        min: i64,
        /// The greatest accepted.
        max: i64,
    },
    /// A whole number that is accepted up to `i32::MAX` and then moved into `low..=high`.
    Clamped {
        /// What a smaller number becomes.
        low: i64,
        /// What a greater number becomes.
        high: i64,
    },
    /// Permission bits in octal, 0 to 777.
    Octal,
    /// A size in bytes with an optional unit.
    Memory {
        /// The least accepted, bytes.
        min: u64,
        /// The greatest accepted, bytes.
        max: u64,
    },
    /// A size in bytes, or a percentage of `maxmemory`.
    MemoryOrPercent,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Any one word.
    Text,
    /// A file's name without a directory; the name of the directive is needed for the refusal.
    FileName(&'static str),
    /// Several words, checked and rewritten by a function of their own.
    Words(fn(&[&str]) -> Result<String, String>),
}

/// 64-bit sizes that the replies show as signed numbers.
pub(super) const I64_MAX: u64 = i64::MAX as u64;
/// The bound of Redis's `int` directives.
pub(super) const I32_MAX: i64 = i32::MAX as i64;

impl Kind {
    /// Checks the values and returns them in the spelling that CONFIG GET shows; the error is Redis's text.
    pub(super) fn canonical(&self, args: &[&str]) -> Result<String, String> {
        if let Kind::Words(check) = self {
            return match args {
                [""] => check(&[]),
                // `save "900 1"` and CONFIG SET give all words in one argument. As in Redis, one blank parts two words, and
                // whoever types more of them has typed an empty word.
                [one] => check(&one.split(' ').collect::<Vec<_>>()),
                _ => check(args),
            };
        }
        let &[text] = args else { return Err("wrong number of arguments".into()) };
        match *self {
            Kind::Bool => one_of(&["yes", "no"], text).ok_or("argument must be 'yes' or 'no'".into()),
            Kind::Int { min, max } => Ok(int_between(text, min, max)?.to_string()),
            Kind::Clamped { low, high } => Ok(int_between(text, 0, I32_MAX)?.max(low).min(high).to_string()),
            Kind::Octal => {
                let bits = u32::from_str_radix(text, 8)
                    .map_err(|_| "argument couldn't be parsed as an octal number".to_owned())?;
                match bits {
                    0..=0o777 => Ok(format!("{bits:o}")),
                    _ => Err("argument must be between 0 and 777 inclusive".into()),
                }
            }
            Kind::Memory { min, max } => {
                let bytes = parse::memory(text).ok_or("argument must be a memory value")?;
                match bytes {
                    b if (min..=max).contains(&b) => Ok(b.to_string()),
                    _ => Err(format!("argument must be between {min} and {max} inclusive")),
                }
            }
            Kind::MemoryOrPercent => memory_or_percent(text),
            Kind::OneOf(words) => one_of(words, text)
                .ok_or_else(|| format!("argument(s) must be one of the following: {}", words.join(", "))),
            Kind::Text => Ok(text.to_owned()),
            Kind::FileName(name) => match text {
                "" => Err(format!("{name} can't be empty")),
                t if t.contains('/') => Err(format!("{name} can't be a path, just a filename")),
                t => Ok(t.to_owned()),
            },
            // Answered above.
            Kind::Words(_) => Ok(text.to_owned()),
        }
    }

    /// One sentence about what to write instead, for a person who reads a refusal at start.
    pub(super) fn advice(&self) -> String {
        match self {
            Kind::Bool => "Write yes or no.".into(),
            Kind::Int { min, max } => format!("Write a whole number from {min} to {max}."),
            Kind::Clamped { low, high } => format!("Write a whole number from {low} to {high}."),
            Kind::Octal => "Write permission bits in octal, such as 700.".into(),
            Kind::Memory { .. } => "Write a whole number with an optional unit: 1048576, 100mb, 2gb.".into(),
            Kind::MemoryOrPercent => "Write a size such as 100mb, or a percentage such as 5%.".into(),
            Kind::OneOf(words) => format!("Write one of: {}.", words.join(", ")),
            Kind::Text => "Write one word; put it in double quotes if it holds blanks or is empty.".into(),
            Kind::FileName(_) => "Write a file name without a directory; the directory is set by dir.".into(),
            Kind::Words(_) => "Compare the line with the example in Redis's own redis.conf.".into(),
        }
    }
}

fn one_of(words: &[&str], text: &str) -> Option<String> {
    words.iter().find(|word| word.eq_ignore_ascii_case(text)).map(|word| (*word).to_owned())
}

pub(super) fn int_between(text: &str, min: i64, max: i64) -> Result<i64, String> {
    let number = parse::integer(text).ok_or("argument couldn't be parsed into an integer")?;
    match number {
        n if (min..=max).contains(&n) => Ok(n),
        _ => Err(format!("argument must be between {min} and {max} inclusive")),
    }
}

fn memory_or_percent(text: &str) -> Result<String, String> {
    let refusal = "argument must be a memory or percent value";
    match text.strip_suffix('%') {
        Some(number) => match parse::integer(number) {
            Some(0) => Ok("0".into()),
            Some(percent @ 1..=100) => Ok(format!("{percent}%")),
            Some(101..) => Err("percentage argument must be less or equal to 100".into()),
            _ => Err(refusal.into()),
        },
        None => Ok(parse::memory(text).ok_or(refusal)?.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: Kind, text: &str, expected: Result<&str, &str>) {
        let found = kind.canonical(&[text]);
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{kind:?} {text}");
    }

    #[test]
    fn refusals_have_the_texts_of_redis() {
        let int = Kind::Int { min: -1, max: 10 };
        check(int, "-1", Ok("-1"));
        for bad in ["x", "", "+5", " 5", "010", "1e1", "99999999999999999999"] {
            check(int, bad, Err("argument couldn't be parsed into an integer"));
        }
        check(int, "11", Err("argument must be between -1 and 10 inclusive"));
        check(int, "-2", Err("argument must be between -1 and 10 inclusive"));
        check(Kind::Bool, "YES", Ok("yes"));
        check(Kind::Bool, "1", Err("argument must be 'yes' or 'no'"));
        check(Kind::Memory { min: 0, max: I64_MAX }, "1gb", Ok("1073741824"));
        check(Kind::Memory { min: 0, max: I64_MAX }, "x", Err("argument must be a memory value"));
        check(Kind::Memory { min: 5, max: 9 }, "4", Err("argument must be between 5 and 9 inclusive"));
        check(Kind::MemoryOrPercent, "10%", Ok("10%"));
        check(Kind::MemoryOrPercent, "0%", Ok("0"));
        check(Kind::MemoryOrPercent, "1m", Ok("1000000"));
        check(Kind::MemoryOrPercent, "101%", Err("percentage argument must be less or equal to 100"));
        check(Kind::MemoryOrPercent, "-1%", Err("argument must be a memory or percent value"));
        check(Kind::OneOf(&["a", "b"]), "B", Ok("b"));
        check(Kind::OneOf(&["a", "b"]), "c", Err("argument(s) must be one of the following: a, b"));
        check(Kind::Octal, "755", Ok("755"));
        check(Kind::Octal, "999", Err("argument couldn't be parsed as an octal number"));
        check(Kind::Octal, "1000", Err("argument must be between 0 and 777 inclusive"));
        check(Kind::Clamped { low: 1, high: 500 }, "0", Ok("1"));
        check(Kind::Clamped { low: 1, high: 500 }, "1000", Ok("500"));
        check(Kind::FileName("dbfilename"), "a/b", Err("dbfilename can't be a path, just a filename"));
        check(Kind::FileName("appenddirname"), "", Err("appenddirname can't be empty"));
        assert_eq!(Kind::Bool.canonical(&["yes", "no"]), Err("wrong number of arguments".into()));
    }
}
