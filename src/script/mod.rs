//! Lua: the interpreter that runs scripts, what they may call, and the scripts that are known.
//!
//! The interpreter knows no keys and no locks. What a script asks of the server goes through [`Host`], as a request whose
//! reply comes back as bytes of the protocol. There is one interpreter for the process, because one script runs at a time.

mod convert;
mod engine;
mod library;
mod patterns;
mod pulse;
mod sandbox;
mod shebang;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use sha1::{Digest, Sha1};

use crate::base::clock::Clock;
use crate::base::refusal::Refusal;
use crate::resp::reply::{Proto, Reply};
use crate::resp::request::Request;
use engine::Engine;
pub use pulse::NotEnded;
use pulse::Pulse;
pub use shebang::Flags;

/// What a script may ask of the server.
pub trait Host {
    /// Runs a command. Its reply goes to the end of `out`; a refusal is an error reply.
    fn call(&mut self, request: &Request<'_>, proto: Proto, out: &mut Vec<u8>);

    /// What the script returned holds an error, with this line; it may be counted already, as that of a command.
    fn answers_error(&mut self, line: &[u8], counted: bool);

    /// True when there is a command of this name.
    fn knows(&self, name: &[u8]) -> bool;
}

/// The name of a script: its SHA-1 as 40 hexadecimal digits in lower case.
pub type Name = [u8; 40];

/// The scripts that are known, and the interpreter.
pub struct Scripts {
    inner: Mutex<Inner>,
    pulse: Arc<Pulse>,
    /// Number of scripts and bytes of their texts, for INFO: it must not wait for a script that runs.
    count: AtomicUsize,
    bytes: AtomicUsize,
    /// Bytes that the interpreter used after the last script that was run or made known.
    used: AtomicUsize,
}

#[derive(Default)]
struct Inner {
    known: HashMap<Name, Flags>,
    /// Made for the first script, and anew after SCRIPT FLUSH.
    engine: Option<Engine>,
}

/// What INFO tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Scripts that are known.
    pub count: usize,
    /// Bytes of their texts.
    pub bytes: usize,
    /// Bytes that the interpreter uses.
    pub interpreter: usize,
}

impl Scripts {
    /// No script is known yet.
    pub fn new(clock: Clock) -> Self {
        Scripts {
            inner: Mutex::default(),
            pulse: Arc::new(Pulse::new(clock)),
            count: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            used: AtomicUsize::new(0),
        }
    }

    /// Makes a script known; its name.
    ///
    /// # Errors
    /// When its first line or the script itself cannot be understood.
    pub fn load(&self, text: &[u8]) -> Result<Name, Refusal> {
        let name = name_of(text);
        let mut inner = self.inner.lock();
        if inner.known.contains_key(&name) {
            return Ok(name);
        }
        let (flags, body) = shebang::parse(text)?;
        let fault = |fault: mlua::Error| Refusal::err(engine::message(&fault));
        if inner.engine.is_none() {
            inner.engine = Some(Engine::new(self.pulse.clone()).map_err(fault)?);
        }
        if let Some(engine) = &mut inner.engine {
            engine.compile(name, &body).map_err(|error| {
                Refusal::err(format!("Error compiling script (new function): {}", engine::message(&error)))
            })?;
            self.used.store(engine.used(), Ordering::Relaxed);
        }
        inner.known.insert(name, flags);
        self.count.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(text.len(), Ordering::Relaxed);
        Ok(name)
    }

    /// The flags of a script; none of one that is not known.
    pub fn flags(&self, name: &Name) -> Option<Flags> {
        self.inner.lock().known.get(name).copied()
    }

    /// True when a script has declared that it writes nothing. It is given as EVAL and EVALSHA take it: text or name.
    pub fn only_reads(&self, word: &[u8]) -> bool {
        self.flags_of(word).is_some_and(|flags| flags.no_writes)
    }

    /// The flags of a script that is given as EVAL and EVALSHA take it; none where it cannot be told.
    pub fn flags_of(&self, word: &[u8]) -> Option<Flags> {
        match word.starts_with(b"#!") {
            true => shebang::parse(word).ok().map(|(flags, _)| flags),
            false => parse_name(word).and_then(|name| self.flags(&name)),
        }
    }

    /// Forgets all scripts.
    pub fn flush(&self) {
        *self.inner.lock() = Inner::default();
        for figure in [&self.count, &self.bytes, &self.used] {
            figure.store(0, Ordering::Relaxed);
        }
    }

    /// True while a script takes longer than it may: others are told so instead of waiting.
    pub fn is_overdue(&self) -> bool {
        self.pulse.is_overdue()
    }

    /// The script under way has written.
    pub fn note_write(&self) {
        self.pulse.note_write();
    }

    /// Has the script end that takes too long.
    ///
    /// # Errors
    /// When none does, or when it has written.
    pub fn kill(&self) -> Result<(), NotEnded> {
        self.pulse.kill()
    }

    /// Has any script end because the server does, or lets them run again because it goes on after all. What a script has
    /// done by then stands, as after any error.
    pub fn set_last(&self, is_last: bool) {
        self.pulse.set_last(is_last);
    }

    /// What is called now and then on the thread of a script that takes too long. It must not come here for more than
    /// [`Scripts::is_overdue`] and [`Scripts::kill`]: the interpreter is not to be had.
    pub fn set_attendant(&self, attend: fn()) {
        self.pulse.set_attendant(attend);
    }

    /// Runs a script that is known and writes its reply. After `limit_ms` milliseconds it takes too long; 0: never.
    ///
    /// # Errors
    /// What the script raised, as the line that the client gets; whether it has been counted as an error already, because
    /// a command that the script called was refused.
    pub fn run(
        &self,
        name: &Name,
        keys: &[&[u8]],
        args: &[&[u8]],
        limit_ms: u64,
        host: &mut dyn Host,
        reply: &mut Reply<'_>,
    ) -> Result<(), Raised> {
        let mut inner = self.inner.lock();
        let Some(engine) = &mut inner.engine else { return Err(Raised::new("NOSCRIPT No matching script.")) };
        self.pulse.begin(limit_ms);
        let outcome = engine.run(name, keys, args, host, reply);
        self.pulse.end();
        self.used.store(engine.used(), Ordering::Relaxed);
        outcome
    }

    /// The figures for INFO.
    pub fn usage(&self) -> Usage {
        Usage {
            count: self.count.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            interpreter: self.used.load(Ordering::Relaxed),
        }
    }
}

/// What ended a script.
#[derive(Debug, PartialEq, Eq)]
pub struct Raised {
    /// The error line, without the leading `-`.
    pub line: String,
    /// It is the refusal of a command that the script called.
    pub counted: bool,
}

impl Raised {
    fn new(line: impl Into<String>) -> Self {
        Raised { line: line.into(), counted: false }
    }
}

/// The name of a script with this text.
pub fn name_of(text: &[u8]) -> Name {
    let mut name = [0; 40];
    for (pair, byte) in name.chunks_exact_mut(2).zip(Sha1::digest(text)) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    name
}

/// A name as a client writes it, in any case; none where it cannot be one.
pub fn parse_name(word: &[u8]) -> Option<Name> {
    word.to_ascii_lowercase().try_into().ok()
}

fn digit(value: u8) -> u8 {
    match value {
        0..=9 => b'0' + value,
        _ => b'a' + value - 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;

    impl Host for Nobody {
        fn call(&mut self, _: &Request<'_>, proto: Proto, out: &mut Vec<u8>) {
            Reply::new(out, proto).ok();
        }

        fn answers_error(&mut self, _: &[u8], _: bool) {}

        fn knows(&self, _: &[u8]) -> bool {
            false
        }
    }

    /// What a script that is known answers, or the line of what it raised.
    fn answer(scripts: &Scripts, name: &Name) -> String {
        let mut out = Vec::new();
        let ended = scripts.run(name, &[], &[], 0, &mut Nobody, &mut Reply::new(&mut out, Proto::Resp2));
        ended.map_or_else(|raised| raised.line, |()| String::from_utf8(out).unwrap())
    }

    #[test]
    fn there_may_be_more_scripts_than_an_interpreter_has_places_on_its_stack() {
        const COUNT: usize = 10_000;
        let scripts = Scripts::new(Clock::real());
        let mut names = Vec::new();
        let mut bytes = 0;
        for number in 0..COUNT {
            let text = format!("return {number}");
            bytes += text.len();
            names.push(scripts.load(text.as_bytes()).unwrap());
        }
        for number in (0..COUNT).step_by(99).chain([COUNT - 1]) {
            assert_eq!(answer(&scripts, &names[number]), format!(":{number}\r\n"));
        }
        let usage = scripts.usage();
        assert_eq!((usage.count, usage.bytes), (COUNT, bytes));
        assert!(usage.interpreter > COUNT * 100, "{usage:?}");
        scripts.flush();
        assert_eq!(scripts.usage(), Usage { count: 0, bytes: 0, interpreter: 0 });
        assert_eq!(answer(&scripts, &names[0]), "NOSCRIPT No matching script.");
    }
}
