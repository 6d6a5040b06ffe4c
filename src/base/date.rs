//! Wall time as people write it: `2026-11-25 18:00:00`, RFC 3339, or plain Unix seconds.
//!
//! Dates are those of the Gregorian calendar, in UTC unless an offset says otherwise; leap seconds do not exist, as in
//! Unix time.

const DAY_S: i64 = 86_400;

/// Reads a time: Unix seconds, `YYYY-MM-DD`, `YYYY-MM-DD HH:MM[:SS]`, or RFC 3339 (`T` between date and time, fractions
/// of a second that are cut off, `Z` or an offset at the end). Gives Unix seconds.
pub fn parse_time(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    let day = days(number(text.get(..4)?)?, number(dashed(text, 4)?)?, number(dashed(text, 7)?)?)?;
    let rest = text.get(10..)?;
    if rest.is_empty() {
        return Some(day * DAY_S);
    }
    let clock = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, offset_s) = split_offset(clock)?;
    Some(day * DAY_S + seconds_of_day(clock)? - offset_s)
}

/// Unix seconds as RFC 3339 in UTC.
pub fn format_time(unix_s: i64) -> String {
    let (day, second) = (unix_s.div_euclid(DAY_S), unix_s.rem_euclid(DAY_S));
    let (year, month, date) = date(day);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!("{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{:02}Z", second % 60)
}

/// The two digits behind a dash at `at`.
fn dashed(text: &str, at: usize) -> Option<&str> {
    text.get(at..at + 3)?.strip_prefix('-')
}

fn number(text: &str) -> Option<i64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

fn seconds_of_day(clock: &str) -> Option<i64> {
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    number(fraction).filter(|_| !fraction.is_empty())?;
    let parts: Vec<i64> =
        clock.split(':').map(|part| number(part).filter(|_| part.len() == 2)).collect::<Option<_>>()?;
    let [hour, minute, second] = match parts[..] {
        [hour, minute] => [hour, minute, 0],
        [hour, minute, second] => [hour, minute, second],
        _ => return None,
    };
    (hour < 24 && minute < 60 && second < 60).then_some(hour * 3600 + minute * 60 + second)
}

/// Splits `Z` or `+hh:mm` off the end, and gives the offset in seconds.
fn split_offset(clock: &str) -> Option<(&str, i64)> {
    if let Some(clock) = clock.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let Some(at) = clock.rfind(['+', '-']) else { return Some((clock, 0)) };
    let (clock, offset) = clock.split_at(at);
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    Some((clock, sign * seconds_of_day(offset.get(1..)?)?))
}

/// Days from 1970-01-01 to a date; `None` for a date that there is not.
fn days(year: i64, month: i64, date: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, 28 + i64::from(leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let before = usize::try_from(month - 1).ok()?;
    if !(1..=*lengths.get(before)?).contains(&date) {
        return None;
    }
    Some(days_to_year(year) + lengths.iter().take(before).sum::<i64>() + date - 1)
}

/// Days from 1970-01-01 to the first day of a year.
fn days_to_year(year: i64) -> i64 {
    let past = year - 1;
    let leaps = past.div_euclid(4) - past.div_euclid(100) + past.div_euclid(400);
    // In the year 1970 there had been 477 leap years.
    365 * (year - 1970) + leaps - 477
}

fn date(day: i64) -> (i64, i64, i64) {
    // An estimate that is never too late, and then the year that holds the day.
    let mut year = 1970 + day.div_euclid(366);
    if year < 1970 {
        year = 1970 + day.div_euclid(365) - 1;
    }
    while days_to_year(year + 1) <= day {
        year += 1;
    }
    let mut month = 12;
    let mut first = days(year, month, 1).unwrap_or(day);
    while first > day && month > 1 {
        month -= 1;
        first = days(year, month, 1).unwrap_or(day);
    }
    (year, month, day - first + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_form() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1700000000", Some(1_700_000_000)),
            ("2023-11-14 22:13:20", Some(1_700_000_000)),
            ("2023-11-14T22:13:20Z", Some(1_700_000_000)),
            ("2023-11-14t22:13:20.999z", Some(1_700_000_000)),
            ("2023-11-15T00:13:20+02:00", Some(1_700_000_000)),
            ("2023-11-14 17:13:20-05:00", Some(1_700_000_000)),
            ("2023-11-14 22:13", Some(1_699_999_980)),
            ("2023-11-14", Some(1_699_920_000)),
            ("1969-12-31 23:59:59", Some(-1)),
            ("2024-02-29", Some(1_709_164_800)),
            ("2023-02-29", None),
            ("2023-13-01", None),
            ("2023-00-01", None),
            ("2023-11-14 24:00:00", None),
            ("2023-11-14 22:13:20.", None),
            ("2023-11-14 22:13:20 UTC", None),
            ("2023-11-14x22:13:20", None),
            ("2023-11-1", None),
            ("yesterday", None),
            ("", None),
            ("é023-11-14", None),
        ] {
            assert_eq!(parse_time(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for day in (-800_000..800_000).step_by(97).chain([-1, 0, 364, 365, 366]) {
            let second = day * DAY_S + day.rem_euclid(DAY_S);
            let text = format_time(second);
            if text.len() == 20 && !text.starts_with('-') {
                assert_eq!(parse_time(&text), Some(second), "{text}");
            }
        }
        assert_eq!(format_time(1_700_000_000), "2023-11-14T22:13:20Z");
    }
}
