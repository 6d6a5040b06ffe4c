//! What must be true of every row.

use std::collections::HashSet;

use super::FAMILIES;
use crate::exec::registry::Registry;
use crate::exec::spec::{Begin, Find};
use crate::exec::{KeySpec, Run, Spec, flag, key};
use crate::resp::request::OwnedRequest;

/// Every row with its full name, subcommands after their containers.
fn rows() -> Vec<(String, &'static Spec)> {
    let commands = FAMILIES.iter().flat_map(|family| family.iter()).flat_map(|rows| rows.iter());
    commands
        .flat_map(|spec| {
            let subs = spec.subcommands.iter().map(move |sub| (format!("{}|{}", spec.name, sub.name), sub));
            std::iter::once((spec.name.to_owned(), spec)).chain(subs)
        })
        .collect()
}

/// The rows that break a rule, which should be none.
fn breaking(rule: impl Fn(&str, &Spec) -> bool) -> Vec<String> {
    rows().into_iter().filter(|(name, spec)| !rule(name, spec)).map(|(name, _)| name).collect()
}

#[track_caller]
fn assert_rule(rule: impl Fn(&str, &Spec) -> bool) {
    let broken = breaking(rule);
    assert!(broken.is_empty(), "broken by {broken:?}");
}

#[test]
fn there_are_rows_of_every_family() {
    assert!(FAMILIES.iter().all(|family| !family.is_empty() && family.iter().all(|rows| !rows.is_empty())));
}

#[test]
fn names_are_unique_and_in_lower_case() {
    let mut seen = HashSet::new();
    for (name, _) in rows() {
        assert!(seen.insert(name.clone()), "{name} is there twice");
    }
    assert_rule(|_, spec| {
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        !spec.name.is_empty() && spec.name.bytes().all(is_plain)
    });
}

#[test]
fn every_row_says_what_documentation_needs() {
    assert_rule(|_, spec| {
        let sentence = spec.summary;
        sentence.ends_with('.')
            && sentence.starts_with(|c: char| c.is_uppercase())
            && !sentence.contains("..")
    });
    assert_rule(|_, spec| {
        let numbers: Vec<_> = spec.since.split('.').map(str::parse::<u8>).collect();
        numbers.len() == 3 && numbers.iter().all(Result::is_ok)
    });
    // MONITOR and SYNC go on for as long as the connection, so they have none.
    assert_rule(|name, spec| ["monitor", "psync", "sync"].contains(&name) || !spec.complexity.is_empty());
}

#[test]
fn a_row_has_a_syntax_where_its_arity_leaves_room_for_arguments() {
    assert_rule(|name, spec| {
        let words_of_name = 1 + i32::from(name.contains('|'));
        let takes_arguments = spec.arity != words_of_name && !matches!(spec.run, Run::Container);
        // Containers that also run by themselves say in their subcommands what follows. QUIT ignores what follows.
        !takes_arguments || !spec.syntax.is_empty() || !spec.subcommands.is_empty() || name == "quit"
    });
    assert_rule(|name, spec| {
        let words_of_name = 1 + i32::from(name.contains('|'));
        spec.arity != 0 && spec.arity.abs() >= words_of_name
    });
}

/// The fewest words that a syntax needs, the name not counted, and whether more may follow.
fn words_of(syntax: &str) -> (usize, bool) {
    let mut depth = 0;
    let mut choice: Vec<(usize, usize)> = Vec::new();
    let mut needed = 0;
    let mut more = false;
    let spaced = ["[", "]", "<", ">", "|"]
        .iter()
        .fold(syntax.to_owned(), |text, mark| text.replace(mark, &format!(" {mark} ")));
    let mut bar = false;
    for word in spaced.split_whitespace() {
        match word {
            "[" => {
                depth += 1;
                more = true;
            }
            "]" => depth -= 1,
            _ if depth > 0 => {}
            // Of a choice the shortest alternative counts: (words before it, words of the shortest so far).
            "<" => choice.push((std::mem::take(&mut needed), usize::MAX)),
            "|" => match choice.last_mut() {
                Some((_, least)) => {
                    *least = (*least).min(std::mem::take(&mut needed));
                }
                None => bar = true,
            },
            ">" => {
                let (before, least) = choice.pop().unwrap();
                // Alternatives of different lengths let more words follow.
                more |= least != needed && least != usize::MAX;
                needed = before + least.min(needed);
            }
            _ => needed += usize::from(!std::mem::take(&mut bar)),
        }
    }
    assert!(depth == 0 && choice.is_empty(), "brackets of `{syntax}` do not match");
    (needed, more)
}

#[test]
fn arity_is_what_the_syntax_says() {
    assert_rule(|name, spec| {
        if !spec.subcommands.is_empty() || OPEN_ENDED.contains(&name) {
            return true;
        }
        let (needed, more) = words_of(spec.syntax);
        let words = (needed + 1 + usize::from(name.contains('|'))) as i32;
        spec.arity == if more { -words } else { words }
    });
}

/// Rows whose arity, which is Redis's, asks for more or less than their syntax: their handlers check the rest.
const OPEN_ENDED: &[&str] = &["client|kill", "command|getkeys", "command|getkeysandflags", "psync", "quit"];

#[test]
fn keys_stand_where_the_shortest_request_has_words() {
    assert_rule(|name, spec| {
        let least = spec.arity.unsigned_abs() as usize;
        let words_of_name = 1 + usize::from(name.contains('|'));
        // Words that only stand like keys need not be there: SUNSUBSCRIBE without any means all.
        spec.keys.iter().filter(|keys| keys.flags & key::NOT_KEY == 0).all(|keys| {
            match (keys.begin, keys.find) {
                (Begin::Index(index), Find::Range { step, .. }) => {
                    index >= words_of_name && index < least && step > 0
                }
                (Begin::Index(index), Find::Count { at, first, step }) => {
                    index + at >= words_of_name && index + at < least && first > at && step > 0
                }
                (Begin::Index(index), Find::FirstHalf) => index >= words_of_name && index < least,
                (Begin::Keyword(word, _) | Begin::EachKeyword(word, _) | Begin::Among { word, .. }, _) => {
                    !word.is_empty()
                }
            }
        })
    });
}

#[test]
fn keys_are_found_in_the_shortest_request() {
    let is_count = |find| matches!(find, Find::Count { .. });
    for (name, spec) in rows().iter().filter(|(_, spec)| !spec.keys.is_empty()) {
        let is_optional = |keys: &KeySpec| keys.flags & key::NOT_KEY != 0;
        let is_found_by_words =
            |keys: &KeySpec| is_count(keys.find) || !matches!(keys.begin, Begin::Index(_));
        if spec.keys.iter().any(|keys| is_optional(keys) || is_found_by_words(keys)) {
            continue;
        }
        let request = OwnedRequest::from_args(vec!["x"; spec.arity.unsigned_abs() as usize]);
        let found = spec.key_positions(&request.as_request());
        assert!(found.len() >= spec.keys.len(), "{name}");
        assert!(found.iter().all(|key| key.index < request.as_request().len()), "{name}");
    }
}

#[test]
fn a_key_specification_says_one_thing_about_reading_and_writing() {
    assert_rule(|_, spec| {
        let one_of = key::RW | key::RO | key::OW | key::RM;
        spec.keys.iter().all(|keys| keys.flags & key::NOT_KEY != 0 || (keys.flags & one_of).count_ones() == 1)
    });
}

#[test]
fn what_runs_on_one_key_declares_exactly_one() {
    assert_rule(|_, spec| match spec.run {
        Run::Read(_) | Run::Write(_) => matches!(
            spec.keys,
            [keys] if matches!((keys.begin, keys.find), (Begin::Index(_), Find::Range { last: 0, step: 1 }))
        ),
        Run::ReadMany(_) | Run::Keys(_) => !spec.keys.is_empty(),
        Run::Scan(_) | Run::Exec | Run::Container => spec.keys.is_empty(),
        Run::Host(_) | Run::Script(_) => true,
    });
}

#[test]
fn only_what_is_flagged_as_writing_is_given_the_means() {
    let may_write =
        |spec: &Spec| spec.keys.iter().any(|keys| keys.flags & (key::RW | key::OW | key::RM) != 0);
    assert_rule(|_, spec| match spec.run {
        Run::Write(_) => spec.has(flag::WRITE),
        // Redis calls the keys of XREADGROUP read, though it changes their groups.
        Run::Keys(_) => spec.has(flag::WRITE) == (may_write(spec) || spec.name == "xreadgroup"),
        Run::Read(_) | Run::ReadMany(_) | Run::Scan(_) | Run::Script(_) | Run::Exec | Run::Container => {
            !spec.has(flag::WRITE)
        }
        Run::Host(_) => true,
    });
    assert_rule(|_, spec| !(spec.has(flag::WRITE) && spec.has(flag::READONLY)));
    assert_rule(|_, spec| spec.has(flag::READONLY) <= !may_write(spec));
    assert_rule(|_, spec| spec.has(flag::DENYOOM) <= spec.has(flag::WRITE));
}

/// Commands that write and whose row names no event, because it depends on more than that their only key changed: their
/// handlers tell it, or the table does.
const TOLD_BY_HANDLERS: &[&str] = &[
    "bitop",
    "blmove",
    "blmpop",
    "blpop",
    "brpop",
    "brpoplpush",
    "bzmpop",
    "bzpopmax",
    "bzpopmin",
    "copy",
    "del",
    "expire",
    "expireat",
    "georadius",
    "georadiusbymember",
    "geosearchstore",
    "getdel",
    "getex",
    "hgetex",
    "hsetex",
    "lmove",
    "lmpop",
    "ltrim",
    "move",
    "mset",
    "msetnx",
    "pexpire",
    "pexpireat",
    "psetex",
    "rename",
    "renamenx",
    "restore",
    "rpoplpush",
    "sdiffstore",
    "setex",
    "sinterstore",
    "smove",
    "sort",
    "sunionstore",
    "unlink",
    "xadd",
    "xautoclaim",
    "xclaim",
    "xreadgroup",
    "zdiffstore",
    "zincrby",
    "zinterstore",
    "zmpop",
    "zrangestore",
    "zunionstore",
];

/// Commands that write and of which nobody is told, as in Redis.
const NOT_TOLD: &[&str] = &["flushall", "flushdb", "function|flush", "swapdb", "xack"];

#[test]
fn every_command_that_writes_says_what_those_are_told_who_listen() {
    assert_rule(|name, spec| {
        let is_told_elsewhere = TOLD_BY_HANDLERS.contains(&name) || NOT_TOLD.contains(&name);
        spec.event.is_some() == (spec.has(flag::WRITE) && !is_told_elsewhere)
    });
    assert_rule(|_, spec| spec.event.is_none() || matches!(spec.run, Run::Write(_)));
}

#[test]
fn containers_have_subcommands_and_each_has_help() {
    assert_rule(|_, spec| matches!(spec.run, Run::Container) <= !spec.subcommands.is_empty());
    // FUNCTION only answers those who clear it before a test.
    assert_rule(|name, spec| {
        spec.subcommands.is_empty()
            || name == "function"
            || spec.subcommands.iter().any(|sub| sub.name == "help" && sub.arity == 2)
    });
    assert_rule(|_, spec| spec.subcommands.iter().all(|sub| sub.subcommands.is_empty()));
    assert_rule(|_, spec| spec.subcommands.iter().all(|sub| !matches!(sub.run, Run::Container)));
    // A handler that was left out would be a container without subcommands.
    assert_rule(|name, spec| !name.contains('|') || !matches!(spec.run, Run::Container));
}

#[test]
fn the_registry_takes_all_rows() {
    let registry = Registry::new(FAMILIES, &[]).unwrap();
    assert_eq!(registry.total(), rows().len());
    for (name, _) in rows() {
        let command = registry.by_name(name.to_ascii_uppercase().as_bytes()).unwrap();
        assert_eq!(command.full_name, name);
        assert!(registry.by_id(command.id).is_some_and(|found| found.full_name == name), "{name}");
    }
}

#[test]
fn a_subcommand_is_resolved_also_where_its_container_runs_by_itself() {
    let registry = Registry::new(FAMILIES, &[]).unwrap();
    let resolve = |line: &str| {
        let request = OwnedRequest::from_args(line.split(' '));
        let found = registry.resolve(&request.as_request());
        found.map_or_else(|refusal| refusal.text().into_owned(), |command| command.full_name.clone())
    };
    assert_eq!(resolve("COMMAND"), "command");
    assert_eq!(resolve("command Count"), "command|count");
    assert_eq!(resolve("COMMAND nosuch"), "ERR unknown subcommand 'nosuch'. Try COMMAND HELP.");
    assert_eq!(resolve("CONFIG"), "ERR wrong number of arguments for 'config' command");
    assert_eq!(resolve("config get"), "ERR wrong number of arguments for 'config|get' command");
}

#[test]
fn the_words_of_a_syntax_are_counted() {
    for (syntax, expected) in [
        ("", (0, false)),
        ("key value [NX | XX]", (2, true)),
        ("key <A | B> x", (3, false)),
        ("key A | B x", (3, false)),
        ("<A | B x> y", (2, true)),
        ("key [key ...]", (1, true)),
        ("[a [b]]", (0, true)),
    ] {
        assert_eq!(words_of(syntax), expected, "{syntax}");
    }
}

#[test]
fn whatever_reads_keys_is_run_in_a_way_that_remembers_who_reads_them() {
    assert_rule(|_, spec| {
        spec.keys.is_empty()
            || !spec.has(flag::READONLY)
            // A script's commands do it, each for its own keys.
            || matches!(spec.run, Run::Read(_) | Run::ReadMany(_) | Run::Keys(_) | Run::Host(_) | Run::Script(_))
    });
}

/// Commands that read a key in place although they may take longer than a moment: the request says how much, by words or by a
/// number, or the value is one text, which has no parts to share.
const READ_IN_PLACE: &[&str] = &[
    "bitcount",
    "bitpos",
    "geopos",
    "getrange",
    "hexpiretime",
    "hmget",
    "hpexpiretime",
    "hpttl",
    "hrandfield",
    "httl",
    "lindex",
    "memory|usage",
    "smismember",
    "srandmember",
    "substr",
    "xpending",
    "zmscore",
    "zrandmember",
];

#[test]
fn a_command_that_may_go_through_much_of_a_value_tells_when_it_does() {
    let is_quick = |spec: &Spec| ["O(1)", "O(log(N))"].iter().any(|quick| spec.complexity.starts_with(quick));
    assert_rule(|name, spec| {
        let is_slow_read = matches!(spec.run, Run::Read(_)) && !is_quick(spec);
        is_slow_read == (spec.reads_much.is_some() || READ_IN_PLACE.contains(&name))
    });
    assert_rule(|name, spec| spec.reads_much.is_none() || !READ_IN_PLACE.contains(&name));
}

#[test]
fn what_is_read_from_copies_can_only_be_read() {
    // Nothing else asks whether it reads much.
    assert_rule(|_, spec| spec.reads_much.is_some() <= matches!(spec.run, Run::Read(_)));
    // Only then may a refusal stand in the place of the answer, and a full disk stops it no more than it must.
    assert_rule(|_, spec| matches!(spec.run, Run::Read(_) | Run::ReadMany(_)) <= spec.has(flag::READONLY));
}

#[test]
fn what_only_looks_does_nothing_that_others_hear_of() {
    let may_do = flag::WRITE | flag::DENYOOM | flag::MAY_REPLICATE;
    assert_rule(|_, spec| {
        let by_others = matches!(spec.run, Run::Exec | Run::Script(_));
        !spec.only_looks() || by_others || spec.flags & may_do == 0
    });
}

#[test]
fn what_looks_at_data_without_locked_keys_is_taken_to_look_anywhere() {
    assert_rule(|_, spec| {
        let is_about_data = spec.flags & (flag::READONLY | flag::WRITE) != 0;
        let locks_for_itself = matches!(spec.run, Run::Host(_) | Run::Scan(_));
        !(is_about_data && locks_for_itself) || spec.looks_anywhere()
    });
}

#[test]
fn what_stops_every_worker_is_not_run_on_locked_keys_and_is_narrow_only_with_keys() {
    assert_rule(|_, spec| {
        let locks_keys = matches!(spec.run, Run::Read(_) | Run::ReadMany(_) | Run::Write(_) | Run::Keys(_));
        !(spec.has(flag::EVERYTHING) && locks_keys)
    });
    assert_rule(|_, spec| spec.is_narrow.is_some() <= (spec.has(flag::EVERYTHING) && !spec.keys.is_empty()));
}

#[test]
fn a_transaction_over_two_databases_holds_everything() {
    let reaches_far = |spec: &Spec| spec.flags & (flag::EVERYTHING | flag::TABLE_WIDE) != 0;
    assert_rule(|_, spec| spec.other_db.is_some() <= reaches_far(spec));
}

#[test]
fn what_may_wait_is_run_in_a_way_that_can_say_so() {
    assert_rule(|_, spec| spec.has(flag::BLOCKING) <= matches!(spec.run, Run::Keys(_) | Run::Host(_)));
}

/// Those whose complexity speaks of how many they are given or answer, which is one in their shortest form.
const QUICK_IN_SHORT: [&str; 8] = ["hdel", "hmset", "lpop", "rpop", "smismember", "spop", "srem", "zmscore"];

#[test]
fn what_is_timed_together_with_others_is_run_on_one_key_and_is_quick() {
    assert_rule(|name, spec| {
        let is_quick = ["O(1)", "O(log(N))", "O(M*log(N))", "O(log(N)*M)"]
            .iter()
            .any(|quick| spec.complexity.starts_with(quick));
        let is_on_one_key = matches!(spec.run, Run::Read(_) | Run::Write(_));
        !spec.has(flag::BRIEF) || is_on_one_key && (is_quick || QUICK_IN_SHORT.contains(&name))
    });
}
