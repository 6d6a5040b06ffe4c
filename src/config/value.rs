//! The types that a directive's text becomes, each with its way from the canonical text and back.
//!
//! [`Kind`](super::kind::Kind) has checked and normalised a text before it reaches [`Setting::read`], so reading fails
//! only where a row pairs a kind with a type that does not hold all of its values; a test walks over all rows.

use std::path::PathBuf;

/// A typed value and its text.
pub(super) trait Setting: Default {
    /// The text that CONFIG GET shows.
    fn show(&self) -> String;
    /// Reads what [`Setting::show`] writes.
    fn read(text: &str) -> Option<Self>;
    /// Takes a new text; `false` leaves the value as it was. Values that gather several lines add to themselves.
    fn update(&mut self, text: &str) -> bool {
        match Self::read(text) {
            Some(value) => {
                *self = value;
                true
            }
            None => false,
        }
    }
}

macro_rules! numbers {
    ($($type:ty),+) => {$(
        impl Setting for $type {
            fn show(&self) -> String {
                self.to_string()
            }
            fn read(text: &str) -> Option<Self> {
                text.parse().ok()
            }
        }
    )+};
}

numbers!(u8, u16, u32, u64, usize, i32, i64);

impl Setting for bool {
    fn show(&self) -> String {
        if *self { "yes" } else { "no" }.to_owned()
    }
    fn read(text: &str) -> Option<Self> {
        match text {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        }
    }
}

impl Setting for String {
    fn show(&self) -> String {
        self.clone()
    }
    fn read(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl Setting for PathBuf {
    fn show(&self) -> String {
        self.to_string_lossy().into_owned()
    }
    fn read(text: &str) -> Option<Self> {
        Some(PathBuf::from(text))
    }
}

/// An empty text means that there is no such file.
impl Setting for Option<PathBuf> {
    fn show(&self) -> String {
        self.as_ref().map(Setting::show).unwrap_or_default()
    }
    fn read(text: &str) -> Option<Self> {
        Some((!text.is_empty()).then(|| PathBuf::from(text)))
    }
}

/// Permission bits; shown in octal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions(pub u32);

impl Setting for Permissions {
    fn show(&self) -> String {
        format!("{:o}", self.0)
    }
    fn read(text: &str) -> Option<Self> {
        u32::from_str_radix(text, 8).ok().map(Self)
    }
}

/// A password: compared as bytes, never printed by `{:?}`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// No password is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The password's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_empty() { "Secret(none)" } else { "Secret(hidden)" })
    }
}

impl Setting for Secret {
    fn show(&self) -> String {
        self.0.clone()
    }
    fn read(text: &str) -> Option<Self> {
        Some(Self(text.to_owned()))
    }
}

/// An address to listen on, as `bind` and `http-bind` write it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BindAddress(String);

impl BindAddress {
    /// A leading `-` says that the address may be missing on this machine without that being an error.
    pub fn is_optional(&self) -> bool {
        self.0.starts_with('-')
    }

    /// The host to resolve: `*` and `::*` are given as `0.0.0.0` and `::`.
    pub fn host(&self) -> &str {
        match self.0.strip_prefix('-').unwrap_or(&self.0) {
            "*" => "0.0.0.0",
            "::*" => "::",
            host => host,
        }
    }
}

impl Setting for Vec<BindAddress> {
    fn show(&self) -> String {
        self.iter().map(|address| address.0.as_str()).collect::<Vec<_>>().join(" ")
    }
    fn read(text: &str) -> Option<Self> {
        Some(text.split_whitespace().map(|word| BindAddress(word.to_owned())).collect())
    }
}

/// Redis listens on at most this many addresses.
const BIND_ADDRESSES_MAX: usize = 16;

/// Checks the words of `bind`.
pub(super) fn check_bind(words: &[&str]) -> Result<String, String> {
    match words.len() {
        0..=BIND_ADDRESSES_MAX => Ok(words.join(" ")),
        _ => Err("Too many bind addresses specified.".into()),
    }
}

/// Start a snapshot when this many changes were made in this many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavePoint {
    /// Length of the period, seconds.
    pub seconds: u64,
    /// Changes that it takes.
    pub changes: u64,
}

impl Setting for Vec<SavePoint> {
    fn show(&self) -> String {
        self.iter().map(|p| format!("{} {}", p.seconds, p.changes)).collect::<Vec<_>>().join(" ")
    }
    fn read(text: &str) -> Option<Self> {
        let numbers = text.split_whitespace().map(|n| n.parse().ok()).collect::<Option<Vec<u64>>>()?;
        let pairs = numbers.chunks(2).map(|pair| match *pair {
            [seconds, changes] => Some(SavePoint { seconds, changes }),
            _ => None,
        });
        pairs.collect()
    }
}

/// Checks the words of `save`: pairs of seconds (1 or more) and changes (0 or more).
pub(super) fn check_save(words: &[&str]) -> Result<String, String> {
    let refusal = || "Invalid save parameters".to_owned();
    if !words.len().is_multiple_of(2) {
        return Err(refusal());
    }
    for (index, word) in words.iter().enumerate() {
        let least = i64::from(index % 2 == 0);
        super::kind::int_between(word, least, i64::MAX).map_err(|_| refusal())?;
    }
    Ok(words.join(" "))
}

/// `json-save`: a file in `dir` that gets all strings of database 0 as one JSON object, and how often.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JsonSave {
    /// The file's name; empty = off.
    file: String,
    /// Seconds between two saves.
    seconds: u64,
}

impl JsonSave {
    /// The file's name and the seconds between two saves, if it is on.
    pub fn plan(&self) -> Option<(&str, u64)> {
        (!self.file.is_empty()).then_some((self.file.as_str(), self.seconds))
    }
}

impl Setting for JsonSave {
    fn show(&self) -> String {
        self.plan().map(|(file, seconds)| format!("{file} {seconds}")).unwrap_or_default()
    }
    fn read(text: &str) -> Option<Self> {
        match text.rsplit_once(' ') {
            None => text.is_empty().then(Self::default),
            Some((file, seconds)) => Some(Self { file: file.to_owned(), seconds: seconds.parse().ok()? }),
        }
    }
}

/// Checks the words of `json-save`. CONFIG SET may change it, so the file can be nothing but a JSON file of `dir`: whoever
/// may give commands must not be able to write anywhere on the machine.
pub(super) fn check_json_save(words: &[&str]) -> Result<String, String> {
    match words {
        [] | [""] => Ok(String::new()),
        [file, seconds] => {
            let is_name = file.len() > ".json".len() && !file.contains('/') && !file.starts_with('.');
            if !is_name || !file.ends_with(".json") {
                return Err("the file must be a name that ends in .json; it is in dir".into());
            }
            super::kind::int_between(seconds, 1, i64::from(i32::MAX))?;
            Ok(words.join(" "))
        }
        _ => Err("json-save takes a file and seconds, such as kv_store.json 60; empty turns it off".into()),
    }
}

/// How much of the log's past is kept; none of both = nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HistoryBounds {
    /// Seconds since it was replaced.
    pub seconds: Option<u64>,
    /// Bytes in all.
    pub bytes: Option<u64>,
}

impl Setting for HistoryBounds {
    fn show(&self) -> String {
        let bytes = self.bytes.map(|bytes| format!("{bytes}b"));
        let words: Vec<String> = self.seconds.map(|s| s.to_string()).into_iter().chain(bytes).collect();
        words.join(" ")
    }
    fn read(text: &str) -> Option<Self> {
        let mut bounds = Self::default();
        for word in text.split_whitespace() {
            match word.strip_suffix('b') {
                Some(bytes) => bounds.bytes = Some(bytes.parse().ok()?),
                None => bounds.seconds = Some(word.parse().ok()?),
            }
        }
        Some(bounds)
    }
}

/// Checks the words of `aof-keep-history`: seconds as a bare number, bytes as a number with a unit, each at most once.
pub(super) fn check_history(words: &[&str]) -> Result<String, String> {
    let refusal = || "argument must be a number of seconds, a size with a unit (100mb), or both".to_owned();
    let mut bounds = HistoryBounds::default();
    for word in words.iter().filter(|word| !word.is_empty()) {
        let (bound, value) = match word.parse() {
            Ok(seconds) => (&mut bounds.seconds, Some(seconds)),
            Err(_) => (&mut bounds.bytes, super::parse::memory(word)),
        };
        let value = value.filter(|&value| value <= i64::MAX as u64).ok_or_else(refusal)?;
        if bound.replace(value).is_some() {
            return Err(refusal());
        }
    }
    Ok(bounds.show())
}

/// How much output a client may leave unread before it is disconnected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputLimit {
    /// Disconnect at once above this, bytes; 0 = never.
    pub hard: u64,
    /// Disconnect when above this for `soft_seconds`, bytes; 0 = never.
    pub soft: u64,
    /// How long the soft limit may be exceeded, seconds.
    pub soft_seconds: u64,
}

/// The output limit of each class of clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputLimits {
    /// Ordinary clients, MONITOR included.
    pub normal: OutputLimit,
    /// Replicas.
    pub replica: OutputLimit,
    /// Clients with at least one subscription.
    pub pubsub: OutputLimit,
}

impl Setting for OutputLimits {
    fn show(&self) -> String {
        let class = |name, l: OutputLimit| format!("{name} {} {} {}", l.hard, l.soft, l.soft_seconds);
        [class("normal", self.normal), class("slave", self.replica), class("pubsub", self.pubsub)].join(" ")
    }
    fn read(text: &str) -> Option<Self> {
        let mut limits = Self::default();
        limits.update(text).then_some(limits)
    }
    /// A class that is not named keeps its limit.
    fn update(&mut self, text: &str) -> bool {
        let mut next = *self;
        for group in text.split_whitespace().collect::<Vec<_>>().chunks(4) {
            let &[class, hard, soft, seconds] = group else { return false };
            let place = match class {
                "normal" => &mut next.normal,
                "slave" => &mut next.replica,
                "pubsub" => &mut next.pubsub,
                _ => return false,
            };
            let (Ok(hard), Ok(soft), Ok(soft_seconds)) = (hard.parse(), soft.parse(), seconds.parse()) else {
                return false;
            };
            *place = OutputLimit { hard, soft, soft_seconds };
        }
        *self = next;
        true
    }
}

/// Checks the words of `client-output-buffer-limit`: groups of class, hard limit, soft limit, seconds.
pub(super) fn check_output_limits(words: &[&str]) -> Result<String, String> {
    let mut out = Vec::new();
    let (groups, left) = words.as_chunks::<4>();
    if !left.is_empty() {
        return Err("Wrong number of arguments in buffer limit configuration.".into());
    }
    for &[class, hard, soft, seconds] in groups {
        let class = match class.to_ascii_lowercase().as_str() {
            "normal" => "normal",
            "slave" | "replica" => "slave",
            "pubsub" => "pubsub",
            _ => return Err("Invalid client class specified in buffer limit configuration.".into()),
        };
        let seconds = super::kind::int_between(seconds, 0, i64::from(i32::MAX)).ok();
        let numbers = (super::parse::memory(hard), super::parse::memory(soft), seconds);
        let (Some(hard), Some(soft), Some(seconds)) = numbers else {
            return Err("Error in hard, soft or soft_seconds setting in buffer limit configuration.".into());
        };
        out.push(format!("{class} {hard} {soft} {seconds}"));
    }
    Ok(out.join(" "))
}

/// Percentiles that INFO latencystats shows, each 0 to 100.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Percentiles(pub Vec<f64>);

impl Setting for Percentiles {
    fn show(&self) -> String {
        self.0.iter().map(|p| p.to_string()).collect::<Vec<_>>().join(" ")
    }
    fn read(text: &str) -> Option<Self> {
        text.split_whitespace().map(|word| word.parse().ok()).collect::<Option<_>>().map(Self)
    }
}

/// Checks the words of `latency-tracking-info-percentiles`; six decimals are kept, as Redis does.
pub(super) fn check_percentiles(words: &[&str]) -> Result<String, String> {
    let one = |word: &&str| match word.parse::<f64>() {
        Ok(p) if (0.0..=100.0).contains(&p) => Ok(((p * 1e6).round() / 1e6).abs().to_string()),
        Ok(p) if !p.is_nan() => {
            Err("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]".to_owned())
        }
        _ => Err("Invalid latency-tracking-info-percentiles parameters".to_owned()),
    };
    Ok(words.iter().map(one).collect::<Result<Vec<_>, _>>()?.join(" "))
}

/// What to do on a signal that ends the server; all `false` is `default`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShutdownFlags {
    /// Write a snapshot even if no `save` point is set.
    pub save: bool,
    /// Write no snapshot.
    pub nosave: bool,
    /// Do not wait for replicas that lag behind.
    pub now: bool,
    /// Exit even if something that would stop the exit fails.
    pub force: bool,
}

impl Setting for ShutdownFlags {
    fn show(&self) -> String {
        let all = [(self.save, "save"), (self.nosave, "nosave"), (self.now, "now"), (self.force, "force")];
        let set: Vec<_> = all.into_iter().filter_map(|(on, word)| on.then_some(word)).collect();
        if set.is_empty() { "default".to_owned() } else { set.join(" ") }
    }
    fn read(text: &str) -> Option<Self> {
        let mut flags = Self::default();
        for word in text.split_whitespace() {
            match word {
                "default" => {}
                "save" => flags.save = true,
                "nosave" => flags.nosave = true,
                "now" => flags.now = true,
                "force" => flags.force = true,
                _ => return None,
            }
        }
        Some(flags)
    }
}

/// Checks the words of `shutdown-on-sigint` and `shutdown-on-sigterm`.
pub(super) fn check_shutdown(words: &[&str]) -> Result<String, String> {
    let refusal = "argument(s) must be one of the following: default, save, nosave, now, force";
    if words.is_empty() || words.contains(&"") {
        return Err(refusal.into());
    }
    let flags = ShutdownFlags::read(&words.join(" ").to_ascii_lowercase()).ok_or(refusal)?;
    match flags.save && flags.nosave {
        true => Err("shutdown options SAVE and NOSAVE can't be used simultaneously".into()),
        false => Ok(flags.show()),
    }
}

/// One `rename-command` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenamedCommand {
    /// The command's own name.
    pub from: String,
    /// The name that clients must use; empty = the command is off.
    pub to: String,
}

impl Setting for Vec<RenamedCommand> {
    fn show(&self) -> String {
        let one =
            |r: &RenamedCommand| format!("{} {}", super::parse::quote(&r.from), super::parse::quote(&r.to));
        self.iter().map(one).collect::<Vec<_>>().join("\n")
    }
    fn read(text: &str) -> Option<Self> {
        let mut all = Self::new();
        text.lines().all(|line| all.update(line)).then_some(all)
    }
    fn update(&mut self, text: &str) -> bool {
        let Some(words) = super::parse::split_words(text.as_bytes()) else { return false };
        let mut words = words.into_iter().map(String::from_utf8);
        let (Some(Ok(from)), Some(Ok(to)), None) = (words.next(), words.next(), words.next()) else {
            return false;
        };
        self.push(RenamedCommand { from, to });
        true
    }
}

/// Checks the words of `rename-command`.
pub(super) fn check_rename(words: &[&str]) -> Result<String, String> {
    match words {
        [from, to] => Ok(format!("{} {}", super::parse::quote(from), super::parse::quote(to))),
        _ => Err("wrong number of arguments".into()),
    }
}

/// The `user` lines, each the words after `user`: name, then rules as ACL SETUSER takes them.
/// `{:?}` shows only how many, because rules hold passwords.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct UserLines(pub Vec<Vec<String>>);

impl std::fmt::Debug for UserLines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UserLines({})", self.0.len())
    }
}

impl Setting for UserLines {
    fn show(&self) -> String {
        self.0.iter().map(|words| quoted(words)).collect::<Vec<_>>().join("\n")
    }
    fn read(text: &str) -> Option<Self> {
        let mut all = Self::default();
        text.lines().all(|line| all.update(line)).then_some(all)
    }
    fn update(&mut self, text: &str) -> bool {
        let Some(words) = super::parse::split_words(text.as_bytes()) else { return false };
        let words: Result<Vec<_>, _> = words.into_iter().map(String::from_utf8).collect();
        words.map(|words| self.0.push(words)).is_ok()
    }
}

/// Checks the words of `user`; the rules themselves are the ACL's matter.
pub(super) fn check_user(words: &[&str]) -> Result<String, String> {
    match words {
        [] => Err("wrong number of arguments".into()),
        words => Ok(quoted(words)),
    }
}

fn quoted<W: AsRef<str>>(words: &[W]) -> String {
    words.iter().map(|word| super::parse::quote(word.as_ref())).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_classes_that_are_not_named_stay() {
        let mut limits = OutputLimits::default();
        assert!(limits.update(&check_output_limits(&["Replica", "1mb", "1kb", "5"]).unwrap()));
        assert_eq!(limits.show(), "normal 0 0 0 slave 1048576 1024 5 pubsub 0 0 0");
    }

    #[test]
    fn output_limits_are_refused_in_the_words_of_redis() {
        let wrong = |line: &str| check_output_limits(&line.split(' ').collect::<Vec<_>>()).unwrap_err();
        assert_eq!(wrong("normal 1 2"), "Wrong number of arguments in buffer limit configuration.");
        assert_eq!(wrong("master 1 1 5"), "Invalid client class specified in buffer limit configuration.");
        let numbers = "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
        for line in ["normal x 1 5", "normal 1 x 5", "normal 1 1 -1"] {
            assert_eq!(wrong(line), numbers);
        }
    }

    #[test]
    fn save_points_are_pairs() {
        assert_eq!(check_save(&["900", "1", "10", "0"]).unwrap(), "900 1 10 0");
        for bad in [&["900"][..], &["0", "1"], &["1", "-1"], &["a", "b"]] {
            assert_eq!(check_save(bad).unwrap_err(), "Invalid save parameters");
        }
    }

    #[test]
    fn a_json_save_is_a_file_of_the_directory_and_a_time() {
        for text in ["", "kv_store.json 60"] {
            let words: Vec<&str> = text.split(' ').collect();
            assert_eq!(JsonSave::read(&check_json_save(&words).unwrap()).unwrap().show(), text);
        }
        assert_eq!(JsonSave::read("a.json 7").unwrap().plan(), Some(("a.json", 7)));
        for bad in [
            "a.json",
            "a.json 0",
            "a.json x",
            "a.rdb 1",
            "/a.json 1",
            "d/a.json 1",
            ".json 1",
            "..json 1",
            "a.json 1 2",
        ] {
            let words: Vec<&str> = bad.split(' ').collect();
            assert!(check_json_save(&words).is_err(), "{bad}");
        }
    }

    #[test]
    fn history_is_bounded_by_seconds_and_by_bytes() {
        assert_eq!(check_history(&["3600"]).unwrap(), "3600");
        assert_eq!(check_history(&["1gb"]).unwrap(), "1073741824b");
        assert_eq!(check_history(&["1kb", "60"]).unwrap(), "60 1024b");
        assert_eq!(check_history(&[""]).unwrap(), "");
        for bad in [&["x"][..], &["1", "2"], &["1kb", "1b"], &["-1"], &["1s"]] {
            assert!(check_history(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn percentiles_are_shown_without_noise() {
        assert_eq!(
            check_percentiles(&["50.10", "0", "99.9", "12.3456789", "1e1"]).unwrap(),
            "50.1 0 99.9 12.345679 10"
        );
        assert!(check_percentiles(&["101"]).unwrap_err().contains("should sit between"));
        assert!(check_percentiles(&["nan"]).unwrap_err().starts_with("Invalid"));
    }

    #[test]
    fn shutdown_words_come_in_one_order() {
        assert_eq!(check_shutdown(&["force", "SAVE"]).unwrap(), "save force");
        assert_eq!(check_shutdown(&["now", "default"]).unwrap(), "now");
        assert!(check_shutdown(&["save", "nosave"]).unwrap_err().contains("simultaneously"));
        assert!(check_shutdown(&[]).is_err());
    }

    #[test]
    fn a_password_does_not_show_in_debug_output() {
        assert!(!format!("{:?}", Secret::read("hunter2").unwrap()).contains("hunter2"));
    }
}
