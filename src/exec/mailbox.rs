//! Orders that commands give to the machinery above them: the floor that carries them out reads the other end.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::replicas::Piece;
use crate::clients::Client;

/// Where the result of an order goes.
pub type Done = oneshot::Sender<Result<(), String>>;

/// Something that a command cannot do itself.
pub enum Order {
    /// End the process. `save`: write a snapshot first (`None`: as the settings say). `force`: end even if that fails.
    Shutdown {
        /// See above.
        save: Option<bool>,
        /// See above.
        force: bool,
        /// Answered only when it does not come to it.
        done: Done,
    },
    /// Write `dump.rdb`.
    Save {
        /// Nobody waits for it: a failure has to show in another way than by an answer.
        in_background: bool,
        /// Answered when it is written.
        done: Done,
    },
    /// Write the JSON file of `json-save`.
    SaveJson,
    /// Rewrite the log.
    Rewrite {
        /// Answered when it is done.
        done: Option<Done>,
    },
    /// Write the data out and load it back: DEBUG RELOAD. With `from_log`, load the log instead: DEBUG LOADAOF.
    Reload {
        /// See above.
        from_log: bool,
        /// False: load what is on disk, without writing it first.
        save: bool,
        /// Answered when it is done.
        done: Done,
    },
    /// Attach a replica to the stream and send it the state at that moment.
    Snapshot {
        /// The replica.
        client: Arc<Client>,
        /// It wants to know the stream's name and offset.
        is_named: bool,
        /// What it is to be sent.
        pieces: mpsc::Sender<Piece>,
    },
    /// Write the configuration file.
    RewriteSettings {
        /// Answered when it is written.
        done: Done,
    },
}

/// The end that orders are put into.
pub struct Mailbox(mpsc::UnboundedSender<Order>);

impl Mailbox {
    /// A mailbox and the end that it is read from.
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Order>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Mailbox(sender), receiver)
    }

    /// Puts an order in. After the end of the process has begun nobody reads it.
    pub fn post(&self, order: Order) {
        // A closed mailbox means that the process is ending: there is nobody left to tell.
        let _ = self.0.send(order);
    }
}
