//! LOLWUT [VERSION version] [columns [rows]] — pinstriped cloth, cut anew for every caller, and the version.

use crate::base::number;
use crate::base::random::Random;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Context, Effect, Group, Run, Session, Spec, flag};
use crate::resp::reply::Reply;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "lolwut",
    arity: -1,
    flags: flag::READONLY | flag::FAST,
    since: "5.0.0",
    group: Group::Server,
    summary: "Shows some art and the version.",
    complexity: "O(N*M) where N and M are the width and height of the cloth.",
    syntax: "[VERSION version] [columns [rows]]",
    run: Run::Host(lolwut),
    ..Spec::DEFAULT
}];

/// Columns and rows when none are asked for, and the most that are given: a screen.
const CLOTH: (usize, usize) = (48, 8);
const CLOTH_MAX: (usize, usize) = (200, 60);

fn lolwut(
    args: &mut Args<'_>,
    _: &Context,
    _: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    // Each version of Redis has its own picture; here there is one.
    if args.left() >= 2 && args.accept("version") {
        args.int()?;
    }
    // As in Redis what is no number does not matter: nobody shall be refused art.
    let mut size = |default: usize, max: usize| {
        let asked = args.next().and_then(number::parse_i64).and_then(|n| usize::try_from(n).ok());
        asked.filter(|&n| n > 0).unwrap_or(default).min(max)
    };
    let (columns, rows) = (size(CLOTH.0, CLOTH_MAX.0), size(CLOTH.1, CLOTH_MAX.1));
    let text = format!(
        "{}\nPinstripe ver. {}\nRedis ver. {}\n",
        cloth(columns, rows, &mut args.random()),
        crate::base::version::VERSION,
        crate::base::version::REDIS_VERSION
    );
    reply.verbatim(b"txt", text.as_bytes());
    Ok(Effect::None)
}

/// Threads of a few weights at even distances, as a tailor would choose them.
fn cloth(columns: usize, rows: usize, random: &mut Random) -> String {
    const THREADS: [char; 4] = ['│', '┃', '┊', '║'];
    let distance = 2 + random.below(4) as usize;
    let repeat: Vec<char> = (0..1 + random.below(3)).map(|_| THREADS[random.below(4) as usize % 4]).collect();
    let row: String = (0..columns)
        .map(|column| match column % distance {
            0 => repeat[column / distance % repeat.len()],
            _ => ' ',
        })
        .collect();
    let mut text = String::with_capacity((row.len() + 1) * rows);
    for _ in 0..rows {
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cloth_has_the_size_that_was_asked_for() {
        let mut random = Random::seeded(7);
        for (columns, rows) in [(1, 1), (48, 8), (200, 60)] {
            let text = cloth(columns, rows, &mut random);
            assert_eq!(text.lines().count(), rows);
            assert!(text.lines().all(|line| (1..=columns).contains(&line.chars().count())), "{text}");
        }
    }
}
