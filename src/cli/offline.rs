//! The sub-commands that work on a directory without serving it.
//!
//! ```text
//! pinstripe check DIR [--directive value …]…
//! pinstripe repair DIR --to SEQ|TIME|last --into NEWDIR [--directive value …]…
//! pinstripe restore DIR --at TIME --into NEWDIR [--directive value …]…
//! ```
//!
//! Directives are for directories that do not have the usual names (`--appenddirname`, `--appendfilename`,
//! `--dbfilename`), or more databases.

use std::ffi::OsString;
use std::path::PathBuf;

use super::{Action, Request, text, wrong};
use crate::base::date;
use crate::config::ConfigError;
use crate::log::Target;

/// `check` found everything whole.
pub const EXIT_CLEAN: u8 = 0;
/// `check` found an unfinished end, as a crash leaves it: the server starts by itself, and keeps it aside.
pub const EXIT_TORN: u8 = 1;
/// `check` found damage, or `repair` or `restore` could not do what they were asked.
pub const EXIT_DAMAGED: u8 = 2;

/// What to do with which directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offline {
    pub task: Task,
    /// The data directory: what `dir` names.
    pub dir: PathBuf,
    /// The directives.
    pub request: Request,
}

/// See the head of this file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    Check,
    Copy { to: Target, into: PathBuf },
}

/// Reads what follows the name of a sub-command. `None` when the word is none.
pub(super) fn parse(
    word: &str,
    args: &mut dyn Iterator<Item = OsString>,
) -> Option<Result<Action, ConfigError>> {
    let (option, advice) = match word {
        "check" => (None, "pinstripe check DIR"),
        "repair" => (Some("--to"), "pinstripe repair DIR --to SEQ|TIME|last --into NEWDIR"),
        "restore" => (Some("--at"), "pinstripe restore DIR --at TIME --into NEWDIR"),
        _ => return None,
    };
    Some(parse_rest(word, option, advice, args))
}

fn parse_rest(
    word: &str,
    option: Option<&'static str>,
    advice: &str,
    args: &mut dyn Iterator<Item = OsString>,
) -> Result<Action, ConfigError> {
    let (mut dir, mut to, mut into) = (None, None, None);
    let mut directives = Vec::new();
    while let Some(arg) = args.next() {
        if arg == "--help" || arg == "-h" {
            return Ok(Action::Help);
        }
        if option.is_some_and(|option| arg == option) {
            let value = text(args.next().unwrap_or_default())?;
            let target = target(word, &value);
            to = Some(target.ok_or_else(|| wrong(&value, "is neither a number nor a time", TIMES))?);
        } else if option.is_some() && arg == "--into" {
            into = args.next().map(PathBuf::from);
        } else if dir.is_none() && directives.is_empty() && !super::starts_with(&arg, "-") {
            dir = Some(PathBuf::from(arg));
        } else {
            directives.push(arg);
            directives.extend(args.next());
        }
    }
    let request = match super::parse_server(directives)? {
        Action::Run(request) if request.file.is_none() => request,
        _ => return Err(wrong(word, "takes no other arguments than directives", advice)),
    };
    let task = match (option, to, into) {
        (None, ..) => Some(Task::Check),
        (Some(_), Some(to), Some(into)) => Some(Task::Copy { to, into }),
        _ => None,
    };
    match (dir, task) {
        (Some(dir), Some(task)) => Ok(Action::Offline(Offline { task, dir, request })),
        _ => Err(wrong(word, "needs more", advice)),
    }
}

const TIMES: &str = "Times are Unix seconds, 2026-11-25 18:00:00 (UTC) or 2026-11-25T18:00:00+01:00; where a sequence \
                     number can stand, too, write @ before Unix seconds.";

fn target(word: &str, value: &str) -> Option<Target> {
    if let Some(time) = value.strip_prefix('@') {
        return date::parse_time(time).map(Target::Time);
    }
    match (word, value.parse()) {
        ("repair", Ok(seq)) => Some(Target::Seq(seq)),
        ("repair", Err(_)) if value == "last" => Some(Target::Last),
        _ => date::parse_time(value).map(Target::Time),
    }
}

/// What `--help` says of them.
pub(super) const HELP: &str = "
Without serving:
  pinstripe check DIR                                 look through a directory; ends with 0 = clean, 1 = an
                                                      unfinished end, with which the server starts, 2 = damaged
  pinstripe repair DIR --to SEQ|TIME|last --into NEW  copy what is good up to there, and say what is left out
  pinstripe restore DIR --at TIME --into NEW          copy the data as it was at a time (see aof-keep-history)
";

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Action, ConfigError> {
        super::super::parse(line.split('|').map(OsString::from))
    }

    fn offline(task: Task, overrides: &[&[&str]]) -> Action {
        let words = |words: &&[&str]| words.iter().map(ToString::to_string).collect();
        let request = Request { file: None, overrides: overrides.iter().map(words).collect() };
        Action::Offline(Offline { task, dir: "d".into(), request })
    }

    #[test]
    fn sub_commands_are_told_from_files_and_take_directives() {
        assert_eq!(parsed("check|d"), Ok(offline(Task::Check, &[])));
        assert_eq!(parsed("check|d|--databases|32"), Ok(offline(Task::Check, &[&["databases", "32"]])));
        let copy = |to| Task::Copy { to, into: "n".into() };
        assert_eq!(parsed("repair|d|--to|7|--into|n"), Ok(offline(copy(Target::Seq(7)), &[])));
        assert_eq!(parsed("repair|d|--into|n|--to|last"), Ok(offline(copy(Target::Last), &[])));
        assert_eq!(parsed("repair|d|--to|@7|--into|n"), Ok(offline(copy(Target::Time(7)), &[])));
        let time = copy(Target::Time(1_700_000_000));
        assert_eq!(parsed("restore|d|--at|1700000000|--into|n"), Ok(offline(time.clone(), &[])));
        assert_eq!(parsed("restore|d|--at|2023-11-14 22:13:20|--into|n"), Ok(offline(time, &[])));
        assert!(matches!(parsed("./check"), Ok(Action::Run(_))));
    }

    #[test]
    fn what_is_missing_or_makes_no_sense_is_told() {
        for bad in [
            "check",
            "check|a|b",
            "check|d|--into|n",
            "repair|d|--to|7",
            "repair|d|--into|n",
            "repair|d|--to|soon|--into|n",
            "restore|d|--at|last|--into|n",
            "restore|d|--to|7|--into|n",
            "restore|d|--at",
            "check|d|--check-config",
        ] {
            let outcome = parsed(bad);
            let unknown = matches!(&outcome, Ok(Action::Offline(task)) if !task.request.overrides.is_empty());
            assert!(outcome.is_err() || unknown, "{bad}: {outcome:?}");
        }
        assert_eq!(parsed("check|--help"), Ok(Action::Help));
    }
}
