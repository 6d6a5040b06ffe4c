//! Glob patterns, as KEYS, SCAN, PSUBSCRIBE, CONFIG GET and ACL take them. Over bytes, not characters.
//!
//! ```text
//! *          any bytes, also none          [abc]     one of these
//! ?          any byte                      [a-z]     one of a range, its ends in either order
//! \c         c itself                      [^a-z]    one that is not
//! ```
//!
//! Unfinished patterns have a meaning, too: a class ends with the pattern at the latest, and a backslash at the end
//! stands for itself. `[]` matches nothing and `[^]` any byte.
//!
//! Patterns come from clients. A matcher that tries every length for every `*` takes exponential time on
//! `a*a*a*a*b`. It is enough to go back to the last `*`: whatever an earlier one could take, the later one can as
//! well. So the worst case is the product of both lengths.
//!
//! The empty text is matched by the empty pattern alone, not by `*`: Redis looks at no pattern where there is no text. KEYS
//! and the SCAN family take a single `*` for all names, the empty one included, before they come here.
//!
//! A pattern in which more than [`STARS_MAX`] stars are followed by something matches nothing beyond the last of these:
//! Redis has that limit, for the depth of its recursion, and its tests hold to it.

/// Stars that a match may come past.
const STARS_MAX: usize = 1000;

/// Whether the whole of `text` matches `pattern`; with `nocase`, the case of ASCII letters is ignored.
#[must_use]
pub fn matches(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    let (mut pattern, mut text) = (pattern, text);
    // Where to go on if a later part fails: the pattern after the last star, and the text it was first tried on.
    let mut retry: Option<(&[u8], &[u8])> = None;
    let mut stars = 0;
    loop {
        if let [b'*', after @ ..] = pattern {
            if after.is_empty() {
                return true;
            }
            pattern = after;
            // Several in a row mean no more than one.
            if after.first() == Some(&b'*') {
                continue;
            }
            retry = Some((after, text));
            // Where the text has ended, no star can take anything any more.
            stars += usize::from(!text.is_empty());
            if stars > STARS_MAX {
                return false;
            }
            continue;
        }
        match text {
            [] if pattern.is_empty() => return true,
            // A star that takes more leaves even less for what follows it.
            [] => return false,
            [byte, tail @ ..] => {
                if let Some(after) = match_one(pattern, *byte, nocase) {
                    pattern = after;
                    text = tail;
                } else if let Some((after, [_, tail @ ..])) = retry {
                    retry = Some((after, tail));
                    pattern = after;
                    text = tail;
                } else {
                    return false;
                }
            }
        }
    }
}

/// Matches one byte with the first item of `pattern`, which is not a star; gives what follows the item.
#[inline]
fn match_one(pattern: &[u8], byte: u8, nocase: bool) -> Option<&[u8]> {
    let (matched, after) = match pattern {
        [] => return None,
        [b'?', after @ ..] => (true, after),
        [b'[', class @ ..] => match_class(class, byte, nocase),
        [b'\\', literal, after @ ..] | [literal, after @ ..] => {
            (fold(*literal, nocase) == fold(byte, nocase), after)
        }
    };
    matched.then_some(after)
}

/// Matches one byte with the class that `class` begins with, after its `[`; gives what follows its `]`.
fn match_class(class: &[u8], byte: u8, nocase: bool) -> (bool, &[u8]) {
    let (negated, mut rest) = match class {
        [b'^', rest @ ..] => (true, rest),
        _ => (false, class),
    };
    let mut found = false;
    let folded = fold(byte, nocase);
    loop {
        rest = match rest {
            [] => return (found != negated, rest),
            // An escaped byte is compared as it is, even where case is ignored.
            [b'\\', literal, after @ ..] => {
                found |= *literal == byte;
                after
            }
            [b']', after @ ..] => return (found != negated, after),
            [from, b'-', to, after @ ..] => {
                let (from, to) = (fold(*from.min(to), nocase), fold(*from.max(to), nocase));
                found |= (from..=to).contains(&folded);
                after
            }
            [literal, after @ ..] => {
                found |= fold(*literal, nocase) == folded;
                after
            }
        };
    }
}

#[inline]
fn fold(byte: u8, nocase: bool) -> u8 {
    if nocase { byte.to_ascii_lowercase() } else { byte }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_mean_what_they_mean_to_redis() {
        let cases = [
            ("*", "", false),
            ("*", "abc", true),
            ("", "", true),
            ("", "a", false),
            ("a", "", false),
            ("**", "", false),
            ("?", "", false),
            ("a*", "a", true),
            ("a**", "a", true),
            ("*a*", "a", true),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h*llo", "hllo", true),
            ("h*llo", "heeello", true),
            ("h[ae]llo", "hallo", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-b]llo", "hbllo", true),
            ("h[b-a]llo", "hallo", true),
            ("h[a-b]llo", "hcllo", false),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("a\\", "a\\", true),
            ("[\\]]", "]", true),
            ("[]", "a", false),
            ("[^]", "a", true),
            ("[a", "a", true),
            ("[a", "b", false),
            ("[a-", "-", true),
            ("[a-]x", "a-", false),
            ("[a-]", "b", false),
            ("[", "a", false),
            ("[^", "a", true),
            ("[\\", "\\", true),
            ("a*b*c", "aXbXbc", true),
            ("a*b*c", "aXcXb", false),
            ("*a?", "xaab", true),
            ("a*?", "a", false),
            ("[a-c]*[0-9]", "b-7", true),
            ("user:*:name", "user:1:2:name", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes(), false), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn case_is_ignored_where_asked_but_not_for_escaped_bytes_in_a_class() {
        assert!(matches(b"MAX*[a-c]\\Q", b"maxmemoryBq", true));
        assert!(!matches(b"MAX*", b"maxmemory", false));
        assert!(!matches(b"[\\A]", b"a", true));
    }

    #[test]
    fn many_stars_cost_no_more_than_the_product_of_the_lengths() {
        let pattern = [&b"a*".repeat(1000)[..], b"b"].concat();
        assert!(!matches(&pattern, &vec![b'a'; 50_000], false));
        assert!(matches(&pattern, &[vec![b'a'; 50_000], vec![b'b']].concat(), false));
    }

    #[test]
    fn a_match_comes_past_a_thousand_stars_and_no_further() {
        for (stars, expected) in [(1000, true), (1001, false)] {
            let text = vec![b'a'; 5000];
            assert_eq!(matches(&b"*a".repeat(stars), &text, false), expected, "{stars}");
            // Neither stars in a row nor one at the end count.
            assert_eq!(matches(&[&b"**a".repeat(stars)[..], b"*"].concat(), &text, false), expected);
        }
    }

    fn naive(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
        if text.is_empty() { pattern.is_empty() } else { every_length(pattern, text, nocase) }
    }

    /// Tries every length for every star.
    fn every_length(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
        match (pattern, text) {
            ([], _) => text.is_empty(),
            ([b'*', after @ ..], _) => {
                (0..=text.len()).any(|taken| every_length(after, &text[taken..], nocase))
            }
            (_, [byte, tail @ ..]) => {
                match_one(pattern, *byte, nocase).is_some_and(|after| every_length(after, tail, nocase))
            }
            (_, []) => false,
        }
    }

    proptest! {
        #[test]
        fn going_back_to_the_last_star_is_enough(
            pattern in prop::collection::vec(prop::sample::select(b"**?abA[]^-\\".to_vec()), 0..10),
            text in prop::collection::vec(prop::sample::select(b"abA]-".to_vec()), 0..8),
            nocase: bool,
        ) {
            prop_assert_eq!(matches(&pattern, &text, nocase), naive(&pattern, &text, nocase));
        }
    }
}
