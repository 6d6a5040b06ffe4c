//! Patterns that name a value by an element, as BY and GET of SORT have them.
//!
//! ```text
//! #                the element itself
//! weight_*         the string at the key that has the element in place of the first *
//! user_*->name     the field `name` of the hash at such a key; with nothing after it, -> is part of the key
//! ```
//!
//! A pattern without * names nothing.

use crate::base::clock::Millis;
use crate::table::{Entry, Table};
use crate::value::ValueRef;

/// A parsed pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pattern<'a> {
    /// The element.
    Element,
    /// The value at a key, or one field of it.
    Key {
        /// What stands before the element in the key.
        before: &'a [u8],
        /// What stands after it.
        after: &'a [u8],
        /// The field of the hash; the key holds a string where there is none.
        field: Option<&'a [u8]>,
    },
    /// Nothing, whatever the element.
    Nothing,
}

impl<'a> Pattern<'a> {
    /// Reads a pattern.
    pub(super) fn new(text: &'a [u8]) -> Self {
        if text == b"#" {
            return Pattern::Element;
        }
        let Some(star) = text.iter().position(|&byte| byte == b'*') else { return Pattern::Nothing };
        let (before, rest) = (&text[..star], &text[star + 1..]);
        let arrow = rest.windows(2).position(|pair| pair == b"->").filter(|at| at + 2 < rest.len());
        match arrow {
            Some(at) => Pattern::Key { before, after: &rest[..at], field: Some(&rest[at + 2..]) },
            None => Pattern::Key { before, after: rest, field: None },
        }
    }

    /// The value that the pattern names with this element, if there is one of the right type.
    ///
    /// The key is looked at without removing it: a command that reads keys it was not given cannot log a removal.
    pub(super) fn find(&self, element: &[u8], table: &Table, db: usize, now: Millis) -> Option<Vec<u8>> {
        let (key, field) = match *self {
            Pattern::Element => return Some(element.to_vec()),
            Pattern::Key { before, after, field } => ([before, element, after].concat(), field),
            Pattern::Nothing => return None,
        };
        table.write(table.address(db, &key), &key, Millis::MIN, |slot| {
            let entry = slot.entry().filter(|entry| entry.expiry() > now)?;
            text_of(entry, field, now)
        })
    }
}

fn text_of(entry: &Entry, field: Option<&[u8]>, now: Millis) -> Option<Vec<u8>> {
    let text = match (entry.value(), field) {
        (ValueRef::Text(text), None) => text,
        (ValueRef::Hash(hash), Some(name)) => hash.field(name).filter(|field| field.deadline > now)?.value,
        _ => return None,
    };
    Some(text.bytes(&mut itoa::Buffer::new()).to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_star_stands_for_the_element_and_an_arrow_after_it_leads_to_a_field() {
        let key = |before, after, field| Pattern::Key { before, after, field };
        let cases: [(&[u8], Pattern<'_>); 10] = [
            (b"#", Pattern::Element),
            (b"", Pattern::Nothing),
            (b"nosort", Pattern::Nothing),
            (b"key->field", Pattern::Nothing),
            (b"*", key(b"", b"", None)),
            (b"w_*_x", key(b"w_", b"_x", None)),
            (b"*_*", key(b"", b"_*", None)),
            (b"u_*->name", key(b"u_", b"", Some(b"name"))),
            (b"u_*->", key(b"u_", b"->", None)),
            (b"a->b*c->d->e", key(b"a->b", b"c", Some(b"d->e"))),
        ];
        for (text, expected) in cases {
            assert_eq!(Pattern::new(text), expected, "{text:?}");
        }
    }
}
