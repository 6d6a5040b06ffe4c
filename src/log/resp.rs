//! The one shape of command that a log holds: an array of bulk strings, counted in decimal.
//!
//! Much narrower than what clients may send, so it is read by a loop of its own, at the speed of replay.

/// The outcome of reading one command.
pub(crate) enum Parsed {
    /// Whole; it ends before this offset.
    Command(usize),
    /// The input ends first, and is right so far.
    Short,
    Bad,
}

/// Reads the command at `pos` and appends its arguments to `args`. On `Short` and `Bad` some may have been
/// appended.
pub(crate) fn parse_command<'a>(data: &'a [u8], pos: usize, args: &mut Vec<&'a [u8]>) -> Parsed {
    let (count, mut pos) = match parse_count(data, pos, b'*') {
        Count::Is(count, pos) => (count, pos),
        Count::Short => return Parsed::Short,
        Count::Bad => return Parsed::Bad,
    };
    if count == 0 {
        return Parsed::Bad;
    }
    for _ in 0..count {
        let (len, start) = match parse_count(data, pos, b'$') {
            Count::Is(len, pos) => (len, pos),
            Count::Short => return Parsed::Short,
            Count::Bad => return Parsed::Bad,
        };
        let end = start.saturating_add(len);
        let Some(arg) = data.get(start..end) else { return Parsed::Short };
        match data.get(end..).unwrap_or_default() {
            [b'\r', b'\n', ..] => {}
            [] | [b'\r'] => return Parsed::Short,
            _ => return Parsed::Bad,
        }
        args.push(arg);
        pos = end + 2;
    }
    Parsed::Command(pos)
}

enum Count {
    Is(usize, usize),
    Short,
    Bad,
}

/// Digits that a count may have: room for the largest value that any server of this protocol takes.
const DIGITS_MAX: usize = 10;

#[inline]
fn parse_count(data: &[u8], pos: usize, mark: u8) -> Count {
    let text = data.get(pos..).unwrap_or_default();
    match text.first() {
        Some(&b) if b == mark => {}
        Some(_) => return Count::Bad,
        None => return Count::Short,
    }
    let mut n = 0usize;
    for (i, &b) in text.iter().enumerate().skip(1) {
        match b {
            b'0'..=b'9' if i <= DIGITS_MAX => n = n * 10 + usize::from(b - b'0'),
            b'\r' if i > 1 => {
                return match text.get(i + 1) {
                    Some(b'\n') => Count::Is(n, pos + i + 2),
                    Some(_) => Count::Bad,
                    None => Count::Short,
                };
            }
            _ => return Count::Bad,
        }
    }
    Count::Short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let mut args = Vec::new();
        let outcome = match parse_command(text.as_bytes(), 0, &mut args) {
            Parsed::Command(end) => format!("{} {:?}", end, args.iter().map(|a| a.len()).collect::<Vec<_>>()),
            Parsed::Short => "short".to_owned(),
            Parsed::Bad => "bad".to_owned(),
        };
        assert_eq!(outcome, expected, "{text:?}");
    }

    #[test]
    fn commands_are_whole_short_or_bad() {
        check("*2\r\n$3\r\nGET\r\n$1\r\nk\r\nmore", "20 [3, 1]");
        check("*1\r\n$0\r\n\r\n", "10 [0]");
        for short in
            ["", "*", "*1", "*1\r", "*1\r\n", "*1\r\n$3\r\nGE", "*1\r\n$3\r\nGET", "*1\r\n$3\r\nGET\r"]
        {
            check(short, "short");
        }
        for bad in [
            "+",
            "*x",
            "*\r\n",
            "*0\r\n",
            "*-1\r\n",
            "*1\r\r",
            "*1\r\n:1\r\n",
            "*1\r\n$1\r\nabc",
            "*99999999999\r\n",
        ] {
            check(bad, "bad");
        }
    }
}
