//! Reading redis.conf, the files that it includes, and the command line after it.
//!
//! ```text
//! # a comment stands on a line of its own
//! save 900 1                directive and values, in any case of letters
//! requirepass "two words"   quotes as in redis-cli
//! include conf.d/*.conf     read in place; * and ? in the last part of the path; later lines win
//! ```
//!
//! The command line's directives are applied after the file. Files are read through [`ConfigFiles`], so that this floor
//! touches no disk. Nothing is obeyed before all has been read without an error, and an error tells the
//! file, the line, what is wrong with it and what to write instead.

use super::directives::{self, SENSITIVE, Store};
use super::{Config, parse};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// How deep files may include each other: more is a circle.
const INCLUDE_DEPTH_MAX: usize = 16;
/// How many files one start may read, or a circle of two includes would be read 2^16 times.
const INCLUDED_FILES_MAX: usize = 1000;
/// How much of a line an error shows, characters.
const SHOWN_LINE_MAX: usize = 200;

/// Where configuration files come from.
pub trait ConfigFiles {
    /// All of a file.
    ///
    /// # Errors
    /// As the operating system has it.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// All of standard input.
    ///
    /// # Errors
    /// As the operating system has it.
    fn read_stdin(&self) -> io::Result<Vec<u8>>;

    /// The names (not paths) of a directory's files, in any order.
    ///
    /// # Errors
    /// As the operating system has it.
    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>>;
}

/// What was read at start.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// The file that CONFIG REWRITE writes; `None` without a file or with standard input.
    pub file: Option<PathBuf>,
}

/// Why the settings cannot be used. Printed as
///
/// ```text
/// /etc/pinstripe.conf, line 12: port 6379 7000
///   wrong number of arguments
///   Write a whole number from 0 to 65535.
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// File and line, or the command line.
    pub place: String,
    /// The offending line; passwords left out.
    pub line: String,
    /// What is wrong with it.
    pub reason: String,
    /// What to do about it; may be empty.
    pub advice: String,
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.place)?;
        if !self.line.is_empty() {
            write!(f, ": {}", self.line)?;
        }
        write!(f, "\n  {}", self.reason)?;
        if !self.advice.is_empty() {
            write!(f, "\n  {}", self.advice)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Reads a file (`-` is standard input) and then the command line's directives, each its name and its values.
///
/// # Errors
/// The first line that cannot be obeyed, or the file that cannot be read.
pub fn load(
    file: Option<&Path>,
    overrides: &[Vec<String>],
    files: &dyn ConfigFiles,
) -> Result<Loaded, ConfigError> {
    let mut reader = Reader::new(files);
    let file = match file {
        Some(path) if path == Path::new("-") => {
            let bytes = files.read_stdin().map_err(|e| unreadable("standard input".into(), "", &e))?;
            reader.text("standard input", &bytes, 0)?;
            None
        }
        Some(path) => {
            reader.file(path, 0).map_err(|e| unreadable(path.display().to_string(), "", &e))??;
            Some(path.to_owned())
        }
        None => None,
    };
    for words in overrides {
        reader.directive("command line", "--", words, 0)?;
    }
    Ok(Loaded { config: reader.config, file })
}

/// Reads the text of a configuration file, and what it includes, over the defaults.
pub(super) fn read_text(name: &str, bytes: &[u8], files: &dyn ConfigFiles) -> Result<Config, ConfigError> {
    let mut reader = Reader::new(files);
    reader.text(name, bytes, 0)?;
    Ok(reader.config)
}

fn unreadable(place: String, line: &str, error: &io::Error) -> ConfigError {
    let advice = "Check the path and the permissions of the file.".into();
    ConfigError { place, line: line.to_owned(), reason: format!("cannot be read: {error}"), advice }
}

struct Reader<'a> {
    config: Config,
    files: &'a dyn ConfigFiles,
    files_read: usize,
}

impl<'a> Reader<'a> {
    fn new(files: &'a dyn ConfigFiles) -> Self {
        Self { config: Config::default(), files, files_read: 0 }
    }

    /// The outer error: the file cannot be read. The inner one: it can, but not be obeyed.
    fn file(&mut self, path: &Path, depth: usize) -> io::Result<Result<(), ConfigError>> {
        self.files_read += 1;
        let bytes = self.files.read(path)?;
        Ok(self.text(&path.display().to_string(), &bytes, depth))
    }

    fn text(&mut self, name: &str, bytes: &[u8], depth: usize) -> Result<(), ConfigError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        for (index, line) in bytes.split(|b| *b == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let place = format!("{name}, line {}", index + 1);
            match split_line(line) {
                Ok(words) => self.directive(&place, "", &words, depth)?,
                Err((reason, advice)) => {
                    // A broken line may be one that holds a password, so only its first word is shown.
                    let name = line.split(u8::is_ascii_whitespace).next().unwrap_or_default();
                    let line = format!("{} …", shown(&String::from_utf8_lossy(name)));
                    return Err(ConfigError { place, line, reason: reason.into(), advice: advice.into() });
                }
            }
        }
        Ok(())
    }

    fn directive(
        &mut self,
        place: &str,
        dashes: &str,
        words: &[String],
        depth: usize,
    ) -> Result<(), ConfigError> {
        let Some((name, values)) = words.split_first() else { return Ok(()) };
        let row = directives::find(name);
        let line = match row {
            Some(row) if row.is(SENSITIVE) => format!("{dashes}{name} …"),
            _ => format!("{dashes}{}", shown(&words.join(" "))),
        };
        let refused = |reason: String, advice: String| ConfigError {
            place: place.to_owned(),
            line: line.clone(),
            reason,
            advice,
        };
        if name.eq_ignore_ascii_case("include") {
            let [pattern] = values else {
                return Err(refused(
                    "wrong number of arguments".into(),
                    "Write one path for each include.".into(),
                ));
            };
            return self.include(pattern, depth, &refused);
        }
        let Some(row) = row else { return Err(unknown(name, refused)) };
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        row.add_line(&mut self.config, &values).map_err(|reason| {
            let advice = match row.store {
                Store::Unsupported(_) => String::new(),
                _ if values.iter().any(|value| value.starts_with('#')) => {
                    "A comment must stand on a line of its own.".into()
                }
                _ => row.kind.advice(),
            };
            refused(reason, advice)
        })
    }

    fn include(
        &mut self,
        pattern: &str,
        depth: usize,
        refused: &dyn Fn(String, String) -> ConfigError,
    ) -> Result<(), ConfigError> {
        let circle = "Remove the include that leads back to its own file.";
        for path in
            self.included(pattern).map_err(|e| refused(format!("cannot be read: {e}"), String::new()))?
        {
            if depth >= INCLUDE_DEPTH_MAX || self.files_read >= INCLUDED_FILES_MAX {
                return Err(refused("files include each other too deeply".into(), circle.into()));
            }
            self.file(&path, depth + 1).map_err(|e| {
                refused(
                    format!("{} cannot be read: {e}", path.display()),
                    "Check the path and its permissions.".into(),
                )
            })??;
        }
        Ok(())
    }

    /// The paths that an include names: itself, or, with `*`, `?` or `[` in its last part, those that match, in
    /// order of their names; none is no error then, as conf.d may be empty.
    fn included(&self, pattern: &str) -> io::Result<Vec<PathBuf>> {
        let path = Path::new(pattern);
        let last = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        if !last.contains(['*', '?', '[']) {
            return Ok(vec![path.to_owned()]);
        }
        let directory = path.parent().unwrap_or(Path::new(""));
        let here = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        let mut names = self.files.list(here)?;
        names.retain(|name| {
            let name = name.to_string_lossy();
            // As the shell has it, a hidden file must be asked for.
            name.starts_with('.') == last.starts_with('.')
                && parse::glob_matches(last.as_bytes(), name.as_bytes())
        });
        names.sort();
        Ok(names.into_iter().map(|name| directory.join(name)).collect())
    }
}

fn unknown(name: &str, refused: impl Fn(String, String) -> ConfigError) -> ConfigError {
    let advice = match directives::nearest(name) {
        Some(near) => format!("Did you mean {near}?"),
        None => "No directive of Redis 7.0 or of this server has this name: remove the line.".into(),
    };
    refused(format!("unknown directive '{}'", shown(name)), advice)
}

/// The words of a line, as text; the error is reason and advice.
pub(crate) fn split_line(line: &[u8]) -> Result<Vec<String>, (&'static str, &'static str)> {
    let words = parse::split_words(line)
        .ok_or(("unbalanced quotes", "Close every quote, and put a blank after the closing one."))?;
    let words: Result<_, _> = words.into_iter().map(String::from_utf8).collect();
    words.map_err(|_| ("the values are not valid UTF-8", "Save the file in UTF-8."))
}

/// Text for a terminal: escaped, and not endless.
fn shown(text: &str) -> String {
    let mut out: String = text
        .chars()
        .take(SHOWN_LINE_MAX)
        .flat_map(|c| {
            let escaped = c.is_control().then(|| c.escape_default());
            escaped.into_iter().flatten().chain((!c.is_control()).then_some(c))
        })
        .collect();
    if text.chars().count() > SHOWN_LINE_MAX {
        out.push('…');
    }
    out
}
