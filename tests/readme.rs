//! What the README says of commands, settings and exit codes, held against the program.
//!
//! The list of commands is made of the table of commands: `PINSTRIPE_BLESS=1 cargo test --test readme` writes it anew.
//! The other two tables are written by hand, because their words are for people; here their facts are compared.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may end itself, and reads and writes the real README"
)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use pinstripe::cli;
use pinstripe::command::FAMILIES;
use pinstripe::config::Config;
use pinstripe::exec::{Group, Spec};

/// The groups in the README's order: data first, then what is done with it, then the machinery.
const GROUPS: [Group; 16] = [
    Group::Generic,
    Group::String,
    Group::List,
    Group::Set,
    Group::SortedSet,
    Group::Hash,
    Group::Stream,
    Group::Bitmap,
    Group::Hyperloglog,
    Group::Geo,
    Group::Pubsub,
    Group::Transactions,
    Group::Scripting,
    Group::Connection,
    Group::Server,
    Group::Cluster,
];

/// Read once, so that no test sees a file that another is writing.
static README: LazyLock<String> = LazyLock::new(|| fs::read_to_string(path()).expect("README.md"));

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")
}

#[test]
fn the_readme_lists_the_commands_that_there_are() {
    let place = section(&README, "commands");
    let wanted = command_list(FAMILIES);
    if README[place.clone()] == wanted {
        return;
    }
    if std::env::var_os("PINSTRIPE_BLESS").is_some_and(|value| value == "1") {
        let mut text = README.clone();
        text.replace_range(place, &wanted);
        fs::write(path(), text).expect("README.md can be written");
        return;
    }
    panic!(
        "README.md does not list the commands that there are. Write the list anew with\n\n    \
         PINSTRIPE_BLESS=1 cargo test --test readme\n\nIt should be:\n{wanted}"
    );
}

#[test]
fn the_readme_gives_the_defaults_of_the_settings() {
    let config = Config::default();
    let rows = rows(&README[section(&README, "settings")]);
    assert!(rows.len() > 10, "the table of settings was not understood");
    for row in rows {
        let [name, default] = [0, 1].map(|cell: usize| row[cell].trim_matches('`').to_owned());
        let known = config.text_of(&name).unwrap_or_else(|| panic!("there is no directive {name}"));
        assert_eq!(default, if known.is_empty() { "\"\"" } else { &known }, "the default of {name}");
    }
}

#[test]
fn the_readme_gives_every_exit_code() {
    let rows = rows(&README[section(&README, "exits")]);
    let told: BTreeSet<u8> = rows.iter().map(|row| row[0].parse().expect("a code")).collect();
    let all = [
        cli::EXIT_OK,
        cli::EXIT_CORRUPT_DATA,
        cli::EXIT_NO_INPUT,
        cli::EXIT_UNAVAILABLE,
        cli::EXIT_INTERNAL,
        cli::EXIT_CANNOT_CREATE,
        cli::EXIT_IO,
        cli::EXIT_LOCKED,
        cli::EXIT_ADDRESS_IN_USE,
        cli::EXIT_CONFIG,
    ];
    assert_eq!(told, BTreeSet::from(all));
}

/// The place between the lines that mark a section, each of which must be there once.
fn section(text: &str, name: &str) -> Range<usize> {
    let [begin, end] = ["begin", "end"].map(|which| {
        let mark = format!("<!-- {name}:{which} -->\n");
        let mut found = text.match_indices(&mark).map(|(at, mark)| at..at + mark.len());
        match (found.next(), found.next()) {
            (Some(place), None) => place,
            _ => panic!("the line {mark:?} must stand in README.md once"),
        }
    });
    begin.end..end.start
}

/// The cells of a table's rows, without its head.
fn rows(table: &str) -> Vec<Vec<&str>> {
    let lines = table.lines().filter(|line| line.starts_with('|')).skip(2);
    lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// The list of commands as the README has it. Every row of `families` is in it.
fn command_list(families: &[&[&[Spec]]]) -> String {
    let specs: Vec<&Spec> = families.iter().copied().flatten().copied().flatten().collect();
    let mut table = String::from("| group | commands |\n|---|---|\n");
    let (mut listed, mut missing) = (0, Vec::new());
    for group in GROUPS {
        let mut names: Vec<String> =
            specs.iter().filter(|spec| spec.group == group).map(|spec| shown(spec)).collect();
        listed += names.len();
        names.sort_unstable();
        match names.is_empty() {
            true => missing.push(group.name()),
            // Writing into a String cannot fail.
            false => writeln!(table, "| {} | {} |", group.name(), names.join(", ")).unwrap(),
        }
    }
    assert_eq!(listed, specs.len(), "a group is missing in the README's order of groups");
    if !missing.is_empty() {
        writeln!(table, "\nNothing yet of: {}.", missing.join(", ")).unwrap();
    }
    table
}

/// `GET`, or `CONFIG (GET, SET)` for a command that has subcommands. That each of those has HELP goes without saying.
fn shown(spec: &Spec) -> String {
    let name = spec.name.to_ascii_uppercase();
    let mut subs: Vec<String> = spec.subcommands.iter().map(|sub| sub.name.to_ascii_uppercase()).collect();
    subs.retain(|sub| sub != "HELP");
    subs.sort_unstable();
    if subs.is_empty() { name } else { format!("{name} ({})", subs.join(", ")) }
}

#[test]
fn a_list_has_every_row_in_its_group_and_names_what_is_missing() {
    const SUBS: &[Spec] = &[Spec { name: "set", ..Spec::DEFAULT }, Spec { name: "help", ..Spec::DEFAULT }];
    const STRING: &[Spec] = &[
        Spec { name: "set", group: Group::String, ..Spec::DEFAULT },
        Spec { name: "get", group: Group::String, ..Spec::DEFAULT },
    ];
    const SERVER: &[Spec] =
        &[Spec { name: "config", group: Group::Server, subcommands: SUBS, ..Spec::DEFAULT }];
    let list = command_list(&[&[STRING], &[SERVER]]);
    assert!(list.contains("\n| string | GET, SET |\n| server | CONFIG (SET) |\n"), "{list}");
    assert!(list.contains("Nothing yet of: generic, list, set, "), "{list}");
    assert!(!command_list(&[&[STRING]]).contains("CONFIG"));
}

#[test]
fn a_section_is_what_stands_between_its_marks() {
    let text = "a\n<!-- x:begin -->\nb | c\n<!-- x:end -->\nd\n";
    assert_eq!(&text[section(text, "x")], "b | c\n");
    for text in ["", "<!-- x:begin -->\n", "<!-- x:begin -->\n<!-- x:begin -->\n<!-- x:end -->\n"] {
        assert!(std::panic::catch_unwind(|| section(text, "x")).is_err(), "{text:?}");
    }
    assert_eq!(rows("| a | b |\n|---|---|\n| 1 | two words |\n"), [["1", "two words"]]);
}
