//! The settings from outside: whole files, whole command lines, and the way back through CONFIG REWRITE.
//!
//! The frozen names are those that redis-server 7.0.15 (with TLS) gives for `CONFIG GET *`: none may get lost.

#![expect(clippy::panic, clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use pinstripe::cli::{self, Action};
use pinstripe::config::{
    AppendFsync, Config, ConfigError, ConfigFiles, LogLevel, MaxmemoryPolicy, Origin, SavePoint, Settings,
    load,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// Files that exist in memory only.
#[derive(Default)]
struct Files(BTreeMap<PathBuf, Vec<u8>>);

impl Files {
    fn of(files: &[(&str, &str)]) -> Self {
        Self(files.iter().map(|(path, text)| (path.into(), text.as_bytes().to_vec())).collect())
    }
}

impl ConfigFiles for Files {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.get(path).cloned().ok_or(io::ErrorKind::NotFound.into())
    }
    fn read_stdin(&self) -> io::Result<Vec<u8>> {
        self.read(Path::new("stdin"))
    }
    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        let inside = self.0.keys().filter(|path| path.parent() == Some(directory));
        Ok(inside.filter_map(|path| path.file_name().map(OsString::from)).collect())
    }
}

fn read(text: &str) -> Result<Config, ConfigError> {
    load(Some(Path::new("c.conf")), &[], &Files::of(&[("c.conf", text)])).map(|loaded| loaded.config)
}

fn read_with(files: &[(&str, &str)], args: &[&str]) -> Result<Config, ConfigError> {
    match cli::parse(args.iter().map(OsString::from))? {
        Action::Run(request) => request.load(&Files::of(files)).map(|loaded| loaded.config),
        other => panic!("{other:?}"),
    }
}

fn text(config: &Config, name: &str) -> String {
    config.text_of(name).unwrap_or_else(|| panic!("{name} is not known"))
}

const REDIS_CONF: &str = r#"
# A configuration as people have it.
bind 127.0.0.1 -::1
PORT 7000
tcp-backlog 511
timeout 0
daemonize yes
loglevel verbose
logfile ""
databases 32
save 3600 1
save 300 100 60 10000
requirepass "a \"b\" \x41"
maxmemory 100mb
maxmemory-policy allkeys-lru
appendonly yes
appendfsync always
slave-priority 50
client-output-buffer-limit replica 256mb 64mb 60
client-output-buffer-limit pubsub 32mb 8mb 60
rename-command CONFIG ""
user alice on >p4ss ~* +@all
notify-keyspace-events KEA
"#;

#[test]
fn a_redis_conf_is_understood() {
    let config = read(REDIS_CONF).unwrap();
    assert_eq!(config.network.port, 7000);
    assert_eq!(
        config.network.bind.iter().map(|a| (a.host(), a.is_optional())).collect::<Vec<_>>(),
        [("127.0.0.1", false), ("::1", true)]
    );
    assert_eq!(config.observe.loglevel, LogLevel::Verbose);
    assert_eq!(config.access.requirepass.as_bytes(), b"a \"b\" A");
    assert_eq!(config.memory.maxmemory, 100 << 20);
    assert_eq!(config.memory.maxmemory_policy, MaxmemoryPolicy::AllkeysLru);
    assert_eq!(config.persistence.appendfsync, AppendFsync::Always);
    assert_eq!(text(&config, "save"), "3600 1 300 100 60 10000");
    assert_eq!(config.persistence.save.first(), Some(&SavePoint { seconds: 3600, changes: 1 }));
    assert_eq!(config.access.rename_commands.len(), 1);
    assert_eq!(config.access.users.0, [["alice", "on", ">p4ss", "~*", "+@all"]]);
    assert_eq!(text(&config, "notify-keyspace-events"), "AKE");
    assert_eq!(config.without_effect(), ["daemonize", "replica-priority"]);
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "it looks at another program's file, which no fault is injected into"
)]
fn the_packaged_redis_conf_is_understood() {
    // Only where Redis is installed; the test above holds the essence.
    if let Ok(conf) = std::fs::read_to_string("/etc/redis/redis.conf") {
        assert_eq!(read(&conf).unwrap().network.port, 6379);
    }
}

#[test]
fn every_name_of_redis_is_known_and_each_default_can_be_set_again() {
    let settings = Settings::new(Config::default(), None);
    let all = settings.get(&[b"*".to_vec()]);
    let names: BTreeSet<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names.len(), all.len(), "a name is given twice");
    let redis: BTreeSet<&str> = redis_names().collect();
    assert_eq!(redis.difference(&names).collect::<Vec<_>>(), Vec::<&&str>::new(), "missing");
    let own = [
        "aof-keep-history",
        "auth-timeout",
        "http-bind",
        "http-console-writes",
        "http-max-body",
        "http-port",
        "http-timeout",
        "http-token",
        "io-threads-rest",
        "io-threads-spread",
        "json-save",
        "log-format",
        "operation-log",
        "operation-log-max-size",
        "set-max-listpack-entries",
        "set-max-listpack-value",
    ];
    assert_eq!(names.difference(&redis).copied().collect::<Vec<_>>(), own, "more than expected");

    let mut taken = 0;
    for (name, value) in &all {
        match settings.set(&[(name.clone().into(), value.clone().into())], Origin::Local) {
            Ok(changed) => {
                assert_eq!(changed.names, Vec::<&str>::new(), "{name} {value}");
                taken += 1;
            }
            Err(error) => assert!(error.to_string().contains("can't set "), "{error}"),
        }
    }
    assert!(taken > 150, "only {taken} could be set");
    assert!(**settings.load() == Config::default());
}

#[test]
fn defaults_are_those_of_redis_but_for_what_is_meant() {
    let config = Config::default();
    let meant =
        ["aof-timestamp-enabled", "appendonly", "bind", "client-output-buffer-limit", "io-threads", "save"];
    for line in REDIS_DEFAULTS.lines() {
        let (name, value) = line.split_once(' ').unwrap_or((line, ""));
        assert_eq!(text(&config, name) != value, meant.contains(&name), "{name}: {}", text(&config, name));
    }
}

#[test]
fn the_command_line_comes_after_the_file() {
    let file = [("c.conf", "port 1\nsave 900 1\nloglevel debug")];
    let config =
        read_with(&file, &["c.conf", "--port", "6380", "--save", "60", "5", "--loglevel", "verbose"])
            .unwrap();
    assert_eq!(config.network.port, 6380);
    assert_eq!(text(&config, "save"), "900 1 60 5");
    assert_eq!(config.observe.loglevel, LogLevel::Verbose);
    let config = read_with(&file, &["c.conf", "--save", "", "--maxmemory", "1gb"]).unwrap();
    assert_eq!(text(&config, "save"), "");
    assert_eq!(config.memory.maxmemory, 1 << 30);
    assert_eq!(read_with(&[("stdin", "port 5")], &["-"]).unwrap().network.port, 5);
    assert_eq!(read_with(&[], &["--save", "900 1 60 5"]).map(|c| text(&c, "save")).unwrap(), "900 1 60 5");
}

#[test]
fn includes_are_read_in_place() {
    let files = [
        ("c.conf", "port 1\ninclude conf.d/*.conf\nhz 20"),
        ("conf.d/b.conf", "port 3\nhz 50"),
        ("conf.d/a.conf", "port 2\nmaxclients 7"),
        ("conf.d/.hidden.conf", "port 9"),
        ("conf.d/readme.txt", "not a configuration"),
    ];
    let config = read_with(&files, &["c.conf"]).unwrap();
    assert_eq!((config.network.port, config.process.hz, config.clients.maxclients), (3, 20, 7));
    assert!(read("include none.d/*.conf").is_ok());
    assert!(read("include none.conf").unwrap_err().reason.contains("none.conf cannot be read"));
    assert!(read("include c.conf").unwrap_err().reason.contains("too deeply"));
    assert!(read("include c.conf\ninclude c.conf").unwrap_err().reason.contains("too deeply"));
}

#[test]
fn an_error_tells_where_what_and_what_to_do() {
    for (line, expected) in [
        (
            "apendonly yes",
            "c.conf, line 2: apendonly yes\n  unknown directive 'apendonly'\n  Did you mean appendonly?",
        ),
        (
            "port 6379 # for all",
            "c.conf, line 2: port 6379 # for all\n  wrong number of arguments\n  A comment must stand on a line of its own.",
        ),
        (
            "maxmemory 1.5gb",
            "c.conf, line 2: maxmemory 1.5gb\n  argument must be a memory value\n  \
             Write a whole number with an optional unit: 1048576, 100mb, 2gb.",
        ),
        (
            "requirepass two words",
            "c.conf, line 2: requirepass …\n  wrong number of arguments\n  \
             Write one word; put it in double quotes if it holds blanks or is empty.",
        ),
        (
            "dir \"open",
            "c.conf, line 2: dir …\n  unbalanced quotes\n  \
             Close every quote, and put a blank after the closing one.",
        ),
        ("loadmodule x.so", "c.conf, line 2: loadmodule x.so\n  modules are not offered: remove the line"),
        ("cluster-enabled yes", "c.conf, line 2: cluster-enabled yes\n  cluster mode is not offered"),
    ] {
        assert_eq!(read(&format!("# first\n{line}\n")).unwrap_err().to_string(), expected);
    }
    let error = read_with(&[], &["--port", "x"]).unwrap_err().to_string();
    assert!(
        error.starts_with("command line: --port x\n  argument couldn't be parsed into an integer"),
        "{error}"
    );
    assert!(
        read_with(&[], &["none.conf"]).unwrap_err().to_string().starts_with("none.conf\n  cannot be read")
    );
}

fn rewritten(files: &Files, settings: &Settings, users: Option<&[String]>) -> String {
    let rewritten = settings.rewrite(files, users).unwrap();
    assert_eq!(rewritten.path, Path::new("c.conf"));
    String::from_utf8(rewritten.text).unwrap()
}

fn started(files: &Files) -> Settings {
    let loaded = load(Some(Path::new("c.conf")), &[], files).unwrap();
    Settings::new(loaded.config, loaded.file)
}

fn set(settings: &Settings, name: &str, value: &str) {
    settings.set(&[(name.into(), value.into())], Origin::Local).unwrap();
}

#[test]
fn a_rewrite_keeps_what_is_true_and_changes_what_is_not() {
    let files = Files::of(&[(
        "c.conf",
        "# my server\n\nMaxmemory 1gb\n# points\nsave 900 1\nsave 60 5\nport 7000\nslave-priority 5\n  hz 20\n",
    )]);
    let settings = started(&files);
    assert_eq!(rewritten(&files, &settings, None).as_bytes(), files.0[Path::new("c.conf")]);
    set(&settings, "save", "1 2 3 4");
    set(&settings, "hz", "30");
    set(&settings, "replica-priority", "6");
    set(&settings, "requirepass", "two \"words\"");
    set(&settings, "maxclients", "10000");
    let text = rewritten(&files, &settings, Some(&["bob on nopass".into()]));
    assert_eq!(
        text,
        "# my server\n\nMaxmemory 1gb\n# points\nsave 1 2\nsave 3 4\nport 7000\nreplica-priority 6\nhz 30\n\n\
         # Generated by CONFIG REWRITE\nrequirepass \"two \\\"words\\\"\"\nuser bob on nopass\n"
    );
    let files = Files::of(&[("c.conf", &text)]);
    assert_eq!(rewritten(&files, &settings, None), text, "a second rewrite changes nothing");
}

#[test]
fn a_rewrite_wins_over_an_included_file() {
    let files = Files::of(&[("c.conf", "port 1\ninclude d.conf\n"), ("d.conf", "port 2\nsave 1 1\n")]);
    let settings = started(&files);
    set(&settings, "port", "3");
    set(&settings, "save", "5 5");
    let text = rewritten(&files, &settings, None);
    let files = Files::of(&[("c.conf", &text), ("d.conf", "port 2\nsave 1 1\n")]);
    assert!(**started(&files).load() == **settings.load(), "{text}");
}

#[test]
fn a_rewrite_needs_a_file_that_can_be_understood() {
    let error = Settings::new(Config::default(), None).rewrite(&Files::default(), None).unwrap_err();
    assert_eq!(error.to_string(), "The server is running without a config file");
    let settings = started(&Files::of(&[("c.conf", "")]));
    let error = settings.rewrite(&Files::of(&[("c.conf", "nosuch 1")]), None).unwrap_err();
    assert_eq!(error.to_string(), "Rewriting config file: c.conf, line 1: unknown directive 'nosuch'");
    assert_eq!(rewritten(&Files::default(), &settings, None), "");
}

/// Some live directives of every kind, with values that they take.
fn change() -> impl Strategy<Value = (&'static str, String)> {
    let number = |name| (0..i32::MAX).prop_map(move |n| (name, n.to_string()));
    prop_oneof![
        number("timeout"),
        number("slowlog-log-slower-than"),
        number("repl-timeout").prop_map(|(name, n)| (name, if n == "0" { "1".into() } else { n })),
        any::<u64>().prop_map(|n| ("maxmemory", n.to_string())),
        ".{0,20}".prop_map(|s| ("requirepass", s)),
        ".{0,20}".prop_map(|s| ("masteruser", s)),
        "[ -~]{0,20}".prop_map(|s| ("proc-title-template", s)),
        "[KEAg$lshzxetdmn]{0,8}".prop_map(|s| ("notify-keyspace-events", s)),
        prop::collection::vec((1u32..9999, 0u32..9999), 0..4).prop_map(|points| {
            (
                "save",
                points
                    .iter()
                    .map(|(seconds, changes)| format!("{seconds} {changes}"))
                    .collect::<Vec<_>>()
                    .join(" "),
            )
        }),
        "(normal|replica|pubsub) [1-9]mb [1-9]{1,4} [1-9]".prop_map(|s| ("client-output-buffer-limit", s)),
        prop::sample::select(vec!["default", "save now", "nosave force"])
            .prop_map(|s| ("shutdown-on-sigterm", s.into())),
        prop::sample::select(vec!["", "50", "50 99.99 100"])
            .prop_map(|s| ("latency-tracking-info-percentiles", s.into())),
        prop::sample::select(vec!["", "* -::*", "127.0.0.1"]).prop_map(|s| ("bind", s.into())),
        prop::sample::select(vec!["0", "5%", "1gb"]).prop_map(|s| ("maxmemory-clients", s.into())),
        any::<bool>().prop_map(|b| ("appendonly", if b { "yes" } else { "no" }.into())),
    ]
}

proptest! {
    #[test]
    fn no_bytes_of_a_file_can_end_the_process(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut files = Files::default();
        files.0.insert("c.conf".into(), bytes);
        let _ = load(Some(Path::new("c.conf")), &[], &files);
    }

    #[test]
    fn whatever_a_directive_takes_can_be_written_and_read_back(
        name in prop::sample::select(redis_names().chain(["user", "rename-command", "include"]).collect::<Vec<_>>()),
        values in "[ -~é\t\"'\\\\]{0,30}",
    ) {
        if let Ok(config) = read(&format!("{name} {values}\n")) {
            let files = Files::of(&[("c.conf", "")]);
            let settings = Settings::new(config, Some("c.conf".into()));
            let text = rewritten(&files, &settings, None);
            let again = read(&text).unwrap();
            prop_assert_eq!(all_texts(&again), all_texts(&settings.load()), "{}", text);
        }
    }

    #[test]
    fn what_is_rewritten_is_read_back(
        first in prop::collection::vec(change(), 0..6),
        second in prop::collection::vec(change(), 0..6),
    ) {
        let mut files = Files::of(&[("c.conf", "# comment\nsave 900 1\nsave 5 5\ntimeout 7\n")]);
        let settings = started(&files);
        for changes in [first, second] {
            for (name, value) in &changes {
                set(&settings, name, value);
            }
            let text = rewritten(&files, &settings, None);
            prop_assert!(text.starts_with("# comment\n"));
            files = Files::of(&[("c.conf", &text)]);
            prop_assert!(**started(&files).load() == **settings.load(), "{}", text);
        }
    }

    #[test]
    fn no_arguments_can_end_the_process(args in prop::collection::vec("(--)?[ -~]{0,12}", 0..6)) {
        if let Ok(Action::Run(request)) = cli::parse(args.into_iter().map(OsString::from)) {
            let _ = request.load(&Files::default());
        }
    }
}

fn all_texts(config: &Config) -> Vec<(String, String)> {
    Settings::new(config.clone(), None).get(&[b"*".to_vec()])
}

/// `CONFIG GET *` of redis-server 7.0.15, a directive and its default a line; what names the place where it
/// ran is replaced by what the server has without a file.
const REDIS_DEFAULTS: &str = include_str!("config/redis-7.0.15.txt");

fn redis_names() -> impl Iterator<Item = &'static str> {
    REDIS_DEFAULTS.lines().filter_map(|line| line.split(' ').next())
}
