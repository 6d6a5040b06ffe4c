//! From the program's arguments to what it shall do, and the exit codes.
//!
//! ```text
//! pinstripe [FILE | -] [--directive value …]…
//! pinstripe import … | export …                  see `port`
//! pinstripe check | repair | restore DIR …           see `offline`
//! ```
//!
//! The words after `--directive` up to the next `--` are its values, as redis-server has it; so the arguments are free
//! in form and are read by hand. Two peculiarities of redis-server are kept: the word right after a directive
//! is its value even if it starts with `--`, except after `--save`; and a directive and its values may be one argument
//! (`'--save 900 1'`).

pub mod offline;
mod port;

use crate::config::{self, ConfigError, ConfigFiles, Loaded};
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::path::PathBuf;

pub use port::{Export, Import, InputFormat, OutputFormat};

/// The server ended as it was told to.
pub const EXIT_OK: u8 = 0;
/// The data on the disk is damaged; nothing was changed.
pub const EXIT_CORRUPT_DATA: u8 = 65;
/// What is to be imported or exported is not there.
pub const EXIT_NO_INPUT: u8 = 66;
/// The server to import into or export from cannot be reached, or has refused something.
pub const EXIT_UNAVAILABLE: u8 = 69;
/// An error of the program itself.
pub const EXIT_INTERNAL: u8 = 70;
/// A file or directory cannot be made or written.
pub const EXIT_CANNOT_CREATE: u8 = 73;
/// The disk failed while reading or writing.
pub const EXIT_IO: u8 = 74;
/// Another server uses the directory.
pub const EXIT_LOCKED: u8 = 75;
/// The address or port is taken.
pub const EXIT_ADDRESS_IN_USE: u8 = 76;
/// The configuration is wrong.
pub const EXIT_CONFIG: u8 = 78;

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Print [`help`] and exit.
    Help,
    /// Print [`version`] and exit.
    Version,
    /// Read the configuration, tell what is wrong with it, and exit.
    CheckConfig(Request),
    /// Work on a directory without serving it.
    Offline(offline::Offline),
    /// Serve.
    Run(Request),
    /// Bring keys in, and exit.
    Import(Import),
    /// Write keys out, and exit.
    Export(Export),
    /// Print this text, which was asked for, and exit.
    Explain(String),
    /// Print this text, which says what is wrong with the arguments; exit with [`EXIT_CONFIG`].
    Misused(String),
}

/// Where the settings come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The configuration file; `-` is standard input.
    pub file: Option<PathBuf>,
    /// The command line's directives: name and values.
    pub overrides: Vec<Vec<String>>,
}

impl Request {
    /// Reads the settings.
    ///
    /// # Errors
    /// The first line or argument that cannot be obeyed; exit with [`EXIT_CONFIG`].
    pub fn load(&self, files: &dyn ConfigFiles) -> Result<Loaded, ConfigError> {
        config::load(self.file.as_deref(), &self.overrides, files)
    }
}

/// Reads the arguments, without the program's name.
///
/// # Errors
/// The first argument that makes no sense; exit with [`EXIT_CONFIG`].
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Action, ConfigError> {
    let mut args = args.into_iter().peekable();
    if args.next_if(|arg| arg == "import").is_some() {
        return Ok(port::import(args.collect()));
    }
    if args.next_if(|arg| arg == "export").is_some() {
        return Ok(port::export(args.collect()));
    }
    // A configuration file of such a name is given as ./check.
    let word = args.peek().and_then(|arg| arg.to_str()).map(str::to_owned).unwrap_or_default();
    match offline::parse(&word, &mut args.by_ref().skip(1)) {
        Some(action) => action,
        None => parse_server(args),
    }
}

fn parse_server(args: impl IntoIterator<Item = OsString>) -> Result<Action, ConfigError> {
    let mut args = args.into_iter().peekable();
    let mut request = Request::default();
    if let Some(file) = args.next_if(|arg| arg == "-" || !starts_with(arg, "-")) {
        request.file = Some(PathBuf::from(file));
    }
    let mut check = false;
    while let Some(arg) = args.next() {
        let arg = text(arg)?;
        match arg.as_str() {
            "-h" | "--help" => return Ok(Action::Help),
            "-v" | "--version" => return Ok(Action::Version),
            "--check-config" => {
                check = true;
                continue;
            }
            "--sentinel" | "--test-memory" => {
                return Err(wrong(
                    &arg,
                    "redis-server has this mode, this server does not",
                    "Use redis-server for it.",
                ));
            }
            _ => {}
        }
        let Some(directive) = arg.strip_prefix("--").filter(|name| !name.is_empty()) else {
            let advice = "Give at most one file, before all directives: pinstripe FILE --port 7000";
            return Err(wrong(&arg, "is neither a directive nor the value of one", advice));
        };
        let mut words = config::split_line(directive.as_bytes())
            .map_err(|(reason, advice)| wrong(&arg, reason, advice))?;
        let alone = words.len() == 1;
        let mut first = alone && !directive.eq_ignore_ascii_case("save");
        while let Some(value) = args.next_if(|value| first || !starts_with(value, "--")) {
            words.push(text(value)?);
            first = false;
        }
        // `--save` without a value has always meant: no save points.
        if words.len() == 1 && directive.eq_ignore_ascii_case("save") {
            words.push(String::new());
        }
        request.overrides.push(words);
    }
    Ok(if check { Action::CheckConfig(request) } else { Action::Run(request) })
}

fn starts_with(arg: &OsStr, prefix: &str) -> bool {
    arg.as_encoded_bytes().starts_with(prefix.as_bytes())
}

fn text(arg: OsString) -> Result<String, ConfigError> {
    arg.into_string().map_err(|arg| {
        wrong(
            &arg.to_string_lossy(),
            "the argument is not valid UTF-8",
            "Put such a value into a file in UTF-8.",
        )
    })
}

fn wrong(arg: &str, reason: &str, advice: &str) -> ConfigError {
    let line = arg.chars().flat_map(|c| if c.is_control() { vec![' '] } else { vec![c] }).take(200).collect();
    ConfigError { place: "command line".into(), line, reason: reason.into(), advice: advice.into() }
}

/// What `--check-config` prints when the configuration can be used.
pub fn check_report(loaded: &Loaded) -> String {
    match loaded.config.without_effect().as_slice() {
        [] => "configuration OK\n".into(),
        ignored => format!("configuration OK\nknown, but without effect here: {}\n", ignored.join(", ")),
    }
}

/// What `--version` prints: name and version, and the version of Redis that clients are told.
pub fn version() -> String {
    format!(
        "pinstripe {} (compatible with Redis {})\n",
        crate::base::version::VERSION,
        crate::base::version::REDIS_VERSION
    )
}

/// What `--help` prints.
pub fn help() -> String {
    let mut out = String::from(HELP);
    let defaults = config::Config::default();
    out.push_str("\nDirectives that are set most often, and their defaults (all others of redis.conf are known, too):\n");
    for (name, meaning) in DIRECTIVES {
        let default = defaults.text_of(name).unwrap_or_default();
        let shown = if default.is_empty() { "\"\"" } else { default.as_str() };
        // Writing into a String cannot fail.
        let _ = writeln!(out, "  {:<34} {meaning}", format!("--{name} {shown}"));
    }
    out.push_str(offline::HELP);
    out.push_str(EXITS);
    out
}

const HELP: &str = "\
pinstripe: a durable server for the Redis protocol, on every core.

Usage: pinstripe [FILE] [--directive value …]…
       pinstripe import FILE --dir DIR | --to redis://…
       pinstripe export DIR | redis://… [--format jsonl|json] [--output FILE]

  FILE             a redis.conf; - reads it from standard input
  --directive …    any line of redis.conf, applied after FILE
  --check-config   tell whether the configuration can be used, and exit
  --version, -v    print the version, and exit
  --help, -h       print this, and exit
  import           bring keys in from JSON, RDB or AOF: see pinstripe import --help
  export           write keys out as JSON: see pinstripe export --help

Examples:
  pinstripe                                  port 6379 of this machine, data in the current directory
  pinstripe --port 6380 --dir /var/lib/pinstripe
  pinstripe /etc/redis/redis.conf --appendfsync always
  pinstripe --bind '*' --requirepass secret  serve other machines, too
  echo 'maxmemory 1gb' | pinstripe -
  pinstripe import kv_store.json --dir /var/lib/pinstripe
  pinstripe export redis://127.0.0.1:6379 --output keys.jsonl

Talk to it: redis-cli -p 6379
";

/// What most people set, and why.
const DIRECTIVES: &[(&str, &str)] = &[
    ("port", "TCP port; 0 = none"),
    ("bind", "addresses to listen on; '* -::*' = all"),
    ("requirepass", "password"),
    ("dir", "where the data is"),
    ("appendfsync", "when a write is on the disk: everysec, always, no"),
    ("appendonly", "no = keep nothing but snapshots"),
    ("maxmemory", "bytes the data may take, e.g. 2gb; 0 = any"),
    ("maxmemory-policy", "what goes when it is reached"),
    ("maxclients", "clients at a time"),
    ("databases", "number of databases"),
    ("io-threads", "workers; 0 = as suits the machine"),
    ("loglevel", "debug, verbose, notice, warning"),
    ("log-format", "text or json"),
    ("logfile", "instead of standard error"),
];

const EXITS: &str = "
Exit codes:
   0  ended as told            73  cannot write to dir
  65  damaged data             74  the disk failed
  66  nothing to import there  75  another server uses the directory
  69  server not reached       76  the address is in use
  70  error of the program     78  the configuration is wrong
";

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Action, ConfigError> {
        parse(
            line.split('|')
                .filter(|word| !word.is_empty())
                .map(|word| OsString::from(word.replace("''", ""))),
        )
    }

    fn overrides(line: &str) -> Vec<String> {
        match parsed(line) {
            Ok(Action::Run(request)) => request.overrides.iter().map(|words| words.join(",")).collect(),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn words_belong_to_the_directive_before_them() {
        assert_eq!(
            overrides("--port|6380|--save|''|--loglevel|verbose"),
            ["port,6380", "save,", "loglevel,verbose"]
        );
        assert_eq!(overrides("--save|900|1|--save|60|10"), ["save,900,1", "save,60,10"]);
        assert_eq!(overrides("--bind|127.0.0.1|-::1"), ["bind,127.0.0.1,-::1"]);
        assert_eq!(overrides("--save 900 1|--port|1"), ["save,900,1", "port,1"]);
        assert_eq!(overrides("--save|--port|1"), ["save,", "port,1"]);
        assert_eq!(overrides("--requirepass|--x|--port|1"), ["requirepass,--x", "port,1"]);
        assert_eq!(overrides("--port"), ["port"]);
    }

    #[test]
    fn the_file_comes_first() {
        let request = |file: &str| Request { file: Some(file.into()), overrides: vec![] };
        assert_eq!(parsed("x.conf"), Ok(Action::Run(request("x.conf"))));
        assert_eq!(parsed("-"), Ok(Action::Run(request("-"))));
        assert_eq!(parsed("x.conf|--check-config"), Ok(Action::CheckConfig(request("x.conf"))));
        assert_eq!(parsed(""), Ok(Action::Run(Request::default())));
        assert!(parsed("x.conf|y.conf").is_err());
        assert!(parsed("-p|6379").is_err());
        assert!(parsed("--").is_err());
    }

    #[test]
    fn the_first_word_may_be_a_task_of_its_own() {
        assert!(matches!(parsed("import|x|--dir|d"), Ok(Action::Import(_))));
        assert!(matches!(parsed("export|d"), Ok(Action::Export(_))));
        let Ok(Action::Run(request)) = parsed("./import") else { panic!("no file") };
        assert_eq!(request.file, Some("./import".into()));
    }

    #[test]
    fn questions_are_answered_before_anything_is_read() {
        assert_eq!(parsed("--port|1|--help"), Ok(Action::Help));
        assert_eq!(parsed("-v"), Ok(Action::Version));
        assert!(parsed("--sentinel").unwrap_err().reason.contains("redis-server"));
    }

    #[test]
    fn help_names_every_exit_code_and_only_known_directives() {
        let help = help();
        let codes =
            [EXIT_CORRUPT_DATA, EXIT_INTERNAL, EXIT_CANNOT_CREATE, EXIT_IO, EXIT_LOCKED, EXIT_ADDRESS_IN_USE];
        let others = [EXIT_OK, EXIT_CONFIG, EXIT_NO_INPUT, EXIT_UNAVAILABLE];
        for code in codes.into_iter().chain(others) {
            assert!(help.contains(&format!(" {code}  ")), "{code}");
        }
        for (name, _) in DIRECTIVES {
            assert!(config::Config::default().text_of(name).is_some(), "{name}");
        }
        assert!(help.contains("--port 6379 "));
    }
}
