//! The longest common subsequence of two byte strings, 64 pairs of positions at a time.
//!
//! The textbook's table holds for each pair of prefixes how long their common subsequence is: `L[i][j]` for the first i
//! bytes of `a` and the first j of `b`. Neighbours in a row differ by 0 or 1, so a row is a row of bits (0 where the
//! length goes up), and the next row follows from it by one addition and three bit operations a word (Crochemore,
//! Iliopoulos, Pinzon, Reid: "A fast and practical bit-vector algorithm for the longest common subsequence problem",
//! 2001).
//!
//! The way back from the last corner needs no more than these bits. Where the bytes differ it goes up if
//! `L[i-1][j] > L[i][j-1]`, else left. As `L[i][j]` is the larger of the two there, this asks whether the length goes
//! up from j-1 to j within row i.

/// A run of bytes that both strings have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Match {
    /// Where it starts in the first string.
    pub(super) a: usize,
    /// Where it starts in the second string.
    pub(super) b: usize,
    /// In bytes; at least 1.
    pub(super) length: usize,
}

/// Length of the longest common subsequence. Takes the memory of two rows of bits.
pub(super) fn length(a: &[u8], b: &[u8]) -> usize {
    let mut masks = Masks::new(b);
    let mut row = masks.first_row();
    let mut next = Vec::with_capacity(row.len());
    for &byte in a {
        next.clear();
        append_next_row(&row, masks.of(byte), &mut next);
        std::mem::swap(&mut row, &mut next);
    }
    row.iter().map(|word| word.count_zeros() as usize).sum()
}

/// The runs that make up the longest common subsequence, from the last to the first. Takes a bit for each pair of
/// positions (the rows being filled up to whole words).
pub(super) fn matches(a: &[u8], b: &[u8]) -> Vec<Match> {
    let mut masks = Masks::new(b);
    let words = masks.words;
    // Row i, that of the first i bytes of a, begins at word i * words.
    let mut rows = Vec::with_capacity((a.len() + 1) * words);
    rows.extend(masks.first_row());
    let mut last = masks.first_row();
    for &byte in a {
        append_next_row(&last, masks.of(byte), &mut rows);
        last.copy_from_slice(&rows[rows.len() - words..]);
    }
    let goes_up = |i: usize, j: usize| rows[i * words + (j - 1) / 64] >> ((j - 1) % 64) & 1 == 0;

    let mut found: Vec<Match> = Vec::new();
    let (mut i, mut j) = (a.len(), b.len());
    while i > 0 && j > 0 {
        if a[i - 1] == b[j - 1] {
            match found.last_mut() {
                Some(run) if (run.a, run.b) == (i, j) => {
                    *run = Match { a: i - 1, b: j - 1, length: run.length + 1 };
                }
                _ => found.push(Match { a: i - 1, b: j - 1, length: 1 }),
            }
            (i, j) = (i - 1, j - 1);
        } else if goes_up(i, j) {
            i -= 1;
        } else {
            j -= 1;
        }
    }
    found
}

/// Where each byte occurs in a text, as rows of bits; made for a byte when it is first asked for.
struct Masks<'t> {
    text: &'t [u8],
    words: usize,
    by_byte: Vec<Option<Vec<u64>>>,
}

impl<'t> Masks<'t> {
    fn new(text: &'t [u8]) -> Self {
        Masks { text, words: text.len().div_ceil(64), by_byte: vec![None; 256] }
    }

    /// The row of an empty prefix: the length goes up nowhere. Bits beyond the text stay 1 in all rows that follow.
    fn first_row(&self) -> Vec<u64> {
        vec![u64::MAX; self.words]
    }

    fn of(&mut self, byte: u8) -> &[u64] {
        let text = self.text;
        self.by_byte[usize::from(byte)].get_or_insert_with(|| {
            let bit = |(place, &other): (usize, &u8)| u64::from(other == byte) << place;
            text.chunks(64).map(|chunk| chunk.iter().enumerate().map(bit).sum()).collect()
        })
    }
}

/// The row after `row`, for a byte that occurs in the text at the bits of `mask`.
fn append_next_row(row: &[u64], mask: &[u64], out: &mut Vec<u64>) {
    let mut carry = false;
    for (&word, &mask) in row.iter().zip(mask) {
        let (sum, carries) = word.carrying_add(word & mask, carry);
        out.push(sum | word & !mask);
        carry = carries;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The textbook's table, and the way back with Redis's choices.
    fn naive(a: &[u8], b: &[u8]) -> (usize, Vec<Match>) {
        let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
        for i in 1..=a.len() {
            for j in 1..=b.len() {
                table[i][j] = if a[i - 1] == b[j - 1] {
                    table[i - 1][j - 1] + 1
                } else {
                    table[i - 1][j].max(table[i][j - 1])
                };
            }
        }
        let (mut i, mut j) = (a.len(), b.len());
        let (mut pairs, mut runs) = (Vec::new(), Vec::<Match>::new());
        while i > 0 && j > 0 {
            if a[i - 1] == b[j - 1] {
                (i, j) = (i - 1, j - 1);
                pairs.push((i, j));
            } else if table[i - 1][j] > table[i][j - 1] {
                i -= 1;
            } else {
                j -= 1;
            }
        }
        for (a, b) in pairs {
            match runs.last_mut() {
                Some(run) if run.a == a + 1 && run.b == b + 1 => {
                    *run = Match { a, b, length: run.length + 1 }
                }
                _ => runs.push(Match { a, b, length: 1 }),
            }
        }
        (table[a.len()][b.len()], runs)
    }

    #[test]
    fn nothing_is_common_with_the_empty_string() {
        for (a, b) in [(b"".as_slice(), b"".as_slice()), (b"", b"a"), (b"a", b""), (b"abc", b"xyz")] {
            assert_eq!((length(a, b), matches(a, b)), (0, Vec::new()));
        }
    }

    #[test]
    fn a_run_may_cross_the_border_of_a_word() {
        let text: Vec<u8> = (0..=255).collect();
        assert_eq!(matches(&text, &text), [Match { a: 0, b: 0, length: 256 }]);
        assert_eq!(matches(&text, &text[10..]), [Match { a: 10, b: 0, length: 246 }]);
    }

    proptest! {
        #[test]
        fn bits_tell_what_the_textbook_table_tells(
            a in proptest::collection::vec(0u8..4, 0..200),
            b in proptest::collection::vec(0u8..4, 0..200),
        ) {
            let (expected_length, expected_matches) = naive(&a, &b);
            prop_assert_eq!(length(&a, &b), expected_length);
            prop_assert_eq!(matches(&a, &b), expected_matches);
        }
    }
}
