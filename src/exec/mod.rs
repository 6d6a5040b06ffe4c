//! How any command is run.
//!
//! [`run`] is the list of what happens to a request, from its name to its reply. What a command is, is a [`spec::Spec`];
//! what it did, an [`effect::Effect`]; what follows from that for log, watchers and statistics, [`commit`].

pub mod args;
pub mod commit;
pub mod context;
pub mod digest;
pub mod effect;
pub mod evict;
pub mod footprint;
pub mod freer;
mod gate;
mod keys;
pub mod lapse;
pub mod limits;
pub mod listen;
pub mod mailbox;
pub mod multi;
mod one_key;
mod onlookers;
mod operations;
pub mod outage;
mod quick;
mod redact;
pub mod registry;
pub mod replay;
pub mod replicas;
pub mod room;
pub mod rules;
pub mod run;
pub mod safety;
pub mod script;
pub mod session;
pub mod sleep;
pub mod spec;
mod sync_here;
pub mod tell;
mod timing;
pub mod tracking;
pub mod turn;
pub mod wait;

pub use args::Args;
pub use context::Context;
pub use effect::{Effect, Record, Until, Wait, Woken};
pub use session::Session;
pub use spec::{Begin, Find, Group, KeySpec, Many, Run, Spec, acl, flag, key};
pub use sync_here::SyncHere;
