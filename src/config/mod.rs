//! The settings: which directives there are, how they are read, changed and written back.
//!
//! ```text
//! redis.conf, command line ──file──▶ Config ──Settings──▶ CONFIG GET | SET | REWRITE
//!                                      ▲
//!                    directives/*: one row per directive, kind: what it takes
//! ```
//!
//! [`Config`] is an immutable snapshot with typed fields. A reader loads the present one from [`Settings`] without
//! a lock and keeps it for a turn, so that one command never sees half of a change.
//!
//! Every directive of Redis 7.0 is known, so that an unchanged redis.conf starts this server. Differences that are meant:
//! writes are logged (`appendonly yes`), only this machine is served (`bind 127.0.0.1 -::1`), ordinary clients have a
//! finite output limit, and there are no `save` points, because the log replaces them.

mod choice;
mod directives;
mod file;
mod kind;
mod notify;
mod parse;
mod rewrite;
mod settings;
mod value;

pub use choice::{AppendFsync, LogFormat, LogLevel, MaxmemoryPolicy, Permit, PubsubDefault, SanitizePayload};
pub use directives::access::Access;
pub use directives::clients::Clients;
pub use directives::encoding::Encoding;
pub use directives::memory::Memory;
pub use directives::network::Network;
pub use directives::observe::Observe;
pub use directives::persistence::Persistence;
pub use directives::process::Process;
pub use directives::replication::Replication;
pub(crate) use file::split_line;
pub use file::{ConfigError, ConfigFiles, Loaded, load};
pub use notify::NotifyFlags;
pub use rewrite::{RewriteError, Rewritten};
pub use settings::{Changed, Origin, SetError, Settings};
pub use value::{
    BindAddress, OutputLimit, OutputLimits, Percentiles, Permissions, RenamedCommand, SavePoint, Secret,
    ShutdownFlags, UserLines,
};

use std::collections::BTreeMap;

/// All settings at one moment. [`Config::default`] holds the default of every directive.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where the server listens and who reads the sockets.
    pub network: Network,
    /// What one client may take.
    pub clients: Clients,
    /// What is written to the disk, when, and where.
    pub persistence: Persistence,
    /// How much memory the data may take.
    pub memory: Memory,
    /// Up to which size a value is held in its compact form.
    pub encoding: Encoding,
    /// What the server tells about itself.
    pub observe: Observe,
    /// Who may do what.
    pub access: Access,
    /// The process as a whole.
    pub process: Process,
    /// How replicas are fed.
    pub replication: Replication,
    /// Directives without effect that were changed from Redis's default: name and canonical text.
    unused: Unused,
}

impl Default for Config {
    fn default() -> Self {
        let mut config = Self {
            network: Network::blank(),
            clients: Clients::blank(),
            persistence: Persistence::blank(),
            memory: Memory::blank(),
            encoding: Encoding::blank(),
            observe: Observe::blank(),
            access: Access::blank(),
            process: Process::blank(),
            replication: Replication::blank(),
            unused: Unused::default(),
        };
        directives::all().for_each(|row| row.set_default(&mut config));
        config
    }
}

impl Config {
    /// Names of the directives that were changed from Redis's default and have no effect here, for one warning at
    /// start.
    pub fn without_effect(&self) -> Vec<&'static str> {
        self.unused.0.keys().copied().collect()
    }

    /// True when clients must authenticate before anything else.
    pub fn has_password(&self) -> bool {
        !self.access.requirepass.is_empty()
    }

    /// The text that CONFIG GET shows for one directive (any case, older names too); `None` if it is not known.
    pub fn text_of(&self, name: &str) -> Option<String> {
        directives::find(name).filter(|row| !row.is(directives::FILE_ONLY)).map(|row| row.get(self))
    }
}

/// True when the value of a directive, by a name in any case, must not be shown.
pub fn is_secret(name: &[u8]) -> bool {
    let row = std::str::from_utf8(name).ok().and_then(directives::find);
    row.is_some_and(|row| row.is(directives::SENSITIVE))
}

/// Texts of directives without effect. Some are passwords, so `{:?}` shows only the names.
#[derive(Clone, Default, PartialEq)]
struct Unused(BTreeMap<&'static str, String>);

impl std::fmt::Debug for Unused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
