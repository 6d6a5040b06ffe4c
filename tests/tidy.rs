//! The rules of the house that the compiler does not know, checked over the source text, and tested themselves.
//!
//! ```text
//! F7  main  lib  boot  cli  logging  port      wiring only: may use everything
//! F6  server
//! F5  gateway  replica
//! F4  command
//! F3  exec
//! F2  table log config acl pubsub script observe waiters clients tracking
//! F1  resp  value
//! F0  base
//! ```
//!
//! A folder, or a file beside it of that name, uses itself and lower floors; never a higher one and never a sibling. That is
//! what keeps the wire ignorant of the data types, and the data types of everything.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may end itself, and reads the real source"
)]

use std::fs;
use std::path::{Path, PathBuf};

/// Where each part of the house stands.
const FLOORS: &[(u8, &[&str])] = &[
    (7, &["main", "lib", "boot", "cli", "logging", "port"]),
    (6, &["server"]),
    (5, &["gateway", "replica"]),
    (4, &["command"]),
    (3, &["exec"]),
    (2, &["table", "log", "config", "acl", "pubsub", "script", "observe", "waiters", "clients", "tracking"]),
    (1, &["resp", "value"]),
    (0, &["base"]),
];

/// The floor of wiring, whose parts may use each other.
const TOP: u8 = 7;

/// A file that one reads at a sitting.
const LINES_MAX: usize = 700;

/// What must not be left behind. Cut in two, so that this file does not hold them.
const BANNED: &[&str] = &[
    concat!("to", "do!"),
    concat!("unimple", "mented!"),
    concat!("db", "g!"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];

#[test]
fn a_folder_uses_only_lower_floors() {
    check(&["src"], floor_violations);
}

#[test]
fn every_file_says_what_it_is() {
    check(&["src", "tests", "benches"], |path, text| missing_header(path, text).into_iter().collect());
}

#[test]
fn no_file_is_long() {
    check(&["src", "tests", "benches"], |path, text| too_long(path, text).into_iter().collect());
}

#[test]
fn nothing_unfinished_is_left_behind() {
    check(&["src", "tests", "benches"], banned_words);
}

#[test]
fn every_command_has_a_transcript() {
    let exists = |path: &str| root().join(path).is_file();
    check(&["src"], |path, text| missing_transcript(path, text, &exists).into_iter().collect());
}

#[test]
fn canaries_are_in_one_place_each_and_in_no_usual_build() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the manifest");
    assert!(!manifest.lines().any(|line| line.starts_with("default") && line.contains("canary")));
    let script = fs::read_to_string(root().join("scripts/canaries")).expect("the canaries' script");
    let mut paths = Vec::new();
    collect(&root().join("src"), &mut paths);
    let sources: Vec<String> =
        paths.iter().map(|path| fs::read_to_string(path).expect("a text file")).collect();
    let canaries = manifest.lines().filter_map(|line| line.strip_suffix(" = []"));
    let canaries: Vec<&str> = canaries.filter(|name| name.starts_with("canary-")).collect();
    assert!(!canaries.is_empty());
    for canary in canaries {
        let quoted = format!("\"{canary}\"");
        let places: usize = sources.iter().map(|text| text.matches(&quoted).count()).sum();
        assert_eq!(places, 1, "{canary} must be in one place of the source");
        assert!(
            script.contains(canary.trim_start_matches("canary-")),
            "scripts/canaries does not know {canary}"
        );
    }
    let features: Vec<&str> =
        sources.iter().flat_map(|text| text.match_indices("feature = \"canary")).map(|(_, m)| m).collect();
    let declared = manifest.lines().filter(|line| line.starts_with("canary-")).count();
    assert_eq!(features.len(), declared, "a canary in the source that the manifest does not declare");
}

/// Runs a rule over all Rust files of some folders.
fn check(folders: &[&str], rule: impl Fn(&str, &str) -> Vec<String>) {
    let mut paths = Vec::new();
    for folder in folders {
        collect(&root().join(folder), &mut paths);
    }
    paths.sort();
    assert!(paths.len() > 1, "no source found");
    let mut violations = Vec::new();
    for path in paths {
        let name = path.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned();
        violations.extend(rule(&name, &fs::read_to_string(&path).expect("a text file")));
    }
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    // A folder that does not exist holds nothing to complain about.
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

fn floor(part: &str) -> Option<u8> {
    FLOORS.iter().find(|(_, parts)| parts.contains(&part)).map(|(floor, _)| *floor)
}

/// The path of modules that a file below `src` is: `src/exec/args.rs` is `["exec", "args"]`, `src/exec/mod.rs` `["exec"]`.
fn module_path(path: &str) -> Vec<&str> {
    let path = path.strip_prefix("src/").unwrap_or(path);
    let path = path.strip_suffix(".rs").unwrap_or(path);
    path.strip_suffix("/mod").unwrap_or(path).split('/').collect()
}

fn floor_violations(path: &str, text: &str) -> Vec<String> {
    let module = module_path(path);
    let here = module[0];
    let Some(own) = floor(here) else { return vec![format!("{path}: {here} stands on no floor")] };
    let code = blank_out(text);
    let mut violations = Vec::new();
    for (line, used) in uses(&code) {
        match floor(&used) {
            _ if used == here || own == TOP => {}
            None => violations.push(format!("{path}:{line}: crate::{used} stands on no floor")),
            Some(floor) if floor < own => {}
            Some(floor) => {
                violations.push(format!("{path}:{line}: {here} (F{own}) must not use {used} (F{floor})"));
            }
        }
    }
    violations.extend(climbs(path, &code, module.len()).into_iter().filter(|_| own != TOP));
    violations
}

/// The parts that `crate::…` paths name, with their lines. Groups are looked into: `use crate::{base::x, table}`.
fn uses(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate") {
        let is_word = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$');
        let Some(rest) = code[at + "crate".len()..].trim_start().strip_prefix("::").filter(|_| is_word)
        else {
            continue;
        };
        let rest = rest.trim_start();
        let line = code[..at].matches('\n').count() + 1;
        match rest.strip_prefix('{') {
            None => found.push((line, first_word(rest))),
            Some(group) => found.extend(group_heads(group).into_iter().map(|head| (line, head))),
        }
    }
    found
}

/// The first words of a group's members, up to the brace that closes it.
fn group_heads(group: &str) -> Vec<String> {
    let mut depth = 0;
    let mut heads = Vec::new();
    let mut start = 0;
    for (at, byte) in group.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth > 0 => depth -= 1,
            b'}' | b',' if depth == 0 => {
                heads.push(first_word(group[start..at].trim_start()));
                start = at + 1;
                if byte == b'}' {
                    break;
                }
            }
            _ => {}
        }
    }
    heads.retain(|head| !head.is_empty());
    heads
}

fn first_word(text: &str) -> String {
    let text = text.strip_prefix("r#").unwrap_or(text);
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Chains of `super::` that leave the folder: another folder is named from `crate`, where the rule above sees it. A module
/// written inside the file, as tests are, is one level deeper.
fn climbs(path: &str, code: &str, depth: usize) -> Vec<String> {
    let mut violations = Vec::new();
    let mut depth = depth;
    for (at, line) in code.lines().enumerate() {
        let opens = line.trim_start().trim_start_matches("pub(crate) ").starts_with("mod ");
        if opens && line.trim_end().ends_with('{') {
            depth += 1;
        }
        let mut rest = line;
        while let Some(start) = rest.find("super::") {
            let chain = &rest[start..];
            let mut length = 0;
            let mut tail = chain;
            while let Some(next) = tail.strip_prefix("super::") {
                length += 1;
                tail = next;
            }
            if length >= depth {
                violations.push(format!("{path}:{}: super:: leaves the folder; say crate::", at + 1));
            }
            rest = tail;
        }
    }
    violations
}

/// The text with comments, strings and character literals replaced by blanks, so that only code is left, line by line.
fn blank_out(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out: Vec<u8> = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text.as_bytes()[at..];
        let length = comment(rest).or_else(|| raw_string(rest, bytes[..at].last())).or_else(|| literal(rest));
        match length {
            Some(length) => {
                out.extend(rest[..length].iter().map(|&byte| if byte == b'\n' { b'\n' } else { b' ' }));
                at += length;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(out).expect("only whole characters were blanked")
}

fn comment(rest: &[u8]) -> Option<usize> {
    if rest.starts_with(b"//") {
        return Some(rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len()));
    }
    if !rest.starts_with(b"/*") {
        return None;
    }
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match rest.get(at..at + 2) {
            Some(b"/*") => (depth, at) = (depth + 1, at + 2),
            Some(b"*/") => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    Some(at)
}

fn raw_string(rest: &[u8], before: Option<&u8>) -> Option<usize> {
    // The r of a longer name, as in `for"`, starts no raw string; the b of `br"` does not stand in the way.
    if before.is_some_and(|&byte| byte != b'b' && (byte.is_ascii_alphanumeric() || byte == b'_')) {
        return None;
    }
    let hashes = rest.strip_prefix(b"r")?.iter().take_while(|&&byte| byte == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return None;
    }
    let mut end = b"\"".to_vec();
    end.extend(std::iter::repeat_n(b'#', hashes));
    let body = &rest[2 + hashes..];
    let at = body.windows(end.len()).position(|window| window == end);
    Some(at.map_or(rest.len(), |at| 2 + hashes + at + end.len()))
}

/// A string, or a character — which a lifetime is not: that has no closing quote where a character has one.
fn literal(rest: &[u8]) -> Option<usize> {
    let quote = *rest.first().filter(|&&byte| byte == b'"' || byte == b'\'')?;
    if quote == b'\'' && rest.get(1) != Some(&b'\\') {
        let width = std::str::from_utf8(rest.get(1..rest.len().min(5))?)
            .or_else(|error| std::str::from_utf8(&rest[1..1 + error.valid_up_to()]))
            .ok()?
            .chars()
            .next()?
            .len_utf8();
        return (rest.get(1 + width) == Some(&b'\'')).then_some(width + 2);
    }
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    Some((at + 1).min(rest.len()))
}

fn missing_header(path: &str, text: &str) -> Option<String> {
    let well = text.lines().next().is_some_and(|line| line.len() > "//! ".len() && line.starts_with("//! "));
    (!well).then(|| format!("{path}: does not open with //! and what it is"))
}

fn too_long(path: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    (lines > LINES_MAX).then(|| format!("{path}: {lines} lines, more than {LINES_MAX}: cut it in two"))
}

fn banned_words(path: &str, text: &str) -> Vec<String> {
    let is_letter = |c: char| c.is_alphanumeric() || c == '_';
    let mut violations = Vec::new();
    for (at, line) in text.lines().enumerate() {
        for word in BANNED {
            let whole = |(start, _): (usize, &str)| {
                !line[..start].ends_with(is_letter) && !line[start + word.len()..].starts_with(is_letter)
            };
            if line.match_indices(word).any(whole) {
                violations.push(format!("{path}:{}: {word}", at + 1));
            }
        }
    }
    violations
}

fn missing_transcript(path: &str, text: &str, exists: &dyn Fn(&str) -> bool) -> Option<String> {
    let [_, family, verb] =
        module_path(path.strip_prefix("src/").filter(|path| path.starts_with("command/"))?)[..]
    else {
        return None;
    };
    if !blank_out(text).contains("const SPECS") {
        return None;
    }
    let transcript = format!("tests/transcripts/{family}/{verb}.txt");
    (!exists(&transcript)).then(|| format!("{path}: its transcript {transcript} does not exist"))
}

#[test]
fn floors_up_and_across_are_found() {
    for (path, text, violations) in [
        ("src/value/list.rs", "use crate::base::bytes;", 0),
        ("src/value/list.rs", "use crate::value::text;", 0),
        ("src/value/list.rs", "use crate::resp::reply::Reply;", 1),
        ("src/value/list.rs", "use crate::table::Slot;", 1),
        ("src/base/number.rs", "fn f() { crate :: log::x(); }", 1),
        ("src/clients.rs", "use crate::observe::Stats;", 1),
        ("src/exec/run.rs", "use crate::{base::clock, table::{Slot, Entry}, command, server::x};", 2),
        ("src/exec/run.rs", "use crate::{\n    base::clock,\n    command::{a, b},\n};", 1),
        ("src/boot.rs", "use crate::cli::Cli; use crate::server::Server;", 0),
        ("src/exec/run.rs", "use crate::unheard::Thing;", 1),
        ("src/attic/mod.rs", "", 1),
        ("src/exec/mod.rs", "pub(crate) use run::run; pub(in crate::exec) fn f() {}", 0),
        ("src/exec/args.rs", "use super::run;\nmod tests {\n    use super::super::run;\n}", 0),
        ("src/exec/args.rs", "use super::super::server::Worker;", 1),
        ("src/exec/args.rs", "mod tests {\n    use super::super::super::server::Worker;\n}", 1),
        ("src/clients.rs", "mod tests {\n    use super::*;\n}", 0),
    ] {
        let found = floor_violations(path, text);
        assert_eq!(found.len(), violations, "{path} {text:?}: {found:?}");
    }
}

#[test]
fn what_is_not_code_breaks_no_floor() {
    let text = r####"
        // use crate::server::Worker;
        /* crate::server /* crate::server */ crate::server */
        const A: &str = "use crate::server \" crate::server";
        const B: &str = r#"crate::server " crate::server"#;
        fn c<'a>(x: &'a str) -> char { let _ = '"'; let _ = '\''; let _ = 'é'; '"' } // crate::server
        use crate::server::Worker;
    "####;
    let found = floor_violations("src/exec/run.rs", text);
    assert_eq!(found, ["src/exec/run.rs:7: exec (F3) must not use server (F6)"]);
}

#[test]
fn headers_lengths_and_banned_words_are_found() {
    assert_eq!(missing_header("a.rs", "//! What it is.\nfn f() {}"), None);
    for text in ["fn f() {}", "", "//!\nfn f() {}", "// What it is.", "/// What it is."] {
        assert!(missing_header("a.rs", text).is_some(), "{text:?}");
    }
    assert_eq!(too_long("a.rs", &"\n".repeat(LINES_MAX)), None);
    assert!(too_long("a.rs", &"\n".repeat(LINES_MAX + 1)).is_some());
    for word in BANNED {
        assert_eq!(banned_words("a.rs", &format!("a\n // {word} b")).len(), 1, "{word}");
        assert!(banned_words("a.rs", &format!("a{word}b")).is_empty(), "{word} in a longer word");
    }
}

#[test]
fn a_command_without_a_transcript_is_found() {
    let exists = |path: &str| path == "tests/transcripts/string/get.txt";
    let row = "pub(super) const SPECS: &[Spec] = &[];";
    assert_eq!(missing_transcript("src/command/string/get.rs", row, &exists), None);
    assert!(missing_transcript("src/command/string/set.rs", row, &exists).is_some());
    assert_eq!(missing_transcript("src/command/string/shared.rs", "// SPECS are elsewhere", &exists), None);
    assert_eq!(missing_transcript("src/command/string/mod.rs", row, &exists), None);
    assert_eq!(missing_transcript("src/exec/spec.rs", row, &exists), None);
}
