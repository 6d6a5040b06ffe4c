//! A script's first line, if it begins with `#!`: `#!lua flags=no-writes,allow-oom`.

use crate::base::refusal::Refusal;

/// What a script has said of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flags {
    /// It has such a first line: then what it does not allow is held against it before it runs, not when it does it.
    pub declared: bool,
    /// It writes nothing.
    pub no_writes: bool,
    /// It may run when memory is used up.
    pub allow_oom: bool,
}

impl Flags {
    /// True when it may run with memory used up: what writes nothing needs none.
    pub fn may_fill(self) -> bool {
        self.allow_oom || self.no_writes
    }
}

/// The flags of a script and what is to be compiled: the first line is blanked, so that lines keep their numbers.
pub(super) fn parse(text: &[u8]) -> Result<(Flags, Vec<u8>), Refusal> {
    let mut flags = Flags::default();
    if !text.starts_with(b"#!") {
        return Ok((flags, text.to_vec()));
    }
    let end =
        text.iter().position(|&byte| byte == b'\n').ok_or(Refusal::line("ERR Invalid script shebang"))?;
    flags.declared = true;
    let line = String::from_utf8_lossy(&text[..end]);
    let mut words = line.split_ascii_whitespace();
    let engine = words.next().unwrap_or_default();
    if engine != "#!lua" {
        return Err(Refusal::err(format!("Unexpected engine in script shebang: {engine}")));
    }
    for option in words {
        let list = option
            .strip_prefix("flags=")
            .ok_or_else(|| Refusal::err(format!("Unknown lua shebang option: {option}")))?;
        for flag in list.split(',').filter(|flag| !flag.is_empty()) {
            match flag {
                "no-writes" => flags.no_writes = true,
                "allow-oom" => flags.allow_oom = true,
                // This server is no replica, and in no cluster.
                "allow-stale" | "no-cluster" | "allow-cross-slot-keys" => {}
                _ => return Err(Refusal::err(format!("Unexpected flag in script shebang: {flag}"))),
            }
        }
    }
    Ok((flags, text[end..].to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_and_lines_keep_their_numbers() {
        assert_eq!(parse(b"return 1"), Ok((Flags::default(), b"return 1".to_vec())));
        let declared = Flags { declared: true, ..Flags::default() };
        assert_eq!(parse(b"#!lua\nreturn 1"), Ok((declared, b"\nreturn 1".to_vec())));
        let both = Flags { no_writes: true, allow_oom: true, ..declared };
        assert_eq!(parse(b"#!lua flags=no-writes,allow-oom\nx").map(|parsed| parsed.0), Ok(both));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let refused = |text: &[u8]| parse(text).map_err(|refusal| refusal.text().into_owned()).unwrap_err();
        assert_eq!(refused(b"#!lua"), "ERR Invalid script shebang");
        assert_eq!(refused(b"#!foo\n"), "ERR Unexpected engine in script shebang: #!foo");
        assert_eq!(refused(b"#!lua name=x\n"), "ERR Unknown lua shebang option: name=x");
        assert_eq!(refused(b"#!lua flags=bad\n"), "ERR Unexpected flag in script shebang: bad");
    }
}
