//! The server's own log: lines for people or JSON for machines, on standard error or in a file.
//!
//! ```text
//! 2025-01-31T12:00:00.000000Z notice  server: listening address=127.0.0.1:6379
//! ```
//!
//! `loglevel` has Redis's four words. They lie on `tracing`'s levels so: warning = WARN (and ERROR), notice = INFO,
//! verbose = DEBUG, debug = TRACE; release builds leave TRACE out, so that debug equals verbose there.
//! What clients send may be part of a message: control characters are escaped, so that nobody can forge a line or
//! steer a terminal.

use crate::config::{LogFormat, LogLevel};
use parking_lot::Mutex;
use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::sync::Arc;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload;
use tracing_subscriber::{Layer, Registry};

/// Where the lines go: standard error, or a file that the caller opened.
pub type Output = Box<dyn Write + Send>;

/// Changes the log of a running server.
#[derive(Clone)]
pub struct LogHandle {
    level: reload::Handle<LevelFilter, Registry>,
    output: SharedOutput,
}

impl LogHandle {
    /// Changes the level, for CONFIG SET loglevel.
    pub fn set_level(&self, level: LogLevel) {
        // It fails only when the subscriber is gone, and then nothing logs.
        let _ = self.level.reload(filter(level));
    }

    /// Changes the output, so that a file that was moved away can be made anew.
    pub fn set_output(&self, output: Output) {
        *self.output.0.lock() = output;
    }
}

/// Makes a subscriber that writes whole lines to `output`, and the handle that changes it.
pub fn subscriber(
    format: LogFormat,
    level: LogLevel,
    output: Output,
) -> (impl Subscriber + Send + Sync + use<>, LogHandle) {
    let output = SharedOutput(Arc::new(Mutex::new(output)));
    let (filter, handle) = reload::Layer::new(filter(level));
    let layer = tracing_subscriber::fmt::layer().with_writer(output.clone()).with_ansi(false);
    let layer = match format {
        LogFormat::Text => layer.event_format(TextLine).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    };
    (Registry::default().with(filter).with(layer), LogHandle { level: handle, output })
}

/// Makes the process log so; call it once.
///
/// # Errors
/// A subscriber was set already.
pub fn start(format: LogFormat, level: LogLevel, output: Output) -> Result<LogHandle, AlreadyStarted> {
    let (subscriber, handle) = subscriber(format, level, output);
    tracing::subscriber::set_global_default(subscriber).map_err(|_| AlreadyStarted)?;
    Ok(handle)
}

/// The process logs already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlreadyStarted;

impl fmt::Display for AlreadyStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("logging has been started already")
    }
}

impl std::error::Error for AlreadyStarted {}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Debug => LevelFilter::TRACE,
        LogLevel::Verbose => LevelFilter::DEBUG,
        LogLevel::Notice => LevelFilter::INFO,
        LogLevel::Warning => LevelFilter::WARN,
    }
}

fn word(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "notice",
        Level::DEBUG => "verbose",
        Level::TRACE => "debug",
    }
}

#[derive(Clone)]
struct SharedOutput(Arc<Mutex<Output>>);

impl<'a> MakeWriter<'a> for SharedOutput {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for SharedOutput {
    /// The layer hands over a whole line at a time, so lines of two threads do not mix.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut output = self.0.lock();
        output.write_all(line)?;
        output.flush()?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().flush()
    }
}

/// The text format.
struct TextLine;

impl<S, N> FormatEvent<S, N> for TextLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        SystemTime.format_time(&mut out)?;
        let metadata = event.metadata();
        let target = metadata.target();
        let target = target.strip_prefix("pinstripe::").unwrap_or(target);
        write!(out, " {:<7} {target}:", word(*metadata.level()))?;
        let mut line = Line { message: String::new(), fields: String::new() };
        event.record(&mut line);
        writeln!(out, "{}{}", line.message, line.fields)
    }
}

/// Gathers the parts of an event: the message comes first, wherever it was given.
struct Line {
    message: String,
    fields: String,
}

impl Line {
    fn add(&mut self, field: &Field, value: &str) {
        // Writing into a String cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, " {}", Escaped(value)),
            name => write!(self.fields, " {name}={}", Escaped(value)),
        };
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.add(field, value),
            _ => self.add(field, &format!("{value:?}")),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, &format!("{value:?}"));
    }
}

/// Text with control characters, bidirectional marks included, written as escapes.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steers = |c: char| {
            c.is_control()
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        for c in self.0.chars() {
            match steers(c) {
                true => write!(f, "{}", c.escape_default())?,
                false => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// What the banner tells.
#[derive(Clone, Debug)]
pub struct BannerInfo {
    /// The addresses that are listened on, ready to be shown; Unix sockets as paths.
    pub addresses: Vec<String>,
    /// The TCP port for redis-cli, if there is one.
    pub port: Option<u16>,
    /// Threads that serve clients.
    pub workers: usize,
    /// The data directory, absolute.
    pub directory: String,
    /// How writes are kept, in words, e.g. "log, on disk within a second".
    pub durability: String,
    /// Keys found on the disk.
    pub keys_loaded: u64,
    /// How long loading took, milliseconds.
    pub load_ms: u64,
}

/// A few lines that tell a person, once the server is ready, what runs where and how to talk to it.
pub fn banner(info: &BannerInfo) -> String {
    let workers = if info.workers == 1 { "1 worker".into() } else { format!("{} workers", info.workers) };
    let loaded = match info.keys_loaded {
        0 => "no keys yet".to_owned(),
        1 => format!("1 key loaded in {} ms", info.load_ms),
        keys => {
            let rate = match info.load_ms {
                0 => String::new(),
                ms => format!(" ({} keys/s)", keys.saturating_mul(1000) / ms),
            };
            format!("{keys} keys loaded in {} ms{rate}", info.load_ms)
        }
    };
    let mut out = format!(
        "pinstripe {} (speaks Redis {}), {workers}\n",
        crate::base::version::VERSION,
        crate::base::version::REDIS_VERSION
    );
    let mut row = |name: &str, text: &str| {
        // Writing into a String cannot fail.
        let _ = writeln!(out, "  {name:<9} {}", Escaped(text));
    };
    row("address", &info.addresses.join(", "));
    row("data", &info.directory);
    row("durable", &info.durability);
    row("keys", &loaded);
    if let Some(port) = info.port {
        row("try", &format!("redis-cli -p {port}"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Sink {
        fn take(&self) -> String {
            String::from_utf8(std::mem::take(&mut *self.0.lock())).unwrap()
        }
    }

    fn logged(format: LogFormat, level: LogLevel, work: impl FnOnce(&LogHandle)) -> String {
        let sink = Sink::default();
        let (subscriber, handle) = subscriber(format, level, Box::new(sink.clone()));
        tracing::subscriber::with_default(subscriber, || work(&handle));
        sink.take()
    }

    #[test]
    fn a_line_tells_time_level_place_message_and_fields() {
        let line = logged(LogFormat::Text, LogLevel::Notice, |_| {
            tracing::info!(target: "pinstripe::server", clients = 3, name = "a b", "listening");
        });
        let (time, rest) = line.split_once(' ').unwrap();
        assert!(time.ends_with('Z') && time.len() >= 20, "{time}");
        assert_eq!(rest, "notice  server: listening clients=3 name=\"a b\"\n");
    }

    #[test]
    fn a_clients_bytes_cannot_forge_a_line() {
        let line = logged(LogFormat::Text, LogLevel::Notice, |_| {
            let name = "x\r\n2025 warning \x1b[31m";
            tracing::info!("client {name} came\nagain");
            tracing::info!(name, "client");
            tracing::info!(name = %name, "client");
        });
        assert_eq!(line.lines().count(), 3, "{line}");
        assert!(!line.contains('\x1b'), "{line}");
    }

    #[test]
    fn json_lines_are_json() {
        let text = logged(LogFormat::Json, LogLevel::Notice, |_| tracing::warn!(port = 1, "in \"use\"\n"));
        assert_eq!(text.lines().count(), 1);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["message"], "in \"use\"\n");
        assert_eq!(json["port"], 1);
        assert_eq!(json["level"], "WARN");
    }

    #[test]
    fn the_level_changes_while_the_server_runs() {
        let text = logged(LogFormat::Text, LogLevel::Warning, |handle| {
            let say = || {
                tracing::info!("info");
                tracing::debug!("debug");
            };
            say();
            handle.set_level(LogLevel::Verbose);
            say();
            handle.set_level(LogLevel::Notice);
            say();
        });
        let words: Vec<_> = text.lines().filter_map(|line| line.split(' ').next_back()).collect();
        assert_eq!(words, ["info", "debug", "info"]);
    }

    #[test]
    fn a_moved_file_is_replaced() {
        let second = Sink::default();
        let first = logged(LogFormat::Text, LogLevel::Notice, |handle| {
            tracing::info!("one");
            handle.set_output(Box::new(second.clone()));
            tracing::info!("two");
        });
        assert!(first.contains("one") && !first.contains("two"));
        assert!(second.take().contains("two"));
    }

    #[test]
    fn the_banner_tells_how_to_talk_to_the_server() {
        let mut info = BannerInfo {
            addresses: vec!["127.0.0.1:6380".into(), "[::1]:6380".into()],
            port: Some(6380),
            workers: 2,
            directory: "/data".into(),
            durability: "log, on disk within a second".into(),
            keys_loaded: 1000,
            load_ms: 10,
        };
        let text = banner(&info);
        for part in
            ["2 workers", "127.0.0.1:6380, [::1]:6380", "/data", "(100000 keys/s)", "redis-cli -p 6380"]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
        info.port = None;
        info.keys_loaded = 0;
        info.workers = 1;
        let text = banner(&info);
        assert!(text.contains("1 worker\n") && text.contains("no keys yet") && !text.contains("redis-cli"));
    }
}
