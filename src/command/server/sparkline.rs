//! A picture of a series in lines of text: a column each, its label below, read downwards.
//!
//! ```text
//!    #         the highest
//!    |
//! _o |
//!
//! 531          labels
//! sss
//! ```

/// Lines of the picture above the labels.
const HEIGHT: u64 = 4;
/// Marks within a line: three steps that a column's top may have.
const TOPS: [char; 3] = ['_', 'o', '#'];

/// Draws columns of (length, label). Trailing blanks of a line are left out.
pub(super) fn sparkline(columns: &[(u64, String)]) -> String {
    let (low, high) =
        columns.iter().fold((u64::MAX, 0), |(low, high), (length, _)| (low.min(*length), high.max(*length)));
    // Heights count in steps of a third of a line; the lowest column stands on the first step.
    let steps = HEIGHT * TOPS.len() as u64 - 1;
    let height = |length: u64| match high.saturating_sub(low) {
        0 => steps,
        range => (u128::from(length - low) * u128::from(steps) / u128::from(range)) as u64,
    };
    let mut text = String::new();
    for line in (0..HEIGHT).rev() {
        push_line(&mut text, columns, |(length, _)| {
            let top = height(*length);
            match (top / TOPS.len() as u64).cmp(&line) {
                std::cmp::Ordering::Less => ' ',
                std::cmp::Ordering::Equal => TOPS[(top % TOPS.len() as u64) as usize],
                std::cmp::Ordering::Greater => '|',
            }
        });
    }
    text.push('\n');
    let deepest = columns.iter().map(|(_, label)| label.chars().count()).max().unwrap_or(0);
    for depth in 0..deepest {
        push_line(&mut text, columns, |(_, label)| label.chars().nth(depth).unwrap_or(' '));
    }
    text
}

fn push_line(text: &mut String, columns: &[(u64, String)], mark: impl Fn(&(u64, String)) -> char) {
    let line: String = columns.iter().map(mark).collect();
    text.push_str(line.trim_end());
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(lengths: &[u64]) -> Vec<String> {
        let columns: Vec<_> = lengths.iter().map(|length| (*length, "1s".to_owned())).collect();
        sparkline(&columns).lines().map(str::to_owned).collect()
    }

    #[test]
    fn the_highest_column_reaches_the_top_and_the_lowest_the_ground() {
        assert_eq!(draw(&[20, 30]), [" #", " |", " |", "_|", "", "11", "ss"]);
        assert_eq!(draw(&[0, 5, 11]), ["  #", "  |", " #|", "_||", "", "111", "sss"]);
    }

    #[test]
    fn equal_columns_are_all_high_and_nothing_draws_nothing() {
        assert_eq!(draw(&[7, 7])[0], "##");
        assert_eq!(sparkline(&[]), "\n\n\n\n\n");
        assert_eq!(draw(&[0, u64::MAX])[0], " #");
    }
}
