//! Percent-encoding: keys and words of commands as they stand in a path or a query. They may be any bytes.

use super::answer::Refused;

/// The bytes that a part of a path stands for. Nothing but `%XX` is special: a plus sign is one.
pub(super) fn decode(text: &str) -> Result<Vec<u8>, Refused> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                out.push(hex(*high).ok_or_else(broken)? << 4 | hex(*low).ok_or_else(broken)?);
                tail
            }
            (b'%', _) => return Err(broken()),
            _ => {
                out.push(*first);
                tail
            }
        };
    }
    Ok(out)
}

/// Names and values of a query; no value where there is no equals sign.
pub(super) type Pairs = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// The names and values of a query, in order; in it a plus sign stands for a blank.
pub(super) fn query(text: Option<&str>) -> Result<Pairs, Refused> {
    let parts = text.unwrap_or_default().split('&').filter(|part| !part.is_empty());
    let decode = |part: &str| decode(&part.replace('+', " "));
    parts
        .map(|part| match part.split_once('=') {
            Some((name, value)) => Ok((decode(name)?, Some(decode(value)?))),
            None => Ok((decode(part)?, None)),
        })
        .collect()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

fn broken() -> Refused {
    Refused::bad("The path holds a % that no two hexadecimal digits follow: write a percent sign as %25")
}

#[cfg(test)]
mod tests {
    use super::*;
    use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
    use proptest::prelude::*;

    #[test]
    fn only_percent_signs_are_special_in_a_path() {
        assert_eq!(decode("a+b%20c%2Fd%ff").unwrap(), b"a+b c/d\xff");
        for broken in ["%", "a%2", "%zz", "%2g", "%%41"] {
            assert!(decode(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_query_is_names_with_or_without_values() {
        let pairs = query(Some("EX=100&NX&a+b=c%2Bd&&x=")).unwrap();
        let expected: Pairs = vec![
            (b"EX".to_vec(), Some(b"100".to_vec())),
            (b"NX".to_vec(), None),
            (b"a b".to_vec(), Some(b"c+d".to_vec())),
            (b"x".to_vec(), Some(Vec::new())),
        ];
        assert_eq!(pairs, expected);
        assert!(query(None).unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn whatever_a_client_encodes_comes_back(bytes: Vec<u8>) {
            let text = percent_encode(&bytes, NON_ALPHANUMERIC).to_string();
            prop_assert_eq!(decode(&text).unwrap(), bytes);
        }
    }
}
