//! A command's row: what it is called, what it may touch, how it is documented and how it is run.
//!
//! COMMAND, COMMAND DOCS, key extraction, the transaction gate, the README's list and the tests over the table all read
//! these rows; nothing about a command is said anywhere else.

use smallvec::SmallVec;

use super::args::Args;
use super::context::Context;
use super::effect::Effect;
use super::script;
use super::session::Session;
use crate::base::event::Event;
use crate::base::refusal::Refusal;
use crate::resp::reply::Reply;
use crate::resp::request::Request;
use crate::table::{Entry, Locked, Slot, Table};
use crate::value::Wanted;

/// One command or subcommand. Written as `Spec { name: "get", …, ..Spec::DEFAULT }`.
#[derive(Clone, Copy)]
pub struct Spec {
    /// In lower case; a subcommand's is its own word only.
    pub name: &'static str,
    /// Number of words, the name (and for a subcommand its container's name) included; negative: at least that many.
    pub arity: i32,
    /// Where its keys stand.
    pub keys: &'static [KeySpec],
    /// See [`flag`].
    pub flags: u32,
    /// See [`acl`]. READ, WRITE, FAST and SLOW follow from the flags and need not be said.
    pub acl: u32,
    /// Redis's version that brought it.
    pub since: &'static str,
    /// The group in the documentation.
    pub group: Group,
    /// One sentence.
    pub summary: &'static str,
    /// In Redis's words, such as `O(1)`.
    pub complexity: &'static str,
    /// What stands after the name, in the notation of Redis's documentation: `key [NX | XX] [EX seconds]`. COMMAND DOCS
    /// takes its argument tree from it.
    pub syntax: &'static str,
    /// What to use instead, for a deprecated command.
    pub replaced_by: Option<&'static str>,
    /// Rows of its subcommands, for a container.
    pub subcommands: &'static [Spec],
    /// What it does to its keys, as [`KeySpec::flags`], where that depends on other words.
    pub use_of_keys: Option<fn(&Request<'_>) -> u32>,
    /// The second database in which its keys lie, for the commands that work between two.
    pub other_db: Option<fn(&Request<'_>) -> Option<usize>>,
    /// True of a request that reads much of this big value, or all that it has to search. It is then answered from a copy
    /// that shares the value's parts, after the stripe is let go. Asked only where making one can pay: see [`super::rules`].
    pub reads_much: Option<fn(&Request<'_>, &Entry) -> bool>,
    /// True of requests that touch no more than their keys, although the row has [`flag::EVERYTHING`].
    pub is_narrow: Option<fn(&Request<'_>) -> bool>,
    /// What it wants of its only key's value, where the words behind the key do not tell.
    pub wants: Option<Wanted<'static>>,
    /// What a change that it makes of its only key is to those who listen to what happens to keys. A command whose events
    /// depend on more than that names them in its handler.
    pub event: Option<Event>,
    /// How it is run, which is also what it may touch.
    pub run: Run,
}

impl Spec {
    /// What a row does not say.
    pub const DEFAULT: Spec = Spec {
        name: "",
        arity: 0,
        keys: &[],
        flags: 0,
        acl: 0,
        since: "1.0.0",
        group: Group::Generic,
        summary: "",
        complexity: "O(1)",
        syntax: "",
        replaced_by: None,
        subcommands: &[],
        use_of_keys: None,
        other_db: None,
        reads_much: None,
        is_narrow: None,
        wants: None,
        event: None,
        run: Run::Container,
    };

    /// True when all flags of `flags` are set.
    #[inline]
    pub fn has(&self, flags: u32) -> bool {
        self.flags & flags == flags
    }

    /// True when a request of this many words is complete.
    #[inline]
    pub fn accepts(&self, words: usize) -> bool {
        if self.arity >= 0 {
            words == self.arity as usize
        } else {
            words >= self.arity.unsigned_abs() as usize
        }
    }

    /// Positions of the keys in a request; none where the request is malformed.
    pub fn key_positions(&self, request: &Request<'_>) -> SmallVec<[KeyAt; 8]> {
        let mut found = SmallVec::new();
        for spec in self.keys {
            spec.find(request, &mut found);
        }
        found
    }
}

/// How a command is run. The type of the function is the permission: what it is not given, it cannot touch.
#[derive(Clone, Copy)]
pub enum Run {
    /// Reads one key. The arguments stand after the key.
    Read(ReadOne),
    /// Changes one key. The arguments stand after the key.
    Write(WriteOne),
    /// Reads several keys as they are at one time, which are given in the order of the key specifications. The arguments
    /// stand after the name.
    ReadMany(Many),
    /// Reads or changes its keys. The arguments stand after the name.
    Keys(fn(&mut Args<'_>, &mut Locked<'_>, &mut Reply<'_>) -> Result<Effect, Refusal>),
    /// Looks at the whole table, no lock held for long.
    Scan(fn(&mut Args<'_>, &Table, &mut Reply<'_>) -> Result<(), Refusal>),
    /// Deals with the process or the session.
    Host(fn(&mut Args<'_>, &Context, &mut Session, &mut Reply<'_>) -> Result<Effect, Refusal>),
    /// Runs a script, which runs other commands.
    Script(script::Handler),
    /// Runs the commands that MULTI queued.
    Exec,
    /// Has subcommands only.
    Container,
}

/// A handler that reads one key.
pub type ReadOne = fn(&mut Args<'_>, Option<&Entry>, &mut Reply<'_>) -> Result<(), Refusal>;

/// A handler that changes one key.
pub type WriteOne = fn(&mut Args<'_>, &mut Slot<'_>, &mut Reply<'_>) -> Result<Effect, Refusal>;

/// A handler that reads several keys.
pub type ReadMany = fn(&mut Args<'_>, &[Option<&Entry>], &mut Reply<'_>) -> Result<(), Refusal>;

/// How several keys are read.
#[derive(Clone, Copy)]
pub struct Many {
    /// Reads them.
    pub read: ReadMany,
    /// True where that takes long. If a big value is among them, they are then read from copies, as for [`Spec::reads_much`].
    pub reads_much: fn(&[Option<&Entry>]) -> bool,
}

/// Bits of [`Spec::flags`], with the meanings of COMMAND INFO.
pub mod flag {
    /// May change data.
    pub const WRITE: u32 = 1;
    /// Reads data and changes none.
    pub const READONLY: u32 = 1 << 1;
    /// Is refused when memory is used up.
    pub const DENYOOM: u32 = 1 << 2;
    /// Administers the server.
    pub const ADMIN: u32 = 1 << 3;
    /// Belongs to publish/subscribe.
    pub const PUBSUB: u32 = 1 << 4;
    /// May not be called from scripts.
    pub const NOSCRIPT: u32 = 1 << 5;
    /// May make the client wait.
    pub const BLOCKING: u32 = 1 << 6;
    /// Is answered while data is being loaded.
    pub const LOADING: u32 = 1 << 7;
    /// Is answered by a replica with stale data.
    pub const STALE: u32 = 1 << 8;
    /// Is not shown to MONITOR.
    pub const SKIP_MONITOR: u32 = 1 << 9;
    /// Is not put into the slow log.
    pub const SKIP_SLOWLOG: u32 = 1 << 10;
    /// Takes constant or logarithmic time.
    pub const FAST: u32 = 1 << 11;
    /// Is answered before authentication.
    pub const NO_AUTH: u32 = 1 << 12;
    /// May not be queued by MULTI.
    pub const NO_MULTI: u32 = 1 << 13;
    /// Is refused while data is being loaded in the background.
    pub const NO_ASYNC_LOADING: u32 = 1 << 14;
    /// Is answered while a script runs too long.
    pub const ALLOW_BUSY: u32 = 1 << 15;
    /// Its keys cannot be found by first, last and step alone.
    pub const MOVABLEKEYS: u32 = 1 << 16;
    /// May be given no key although it can take some.
    pub const NO_MANDATORY_KEYS: u32 = 1 << 17;
    /// Ours: runs while every worker stands still.
    pub const EVERYTHING: u32 = 1 << 18;
    /// Ours: a transaction that holds it runs while every worker stands still, because it looks at more than its keys.
    pub const TABLE_WIDE: u32 = 1 << 19;
    /// Ours: its answer has nothing to do with the data, although nobody is answered while that is loaded (PING).
    pub const BLIND: u32 = 1 << 26;
    /// Ours: in its shortest form it runs in a few microseconds, whatever the value holds (not APPEND, which may have to copy a
    /// large one); in any form where its complexity is constant. Several of them may be timed together.
    pub const BRIEF: u32 = 1 << 27;
    /// Ours: is carried out at once inside MULTI (MULTI, DISCARD, WATCH, QUIT, RESET).
    pub const TRANSACTION_CONTROL: u32 = 1 << 20;
    /// Ours: is answered while a RESP2 client listens to channels.
    pub const LISTENING: u32 = 1 << 22;
    /// Ours: its replies are messages like those that it asks for, or that it ends. CLIENT REPLY does not hold them back.
    pub const ANSWERS_BY_PUSH: u32 = 1 << 23;
    /// Ours: may have an effect although it writes no key (PUBLISH).
    pub const MAY_REPLICATE: u32 = 1 << 25;
    /// Ours: that its key is not there is no event to those who listen to what happens to keys.
    pub const SILENT_MISS: u32 = 1 << 24;
    /// Ours: running it on a key does not count as use of that key (TTL, TYPE, OBJECT).
    pub const NO_TOUCH_KEY: u32 = 1 << 21;

    /// Names as COMMAND INFO has them, in the order of the bits. Those without one are not shown.
    pub const NAMES: [&str; 18] = [
        "write",
        "readonly",
        "denyoom",
        "admin",
        "pubsub",
        "noscript",
        "blocking",
        "loading",
        "stale",
        "skip_monitor",
        "skip_slowlog",
        "fast",
        "no_auth",
        "no_multi",
        "no_async_loading",
        "allow_busy",
        "movablekeys",
        "no_mandatory_keys",
    ];
}

/// Bits of [`Spec::acl`].
pub mod acl {
    /// Bits in the order of [`NAMES`].
    pub const KEYSPACE: u32 = 1;
    /// Reads keys' values or properties.
    pub const READ: u32 = 1 << 1;
    /// Changes keys' values or properties.
    pub const WRITE: u32 = 1 << 2;
    /// Works on sets.
    pub const SET: u32 = 1 << 3;
    /// Works on sorted sets.
    pub const SORTEDSET: u32 = 1 << 4;
    /// Works on lists.
    pub const LIST: u32 = 1 << 5;
    /// Works on hashes.
    pub const HASH: u32 = 1 << 6;
    /// Works on strings.
    pub const STRING: u32 = 1 << 7;
    /// Works on bitmaps.
    pub const BITMAP: u32 = 1 << 8;
    /// Works on HyperLogLogs.
    pub const HYPERLOGLOG: u32 = 1 << 9;
    /// Works on geospatial indexes.
    pub const GEO: u32 = 1 << 10;
    /// Works on streams.
    pub const STREAM: u32 = 1 << 11;
    /// Publish/subscribe.
    pub const PUBSUB: u32 = 1 << 12;
    /// For administrators.
    pub const ADMIN: u32 = 1 << 13;
    /// Constant or logarithmic time.
    pub const FAST: u32 = 1 << 14;
    /// Not fast.
    pub const SLOW: u32 = 1 << 15;
    /// May make the client wait.
    pub const BLOCKING: u32 = 1 << 16;
    /// Harmful in the wrong hands.
    pub const DANGEROUS: u32 = 1 << 17;
    /// About connections.
    pub const CONNECTION: u32 = 1 << 18;
    /// About transactions.
    pub const TRANSACTION: u32 = 1 << 19;
    /// About scripts.
    pub const SCRIPTING: u32 = 1 << 20;

    /// Names as ACL CAT has them, in the order of the bits.
    pub const NAMES: [&str; 21] = [
        "keyspace",
        "read",
        "write",
        "set",
        "sortedset",
        "list",
        "hash",
        "string",
        "bitmap",
        "hyperloglog",
        "geo",
        "stream",
        "pubsub",
        "admin",
        "fast",
        "slow",
        "blocking",
        "dangerous",
        "connection",
        "transaction",
        "scripting",
    ];
}

/// The group of a command in the documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are Redis's own")]
pub enum Group {
    Generic,
    String,
    List,
    Set,
    SortedSet,
    Hash,
    Pubsub,
    Transactions,
    Connection,
    Server,
    Scripting,
    Hyperloglog,
    Cluster,
    Geo,
    Stream,
    Bitmap,
}

impl Group {
    /// The name that COMMAND DOCS gives.
    pub fn name(self) -> &'static str {
        match self {
            Group::Generic => "generic",
            Group::String => "string",
            Group::List => "list",
            Group::Set => "set",
            Group::SortedSet => "sorted-set",
            Group::Hash => "hash",
            Group::Pubsub => "pubsub",
            Group::Transactions => "transactions",
            Group::Connection => "connection",
            Group::Server => "server",
            Group::Scripting => "scripting",
            Group::Hyperloglog => "hyperloglog",
            Group::Cluster => "cluster",
            Group::Geo => "geo",
            Group::Stream => "stream",
            Group::Bitmap => "bitmap",
        }
    }
}

/// Where some of a command's keys stand and what is done with them: Redis's key specifications.
#[derive(Debug, Clone, Copy)]
pub struct KeySpec {
    /// See [`key`].
    pub flags: u32,
    /// Where to begin.
    pub begin: Begin,
    /// How far they go.
    pub find: Find,
}

/// The position of the first key.
#[derive(Debug, Clone, Copy)]
pub enum Begin {
    /// At this word; the command's name is word 0.
    Index(usize),
    /// After this word, searched from a position on (negative: backwards from the end).
    Keyword(&'static str, i32),
    /// After this word, wherever it stands from a position on: where it is an option that may be given again, or what another
    /// option names. So one may be found that is no key, and none is overlooked that is.
    EachKeyword(&'static str, i32),
    /// After this word where it stands among options, each of which is passed over with its own words: a name among these may
    /// be the word that is looked for.
    Among {
        /// See above.
        word: &'static str,
        /// Where clients that know of no options should begin to look.
        from: i32,
        /// The options, each with the number of words behind it.
        options: &'static [(&'static str, usize)],
    },
}

/// The extent of the keys.
#[derive(Debug, Clone, Copy)]
pub enum Find {
    /// Up to `last` words after the first (negative: counted from the end, -1 is the last word), every `step`th.
    Range {
        /// See above.
        last: i32,
        /// See above.
        step: usize,
    },
    /// A number of keys is given at word `at` after the beginning, the first key `first` words after the beginning.
    Count {
        /// See above.
        at: usize,
        /// See above.
        first: usize,
        /// See above.
        step: usize,
    },
    /// The first half of all words that are left, which must be even.
    FirstHalf,
}

/// Bits of [`KeySpec::flags`].
pub mod key {
    /// The value is read and changed.
    pub const RW: u32 = 1;
    /// The value is only read.
    pub const RO: u32 = 1 << 1;
    /// The value is overwritten unseen.
    pub const OW: u32 = 1 << 2;
    /// The key is removed.
    pub const RM: u32 = 1 << 3;
    /// The reply tells of the value.
    pub const ACCESS: u32 = 1 << 4;
    /// The value changes.
    pub const UPDATE: u32 = 1 << 5;
    /// Something is added to the value.
    pub const INSERT: u32 = 1 << 6;
    /// Something is removed from the value.
    pub const DELETE: u32 = 1 << 7;
    /// The word is not a key but stands like one.
    pub const NOT_KEY: u32 = 1 << 8;
    /// There may be keys that this does not find.
    pub const INCOMPLETE: u32 = 1 << 9;
    /// What is done depends on other words.
    pub const VARIABLE_FLAGS: u32 = 1 << 10;

    /// Names as COMMAND INFO has them, in the order of the bits.
    pub const NAMES: [&str; 11] = [
        "RW",
        "RO",
        "OW",
        "RM",
        "access",
        "update",
        "insert",
        "delete",
        "not_key",
        "incomplete",
        "variable_flags",
    ];
}

/// A key's position in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyAt {
    /// The word's number.
    pub index: usize,
    /// See [`key`].
    pub flags: u32,
}

impl KeySpec {
    /// One key, right after the name.
    pub const fn first(flags: u32) -> KeySpec {
        KeySpec::at(1, flags)
    }

    /// One key at this word.
    pub const fn at(index: usize, flags: u32) -> KeySpec {
        KeySpec { flags, begin: Begin::Index(index), find: Find::Range { last: 0, step: 1 } }
    }

    /// Every `step`th word from `first` to the last.
    pub const fn all(first: usize, step: usize, flags: u32) -> KeySpec {
        KeySpec { flags, begin: Begin::Index(first), find: Find::Range { last: -1, step } }
    }

    /// As many keys as this word says, right behind it.
    pub const fn counted(at: usize, flags: u32) -> KeySpec {
        KeySpec { flags, begin: Begin::Index(at), find: Find::Count { at: 0, first: 1, step: 1 } }
    }

    /// True where a request must say how many keys follow, and not so many do.
    pub fn counts_wrong(&self, request: &Request<'_>) -> bool {
        let mut found = SmallVec::new();
        self.find(request, &mut found);
        matches!(self.find, Find::Count { .. }) && found.is_empty()
    }

    fn find(&self, request: &Request<'_>, found: &mut SmallVec<[KeyAt; 8]>) {
        let words = request.len();
        let begin = match self.begin {
            Begin::Index(index) => index,
            Begin::EachKeyword(word, from) => {
                let is_it = |&index: &usize| request.arg(index).eq_ignore_ascii_case(word.as_bytes());
                let from = usize::try_from(from).unwrap_or(1);
                let keys = (from..words.saturating_sub(1)).filter(is_it);
                return found.extend(keys.map(|at| KeyAt { index: at + 1, flags: self.flags }));
            }
            Begin::Keyword(word, from) => {
                let is_it = |&index: &usize| request.arg(index).eq_ignore_ascii_case(word.as_bytes());
                let at = if from >= 0 {
                    (from as usize..words).find(is_it)
                } else {
                    (1..=words.saturating_sub(from.unsigned_abs() as usize)).rev().find(is_it)
                };
                match at {
                    Some(at) => at + 1,
                    None => return,
                }
            }
            Begin::Among { word, options, .. } => match find_among(request, word, options) {
                Some(at) => at + 1,
                None => return,
            },
        };
        let (first, last, step) = match self.find {
            Find::Range { last, step } if last >= 0 => (begin, begin + last as usize, step),
            Find::Range { last, step } => (begin, words.saturating_sub(last.unsigned_abs() as usize), step),
            Find::FirstHalf => match words.saturating_sub(begin) {
                left if left > 0 && left % 2 == 0 => (begin, begin + left / 2 - 1, 1),
                _ => return,
            },
            Find::Count { at, first, step } => {
                let count = request.get(begin + at).and_then(crate::base::number::parse_i64);
                let Some(count) = count.and_then(|count| usize::try_from(count).ok()).filter(|&n| n > 0)
                else {
                    return;
                };
                let first = begin + first;
                match count.checked_sub(1).and_then(|more| more.checked_mul(step)).map(|more| first + more) {
                    Some(last) if last < words => (first, last, step),
                    _ => return,
                }
            }
        };
        if first >= words || last >= words {
            return;
        }
        found.extend((first..=last).step_by(step.max(1)).map(|index| KeyAt { index, flags: self.flags }));
    }
}

/// Where a word stands among options.
fn find_among(request: &Request<'_>, word: &str, options: &[(&str, usize)]) -> Option<usize> {
    let mut at = 1;
    loop {
        let found = request.get(at)?;
        if found.eq_ignore_ascii_case(word.as_bytes()) {
            return Some(at);
        }
        let is_it = |(name, _): &&(&str, usize)| found.eq_ignore_ascii_case(name.as_bytes());
        at += 1 + options.iter().find(is_it)?.1;
    }
}
