//! The present settings, and CONFIG GET and CONFIG SET over them.
//!
//! Readers take a snapshot without a lock. Writers take turns: a change is made on a copy, its effects are
//! tried, and only then the copy becomes the present one, so that CONFIG SET does all or nothing.

use super::choice::Permit;
use super::directives::{self, Directive, FILE_ONLY, HIDDEN, IMMUTABLE, OWN, PROTECTED};
use super::{Config, parse};
use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;
use std::path::PathBuf;
use std::sync::Arc;

/// The settings of a running server.
pub struct Settings {
    current: ArcSwap<Config>,
    /// One change at a time: a lost update would answer +OK to a value that is gone.
    changing: Mutex<()>,
    pub(super) file: Option<PathBuf>,
}

/// Where a CONFIG SET comes from, for `enable-protected-configs local`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A connection from this machine.
    Local,
    /// Any other connection.
    Remote,
}

/// What a CONFIG SET has changed.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The directives whose value is another now, by their present names.
    pub names: Vec<&'static str>,
    /// The settings before.
    pub before: Arc<Config>,
    /// The settings now.
    pub now: Arc<Config>,
}

impl Changed {
    /// Whether this directive's value is another now.
    pub fn has(&self, name: &str) -> bool {
        self.names.contains(&name)
    }
}

/// Why a CONFIG SET changed nothing. `Display` gives the reply's text after `-ERR `.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetError {
    /// There is no such directive.
    Unknown {
        /// As the client wrote it.
        name: String,
    },
    /// There is, but not for this value or not for CONFIG SET.
    Refused {
        /// As the client wrote it.
        name: String,
        /// Redis's text where Redis has one.
        reason: String,
    },
}

impl std::fmt::Display for SetError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SetError::Unknown { name } => {
                write!(f, "Unknown option or number of arguments for CONFIG SET - '{name}'")
            }
            SetError::Refused { name, reason } => {
                write!(f, "CONFIG SET failed (possibly related to argument '{name}') - {reason}")
            }
        }
    }
}

impl std::error::Error for SetError {}

impl Settings {
    /// Starts with these settings; `file` is what CONFIG REWRITE writes, as an absolute path.
    pub fn new(config: Config, file: Option<PathBuf>) -> Self {
        Self { current: ArcSwap::from_pointee(config), changing: Mutex::new(()), file }
    }

    /// The present settings.
    pub fn load(&self) -> Guard<Arc<Config>> {
        self.current.load()
    }

    /// CONFIG SET without effects to try: see [`Settings::set_with`].
    ///
    /// # Errors
    /// The first pair that is refused; nothing has changed then.
    pub fn set(&self, pairs: &[(Vec<u8>, Vec<u8>)], origin: Origin) -> Result<Changed, SetError> {
        self.set_with(pairs, origin, |_| Ok(()))
    }

    /// CONFIG SET: takes all pairs or none.
    ///
    /// `apply` is given the change before it shows and may refuse it, naming the directive and the
    /// reason: a port that is taken, say. It runs while other changes wait, so it must not call back.
    ///
    /// # Errors
    /// The first pair that is refused, or `apply`'s refusal; nothing has changed then.
    pub fn set_with(
        &self,
        pairs: &[(Vec<u8>, Vec<u8>)],
        origin: Origin,
        apply: impl FnOnce(&Changed) -> Result<(), (&'static str, String)>,
    ) -> Result<Changed, SetError> {
        let _turn = self.changing.lock();
        let before = self.current.load_full();
        let permitted = permitted(pairs, &before, origin)?;
        let mut now = Config::clone(&before);
        for (row, name, value) in &permitted {
            let set = match std::str::from_utf8(value) {
                Ok(text) => row.set(&mut now, &[text]),
                Err(_) => Err("argument must be valid UTF-8".into()),
            };
            set.map_err(|reason| refused(name, reason))?;
        }
        let differs = |row: &Directive| row.get(&before) != row.get(&now);
        let names = permitted.iter().filter(|(row, ..)| differs(row)).map(|(row, ..)| row.name).collect();
        let changed = Changed { names, before, now: Arc::new(now) };
        apply(&changed).map_err(|(name, reason)| refused(name.as_bytes(), reason))?;
        self.current.store(Arc::clone(&changed.now));
        Ok(changed)
    }

    /// CONFIG GET: name and value of each directive that a pattern matches, each name once.
    ///
    /// A pattern without `*`, `?`, `[` or `\` is shown as the client wrote it, as Redis does.
    pub fn get(&self, patterns: &[Vec<u8>]) -> Vec<(String, String)> {
        let config = self.current.load();
        let mut found: Vec<(String, String)> = Vec::new();
        let mut seen: Vec<&'static str> = Vec::new();
        for pattern in patterns {
            let exact = !pattern.iter().any(|b| b"*?[\\".contains(b));
            for row in visible().filter(|row| exact || !row.is(HIDDEN)) {
                for name in row.names() {
                    let matches = match exact {
                        true => name.as_bytes().eq_ignore_ascii_case(pattern),
                        false => parse::glob_matches(pattern, name.as_bytes()),
                    };
                    if matches && !seen.contains(&name) {
                        seen.push(name);
                        let shown = if exact { lossy(pattern) } else { name.to_owned() };
                        found.push((shown, row.get(&config)));
                    }
                }
            }
        }
        found
    }
}

fn visible() -> impl Iterator<Item = &'static Directive> {
    directives::all().filter(|row| !row.is(FILE_ONLY))
}

/// A row with the name and the value that a client gave for it.
type Permitted<'p> = (&'static Directive, &'p [u8], &'p [u8]);

/// The row of each pair that changes something; refuses what CONFIG SET may not touch, before any value is looked at.
fn permitted<'p>(
    pairs: &'p [(Vec<u8>, Vec<u8>)],
    config: &Config,
    origin: Origin,
) -> Result<Vec<Permitted<'p>>, SetError> {
    let protected = match config.access.enable_protected_configs {
        Permit::Yes => false,
        Permit::Local => origin != Origin::Local,
        Permit::No => true,
    };
    let mut seen: Vec<&str> = Vec::new();
    let mut rows = Vec::new();
    for (name, value) in pairs {
        let known = visible().find_map(|row| {
            row.names().find(|known| known.as_bytes().eq_ignore_ascii_case(name)).map(|known| (row, known))
        });
        let Some((row, known)) = known else { return Err(SetError::Unknown { name: lossy(name) }) };
        let reason = match () {
            // Where both hold, the answer is that of Redis, in which the directive is only protected.
            () if row.is(PROTECTED) && protected => "can't set protected config",
            () if row.is(OWN) && row.get(config).as_bytes() == value => continue,
            () if row.is(IMMUTABLE) => "can't set immutable config",
            () if seen.contains(&known) => "duplicate parameter",
            () => {
                seen.push(known);
                rows.push((row, name.as_slice(), value.as_slice()));
                continue;
            }
        };
        return Err(refused(name, reason.into()));
    }
    Ok(rows)
}

fn refused(name: &[u8], reason: String) -> SetError {
    SetError::Refused { name: lossy(name), reason }
}

/// A client's bytes within a reply's line: control characters would end or forge it.
fn lossy(name: &[u8]) -> String {
    String::from_utf8_lossy(name).chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(settings: &Settings, line: &str) -> String {
        let words: Vec<&str> = line.split('|').collect();
        let pairs: Vec<_> = words.chunks(2).map(|p| (p[0].into(), p[1].into())).collect();
        match settings.set(&pairs, Origin::Remote) {
            Ok(changed) => changed.names.join(" "),
            Err(error) => error.to_string(),
        }
    }

    fn fresh() -> Settings {
        Settings::new(Config::default(), None)
    }

    #[test]
    fn refusals_are_those_of_redis() {
        let failed = "CONFIG SET failed (possibly related to argument";
        for (line, expected) in [
            ("nosuch|1", "Unknown option or number of arguments for CONFIG SET - 'nosuch'".to_owned()),
            (
                "MaxClients|1|nosuch|1",
                "Unknown option or number of arguments for CONFIG SET - 'nosuch'".into(),
            ),
            (
                "rename-command|x",
                "Unknown option or number of arguments for CONFIG SET - 'rename-command'".into(),
            ),
            ("nosuch\r\nx|1", "Unknown option or number of arguments for CONFIG SET - 'nosuch  x'".into()),
            ("databases|3|nosuch|1", format!("{failed} 'databases') - can't set immutable config")),
            ("hz|x|dir|/", format!("{failed} 'dir') - can't set protected config")),
            ("hz|1|HZ|2", format!("{failed} 'HZ') - duplicate parameter")),
            (
                "hz|1|maxclients|x",
                format!("{failed} 'maxclients') - argument couldn't be parsed into an integer"),
            ),
            (
                "maxclients|0",
                format!("{failed} 'maxclients') - argument must be between 1 and 4294967295 inclusive"),
            ),
        ] {
            let settings = fresh();
            assert_eq!(set(&settings, line), expected, "{line}");
            assert!(**settings.load() == Config::default(), "{line} changed something");
        }
    }

    #[test]
    fn what_changed_is_told_and_what_did_not_is_not() {
        let settings = fresh();
        assert_eq!(set(&settings, "maxmemory|1gb|hz|10|slave-priority|5"), "maxmemory replica-priority");
        assert_eq!(settings.load().memory.maxmemory, 1 << 30);
        assert_eq!(settings.load().text_of("slave-priority").unwrap(), "5");
        assert_eq!(settings.load().without_effect(), ["replica-priority"]);
    }

    #[test]
    fn what_is_set_to_what_it_is_does_not_shift_the_values_of_the_others() {
        let settings = fresh();
        assert_eq!(set(&settings, "log-format|text|maxmemory|5mb|operation-log||hz|20"), "maxmemory hz");
        assert_eq!(settings.load().memory.maxmemory, 5 << 20);
        assert!(set(&settings, "log-format|json").ends_with("can't set immutable config"));
    }

    #[test]
    fn what_is_hidden_shows_only_to_those_who_name_it() {
        let get = |pattern: &str| fresh().get(&[pattern.into()]).into_iter().map(|(name, _)| name).collect();
        let (all, named): (Vec<_>, Vec<_>) = (get("*"), get("key-load-delay"));
        assert!(!all.contains(&"key-load-delay".to_owned()));
        assert_eq!(named, ["key-load-delay"]);
    }

    #[test]
    fn two_names_of_one_directive_are_no_duplicate() {
        let settings = fresh();
        set(&settings, "slave-priority|5|replica-priority|6");
        assert_eq!(settings.load().text_of("replica-priority").unwrap(), "6");
    }

    #[test]
    fn an_effect_that_fails_leaves_everything_as_it_was() {
        let settings = fresh();
        let pairs = [(b"port".to_vec(), b"80".to_vec()), (b"hz".to_vec(), b"20".to_vec())];
        let error = settings
            .set_with(&pairs, Origin::Local, |changed| {
                assert!(changed.has("port") && changed.now.network.port == 80);
                Err(("port", "Unable to listen on this port. Check server logs.".into()))
            })
            .unwrap_err();
        assert!(error.to_string().ends_with("'port') - Unable to listen on this port. Check server logs."));
        assert!(**settings.load() == Config::default());
    }

    #[test]
    fn protected_directives_open_as_far_as_they_are_allowed_to() {
        let pairs = [(b"dbfilename".to_vec(), b"other.rdb".to_vec())];
        for (permit, origin, expected) in [
            (Permit::No, Origin::Local, false),
            (Permit::Local, Origin::Remote, false),
            (Permit::Local, Origin::Local, true),
            (Permit::Yes, Origin::Remote, true),
        ] {
            let mut config = Config::default();
            config.access.enable_protected_configs = permit;
            assert_eq!(
                Settings::new(config, None).set(&pairs, origin).is_ok(),
                expected,
                "{permit:?} {origin:?}"
            );
        }
    }

    #[test]
    fn each_name_is_given_once_and_as_it_was_asked_for() {
        let get = |patterns: &str| {
            let patterns: Vec<_> = patterns.split(' ').map(Vec::from).collect();
            let names: Vec<_> = fresh().get(&patterns).into_iter().map(|(name, _)| name).collect();
            names.join(" ")
        };
        assert_eq!(get("SLAVE-PRIORITY slave-prio* *priority"), "SLAVE-PRIORITY replica-priority");
        assert_eq!(get("SA?E save [s]ave"), "save");
        assert_eq!(get("nosuch rename-command user loadmodule"), "");
        assert_eq!(get("*max*lag*"), "min-replicas-max-lag min-slaves-max-lag");
    }
}
