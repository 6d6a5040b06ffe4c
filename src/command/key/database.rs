//! The numbers by which commands name databases: how they are read, and how they are refused.
//!
//! Redis reads them as 32-bit integers, and tells three mistakes apart: no integer at all, none of 32 bits, and none
//! that a database has.

use crate::base::number;
use crate::base::refusal::Refusal;

/// A number that a database could have if there were enough of them; may be negative.
pub(super) fn parse(word: &[u8]) -> Result<i32, Refusal> {
    let number = number::parse_i64(word).ok_or(Refusal::NotInteger)?;
    i32::try_from(number).map_err(|_| {
        Refusal::line("ERR value is out of range, value must between -2147483648 and 2147483647")
    })
}

/// The number, if one of `databases` databases has it.
pub(super) fn existing(number: i32, databases: usize) -> Result<usize, Refusal> {
    let number = usize::try_from(number).ok().filter(|&number| number < databases);
    number.ok_or_else(|| Refusal::err("DB index is out of range"))
}

/// What commands between two databases answer when both ends are one.
pub(super) const SAME_OBJECT: Refusal = Refusal::line("ERR source and destination objects are the same");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_mistakes_are_told_apart() {
        assert_eq!(parse(b"x"), Err(Refusal::NotInteger));
        assert!(parse(b"2147483648").is_err_and(|refusal| refusal.text().contains("out of range, value")));
        assert_eq!(parse(b"-1"), Ok(-1));
        assert_eq!(existing(15, 16), Ok(15));
        assert!(existing(16, 16).is_err_and(|refusal| refusal.text() == "ERR DB index is out of range"));
        assert!(existing(-1, 16).is_err());
    }
}
