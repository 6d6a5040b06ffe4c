//! The arguments of `pinstripe import` and `pinstripe export`, read by clap: unlike the server's, which have redis-server's
//! free form, these are ours to choose.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{CommandFactory, FromArgMatches, Parser, ValueEnum};

use super::Action;

/// The form of what is imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum InputFormat {
    /// As the contents, or else the name, tell.
    Auto,
    /// JSON Lines: a key a line, with database, type and expiry.
    Jsonl,
    /// One JSON object of keys to values.
    Json,
    /// A snapshot such as dump.rdb.
    Rdb,
    /// An append-only file, or the directory of one.
    Aof,
}

/// The form of what is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// JSON Lines: everything.
    Jsonl,
    /// One JSON object of the string keys of database 0.
    Json,
}

/// Brings keys from a file into a data directory or a running server.
///
/// Keys that are there already are replaced. Into a directory all comes or nothing; into a server nothing is sent before
/// the whole file has been read and found good.
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(name = "pinstripe import")]
pub struct Import {
    /// JSON Lines, a JSON object of keys to values, an RDB file, an append-only file, or the directory of one
    pub file: PathBuf,
    /// The data directory of a server that is not running
    #[arg(long, value_name = "DIR", required_unless_present = "to", conflicts_with = "to")]
    pub dir: Option<PathBuf>,
    /// A running server: redis://[[user]:password@]host[:port][/db]; with /db every key goes into that database
    #[arg(long, value_name = "URL")]
    pub to: Option<String>,
    /// The form of FILE
    #[arg(long, value_enum, default_value = "auto")]
    pub format: InputFormat,
    /// The number of databases that the directory's server has
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    pub databases: u32,
}

/// Writes the keys of a data directory, a file or a running server as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(name = "pinstripe export")]
pub struct Export {
    /// A data directory whose server is not running, an RDB or append-only file, or a running server:
    /// redis://[[user]:password@]host[:port][/db]
    #[arg(value_name = "DIR|URL")]
    pub from: OsString,
    /// JSON Lines with everything, or one JSON object of the string keys of database 0
    #[arg(long, value_enum, default_value = "jsonl")]
    pub format: OutputFormat,
    /// Where to write; standard output without it. A file appears when it is whole
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The number of databases that the directory's server has
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    pub databases: u32,
}

/// Reads the words behind `pinstripe import`.
pub(super) fn import(words: Vec<OsString>) -> Action {
    read::<Import>("pinstripe import", words, Action::Import)
}

/// Reads the words behind `pinstripe export`.
pub(super) fn export(words: Vec<OsString>) -> Action {
    read::<Export>("pinstripe export", words, Action::Export)
}

fn read<T: CommandFactory + FromArgMatches>(
    name: &'static str,
    words: Vec<OsString>,
    action: fn(T) -> Action,
) -> Action {
    let all = std::iter::once(OsString::from(name)).chain(words);
    let command = T::command().disable_version_flag(true);
    match command.try_get_matches_from(all).and_then(|matches| T::from_arg_matches(&matches)) {
        Ok(request) => action(request),
        Err(answer) if answer.use_stderr() => Action::Misused(answer.to_string()),
        Err(answer) => Action::Explain(answer.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn an_import_goes_to_one_place() {
        let Action::Import(request) = import(words("x.json --dir d --format json")) else {
            panic!("not understood");
        };
        assert_eq!((request.dir, request.to, request.format), (Some("d".into()), None, InputFormat::Json));
        for wrong in ["x", "--dir d", "x --dir d --to redis://h", "x --dir d --databases 0", "x --to"] {
            assert!(matches!(import(words(wrong)), Action::Misused(_)), "{wrong}");
        }
    }

    #[test]
    fn help_is_an_answer_and_no_mistake() {
        for answer in [import(words("--help")), export(words("--help"))] {
            assert!(matches!(answer, Action::Explain(text) if text.contains("redis://")));
        }
        assert!(matches!(export(words("d -o f --format json")), Action::Export(_)));
        assert!(matches!(export(words("d --format xml")), Action::Misused(_)));
    }
}
