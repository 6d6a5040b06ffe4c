//! What a command did, as the log must hold it.
//!
//! An effect repeats the result without the clock, chance or the state of the process: PEXPIREAT for EXPIRE, SET for
//! INCRBYFLOAT. Because a handler returns it, none can forget the log; because it is the only thing the log gets, what
//! replay does is what was done.

use crate::base::clock::Millis;
use crate::log::encode_command;

use super::context::Context;
use super::replicas::Pieces;
use super::session::Session;
use super::wait::Keys;
use crate::resp::reply::Reply;

/// The outcome of a command for the rest of the house.
pub enum Effect {
    /// Nothing was changed.
    None,
    /// The command as it came repeats what it did.
    Same,
    /// These commands repeat what it did.
    Instead(Record),
    /// Nothing was changed, but replicas are to be told of the command: PUBLISH.
    PassOn,
    /// The command is not finished: the connection sleeps, then its reply is written.
    Wait(Box<Wait>),
}

impl Effect {
    /// The effect that one other command repeats.
    pub fn instead<const N: usize>(words: [&[u8]; N]) -> Effect {
        let mut record = Record::default();
        record.push(words);
        Effect::Instead(record)
    }

    /// The effect that these commands repeat; none without any.
    pub fn instead_if_any(record: Record) -> Effect {
        if record.commands() == 0 { Effect::None } else { Effect::Instead(record) }
    }

    /// `Same` when something was changed.
    pub fn same_if(changed: bool) -> Effect {
        if changed { Effect::Same } else { Effect::None }
    }
}

/// Commands, encoded as the log holds them.
#[derive(Debug, Default, Clone)]
pub struct Record {
    bytes: Vec<u8>,
    commands: usize,
}

impl Record {
    /// Adds a command.
    pub fn push<const N: usize>(&mut self, words: [&[u8]; N]) {
        self.push_words(&words);
    }

    /// Adds a command of any number of words.
    pub fn push_words(&mut self, words: &[&[u8]]) {
        /// What an argument takes besides its bytes, at most: its length, and the ends of both lines.
        const AROUND_MAX: usize = 16;
        // Asked for once, as there is an effect for every SPOP.
        self.bytes.reserve(AROUND_MAX + words.iter().map(|word| AROUND_MAX + word.len()).sum::<usize>());
        encode_command(&mut self.bytes, words.iter().copied());
        self.commands += 1;
    }

    /// The encoded commands.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many there are.
    pub fn commands(&self) -> usize {
        self.commands
    }
}

/// What a sleeping connection waits for, and what it answers then.
pub struct Wait {
    /// What ends the sleep.
    pub until: Until,
    /// When it ends all the same, in Unix milliseconds; never without one.
    pub deadline: Option<Millis>,
    /// Writes the reply.
    pub then: Then,
}

/// See [`Wait::then`]. It may know what the command has found out; one that knows nothing takes no memory.
pub type Then = Box<dyn FnOnce(&Context, &mut Session, Woken, &mut Reply<'_>) + Send>;

impl Wait {
    /// The effect of a command that waits.
    pub fn effect(
        until: Until,
        deadline: Option<Millis>,
        then: impl FnOnce(&Context, &mut Session, Woken, &mut Reply<'_>) + Send + 'static,
    ) -> Effect {
        Effect::Wait(Box::new(Wait { until, deadline, then: Box::new(then) }))
    }

    /// True when it may last as long as nothing comes, so that it is pointless once the client has gone.
    pub fn is_for_client(&self) -> bool {
        matches!(self.until, Until::Keys(_) | Until::Deadline)
    }
}

/// What ends a sleep.
pub enum Until {
    /// Only the deadline.
    Deadline,
    /// The log being on the disk up to this sequence number.
    Durable(u64),
    /// A job that the mailbox was given.
    Job(tokio::sync::oneshot::Receiver<Result<(), String>>),
    /// Something in a key: see [`super::wait`].
    Keys(Keys),
    /// So many replicas having acknowledged an offset.
    Acknowledged {
        /// See above.
        offset: u64,
        /// See above.
        replicas: usize,
    },
    /// The end of a snapshot, which its connection sends. There is no reply.
    Snapshot(Pieces),
}

/// Why a sleep ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Woken {
    /// What was waited for came.
    Done,
    /// What was waited for failed, and why.
    Failed(String),
    /// The deadline came first.
    TimedOut,
}
