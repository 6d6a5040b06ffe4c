//! Every directive that the server knows: one row each, by subject.
//!
//! A row in one of the files here declares the field of [`Config`], its meaning and unit, its name, the values that it
//! takes, its default and what CONFIG SET may do to it. Parser, CONFIG GET, SET and REWRITE, `--help` and the checks at
//! start read these rows and nothing else. To add a directive, add a row and obey it.

pub(super) mod access;
pub(super) mod clients;
pub(super) mod encoding;
pub(super) mod memory;
pub(super) mod network;
pub(super) mod observe;
pub(super) mod persistence;
pub(super) mod process;
pub(super) mod replication;
pub(super) mod without_effect;

use super::Config;
use super::kind::Kind;
use super::parse;

/// What may be done with a directive besides setting it at start; combined with `|`.
pub(super) type Flags = u8;
/// CONFIG SET may change it.
pub(super) const LIVE: Flags = 0;
/// It is fixed at start.
pub(super) const IMMUTABLE: Flags = 1;
/// CONFIG SET may change it only as far as `enable-protected-configs` allows.
pub(super) const PROTECTED: Flags = 2;
/// Its value must not be printed.
pub(super) const SENSITIVE: Flags = 4;
/// Further lines in a file add to the first ones.
pub(super) const SERIAL: Flags = 8;
/// It exists in files and on the command line only: CONFIG does not know it.
pub(super) const FILE_ONLY: Flags = 16;

/// It is ours, not Redis's. Setting it to what it is, as a tool does that writes back all that it has read, is no change
/// to refuse.
pub(super) const OWN: Flags = 32;
/// CONFIG GET shows it only to those who name it.
pub(super) const HIDDEN: Flags = 64;

/// Where a directive's value lives.
pub(super) enum Store {
    /// In a typed field, which the server obeys.
    Field {
        /// The text that CONFIG GET shows.
        get: fn(&Config) -> String,
        /// Takes a canonical text; `false` if the field's type cannot hold it.
        set: fn(&mut Config, &str) -> bool,
    },
    /// Kept as text: accepted, shown, without effect.
    Unused,
    /// Only the default is accepted, because ignoring the rest would be dangerous; the sentence says why.
    Unsupported(&'static str),
}

/// One directive.
pub(super) struct Directive {
    /// The name that CONFIG REWRITE writes.
    pub(super) name: &'static str,
    /// An older name for the same value.
    pub(super) alias: Option<&'static str>,
    pub(super) kind: Kind,
    /// Canonical text of the default.
    pub(super) default: &'static str,
    pub(super) flags: Flags,
    pub(super) store: Store,
}

impl Directive {
    pub(super) fn is(&self, flag: Flags) -> bool {
        self.flags & flag != 0
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.alias)
    }

    /// The value that CONFIG GET shows.
    pub(super) fn get(&self, config: &Config) -> String {
        match self.store {
            Store::Field { get, .. } => get(config),
            Store::Unused => {
                config.unused.0.get(self.name).cloned().unwrap_or_else(|| self.default.to_owned())
            }
            Store::Unsupported(_) => self.default.to_owned(),
        }
    }

    /// Takes new values; the error is Redis's text where Redis has one, and nothing has changed then.
    pub(super) fn set(&self, config: &mut Config, args: &[&str]) -> Result<(), String> {
        let text = self.kind.canonical(args)?;
        self.set_canonical(config, &text)
    }

    fn set_canonical(&self, config: &mut Config, text: &str) -> Result<(), String> {
        match self.store {
            Store::Field { set, .. } if set(config, text) => Ok(()),
            Store::Field { .. } => Err("argument is out of range".into()),
            Store::Unused => {
                match text == self.default {
                    true => config.unused.0.remove(self.name),
                    false => config.unused.0.insert(self.name, text.to_owned()),
                };
                Ok(())
            }
            Store::Unsupported(_) if text == self.default => Ok(()),
            Store::Unsupported(why) => Err(why.to_owned()),
        }
    }

    /// Takes one more line of a file: as [`Directive::set`], but a SERIAL directive adds to what it has,
    /// and an empty text clears it.
    pub(super) fn add_line(&self, config: &mut Config, args: &[&str]) -> Result<(), String> {
        let text = self.kind.canonical(args)?;
        match self.is(SERIAL) && !text.is_empty() {
            true => self.set_canonical(config, format!("{} {text}", self.get(config)).trim_start()),
            false => self.set_canonical(config, &text),
        }
    }

    pub(super) fn set_default(&self, config: &mut Config) {
        if !self.is(FILE_ONLY) {
            let taken = self.set_canonical(config, self.default);
            debug_assert!(taken.is_ok(), "the default of {} is refused: {taken:?}", self.name);
        }
    }

    /// The lines that a configuration file needs for the present value.
    pub(super) fn lines(&self, config: &Config) -> Vec<String> {
        let value = self.get(config);
        let several = |size: usize| {
            let words: Vec<&str> = value.split_whitespace().collect();
            words.chunks(size).map(|group| format!("{} {}", self.name, group.join(" "))).collect::<Vec<_>>()
        };
        match (self.name, &self.kind) {
            _ if self.is(FILE_ONLY) => value.lines().map(|line| format!("{} {line}", self.name)).collect(),
            ("save", _) if !value.is_empty() => several(2),
            ("client-output-buffer-limit", _) => several(4),
            (name, Kind::Memory { .. }) => {
                let text = parse::memory(&value).map_or(value.clone(), parse::memory_with_unit);
                vec![format!("{name} {text}")]
            }
            (name, Kind::Words(_)) if !value.is_empty() && !value.contains(['"', '\'', '#', '$']) => {
                vec![format!("{name} {value}")]
            }
            (name, _) => vec![format!("{name} {}", parse::quote(&value))],
        }
    }
}

/// All directives, by subject.
pub(super) fn all() -> impl Iterator<Item = &'static Directive> {
    let groups: [&[Directive]; 10] = [
        network::ROWS,
        clients::ROWS,
        persistence::ROWS,
        memory::ROWS,
        encoding::ROWS,
        observe::ROWS,
        access::ROWS,
        process::ROWS,
        replication::ROWS,
        without_effect::ROWS,
    ];
    groups.into_iter().flatten()
}

/// The directive of this name or alias, in any case.
pub(super) fn find(name: &str) -> Option<&'static Directive> {
    all().find(|row| row.names().any(|known| known.eq_ignore_ascii_case(name)))
}

/// The known name nearest to one that is not known, if any is near enough to be meant.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    // A name that is wrong in more than a third of its letters was hardly meant.
    const NAME_LEN_MAX: usize = 64;
    let name = name.to_ascii_lowercase();
    if name.len() > NAME_LEN_MAX {
        return None;
    }
    let within = (name.len() / 3).clamp(1, 4);
    let names = all().flat_map(Directive::names).chain(["include"]);
    let nearest = names.map(|known| (distance(&name, known), known)).min_by_key(|(distance, _)| *distance);
    nearest.filter(|(distance, _)| *distance <= within).map(|(_, known)| known)
}

/// How many letters must be added, taken away or replaced to make one word from the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (y, cell) in b.bytes().zip(row.iter_mut().skip(1)) {
            let replaced = diagonal + usize::from(x != y);
            diagonal = *cell;
            left = replaced.min(*cell + 1).min(left + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// Declares a group of settings and its rows: field, type, name and optional older name, kind, default, flags.
macro_rules! group {
    (
        $(#[$meta:meta])*
        $group:ident: $type:ident {
            $($(#[$doc:meta])* $field:ident: $ty:ty = $name:literal $(or $alias:literal)?, $kind:expr, $default:literal, $flags:expr;)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $type {
            $($(#[$doc])* pub $field: $ty,)*
        }

        impl $type {
            /// Without any value; the rows' defaults follow.
            pub(in crate::config) fn blank() -> Self {
                Self { $($field: <$ty>::default(),)* }
            }
        }

        pub(in crate::config) const ROWS: &[crate::config::directives::Directive] = &[
            $(crate::config::directives::Directive {
                name: $name,
                alias: [$(Some($alias),)? None][0],
                kind: $kind,
                default: $default,
                flags: $flags,
                store: crate::config::directives::Store::Field {
                    get: |config| crate::config::value::Setting::show(&config.$group.$field),
                    set: |config, text| crate::config::value::Setting::update(&mut config.$group.$field, text),
                },
            },)*
        ];
    };
}
use group;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_name_is_used_twice() {
        let mut seen = HashSet::new();
        for name in all().flat_map(Directive::names) {
            assert!(seen.insert(name), "{name}");
        }
    }

    #[test]
    fn every_default_is_canonical_and_fits_its_field() {
        for row in all().filter(|row| !row.is(FILE_ONLY)) {
            let words = [row.default];
            assert_eq!(row.kind.canonical(&words).as_deref(), Ok(row.default), "{}", row.name);
            let config = Config::default();
            assert_eq!(row.get(&config), row.default, "{}", row.name);
            let mut again = config.clone();
            row.set(&mut again, &words).unwrap();
            assert!(again == config, "{}", row.name);
        }
    }

    #[test]
    fn every_value_that_a_kind_lets_through_fits_the_field() {
        for row in all().filter(|row| !matches!(row.store, Store::Unsupported(_))) {
            let texts: Vec<String> = match row.kind {
                Kind::Bool => vec!["yes".into(), "no".into()],
                Kind::Int { min, max } => vec![min.to_string(), max.to_string()],
                Kind::Clamped { low, high } => vec![low.to_string(), high.to_string()],
                Kind::Octal => vec!["0".into(), "777".into()],
                Kind::Memory { min, max } => vec![min.to_string(), max.to_string()],
                Kind::MemoryOrPercent => vec!["0".into(), u64::MAX.to_string(), "100%".into()],
                Kind::OneOf(words) => words.iter().map(|word| (*word).to_owned()).collect(),
                Kind::Text | Kind::FileName(_) => vec!["some text".into()],
                Kind::Words(_) => continue,
            };
            for text in texts {
                let mut config = Config::default();
                row.set(&mut config, &[&text]).unwrap_or_else(|e| panic!("{} {text}: {e}", row.name));
                assert_eq!(row.get(&config), text, "{}", row.name);
            }
        }
    }

    #[test]
    fn a_misspelt_name_finds_the_one_that_was_meant() {
        assert_eq!(nearest("apendfsync"), Some("appendfsync"));
        assert_eq!(nearest("MAX-MEMORY"), Some("maxmemory"));
        assert_eq!(nearest("replica-prioritty"), Some("replica-priority"));
        assert_eq!(nearest("xyzzy"), None);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
