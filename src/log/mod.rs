//! The log: what makes a write last.
//!
//! The files are Redis's multi-part AOF, so that redis-server 7.0 and later, its tools, and this server
//! read each other's directories: a manifest, a base in RDB format, increments of commands. What Redis does
//! not have rides in lines that it skips: checksums, sequence numbers, and how far the device is known to
//! have it (`record` draws them).
//!
//! ```text
//! storage        the only door to files; in memory and with faults for tests
//! record, resp   the text of an increment
//! reader, batch  increment → units, and a verdict on its end
//! rdb            base and dump.rdb, both ways
//! json           the ancestors' file: one object of strings, both ways
//! manifest       which files count
//! place          where they are
//! replace        a file that appears whole or not at all
//! judge          where a log ends, and whether it may
//! open           directory → replay → running log
//! survey, copy   the same without touching anything: what each file holds; a part of it in a new directory
//! writer, sync   append, flush, sync
//! gather         whether a sync waits a moment for company
//! tap            who else hears what is appended
//! rewrite        a new base, while writes go on
//! annex          an increment brought in from elsewhere, wholly or not at all
//! fault          what can go wrong
//! ```
//!
//! Nothing here knows of tables: replay hands out arguments, a rewrite is handed entries. Of commands only those have a
//! name here that a base may end with (`rdb::tail`).

mod annex;
mod batch;
mod copy;
#[cfg(test)]
mod crash_tests;
mod cut;
#[cfg(test)]
mod damage_tests;
pub mod fault;
#[cfg(test)]
mod fault_tests;
mod gather;
mod generation;
mod groups;
pub mod json;
mod judge;
pub mod manifest;
pub mod open;
pub mod place;
mod ranges;
pub mod rdb;
pub mod reader;
pub mod record;
pub mod replace;
pub(crate) mod resp;
pub mod rewrite;
#[cfg(all(test, feature = "shuttle"))]
mod schedule_tests;
pub mod storage;
pub mod survey;
mod sync;
mod tap;
pub mod writer;

pub use annex::Annex;
pub use batch::{Batch, Command, Unit};
pub use copy::{Copied, CopyError, Target};
pub use fault::{LogFault, LogFaultKind};
pub use generation::KeepHistory;
pub use groups::GroupSizes;
pub use open::{Base, BaseKind, OpenError, Opened, Recovery, open};
pub use place::{DirectoryLock, Names};
pub use reader::{Reader, Summary, Verdict};
pub use record::{Seq, encode_array_header, encode_bulk, encode_command};
pub use replace::{ReplaceFile, replace_file};
pub use rewrite::Rewrite;
pub use survey::{Chain, Condition, FileReport, Link, LinkKind, Loader};
pub use tap::{Databases, Follower};
pub use writer::{Fsync, Log, LogOptions, LogStats};
