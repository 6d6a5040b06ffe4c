//! What a connection has told the server so far. It knows no socket: the HTTP gateway and replay have sessions too.

use std::sync::Arc;

use super::listen::Subscriptions;
use super::multi::Transaction;
use super::safety::{Looks, Need};
use super::tell::Queue;
use super::tracking::Tracked;
use super::wait::Waiting;
use crate::clients::Client;
use crate::resp::reply::Proto;
use crate::table::Watch;

/// The state of one client. There may be very many that are idle, so what few have is behind a pointer.
pub struct Session {
    /// What others see of it.
    pub client: Arc<Client>,
    /// The selected database.
    pub db: usize,
    /// The protocol of its replies.
    pub proto: Proto,
    /// True once it may run commands: no password is set, or it gave it.
    pub authenticated: bool,
    /// Commands queued by MULTI.
    pub transaction: Option<Box<Transaction>>,
    /// True while EXEC runs its commands: nothing may wait then.
    pub in_exec: bool,
    /// True while a script runs its commands.
    pub in_script: bool,
    /// What it watches; none when that is nothing.
    pub watched: Option<Box<Watched>>,
    /// What it has chosen by CLIENT TRACKING ON.
    pub tracking: Option<Box<Tracked>>,
    /// The keys that its command waits for.
    pub waiting: Option<Box<Waiting>>,
    /// What becomes of its replies.
    pub replies: Replies,
    /// The reply of the command that waits is not sent.
    pub mute: bool,
    /// Its commands do not count as use of keys.
    pub no_touch: bool,
    /// The connection ends once the replies so far are written.
    pub closing: bool,
    /// What it listens to; none when that is nothing.
    pub subscriptions: Option<Box<Subscriptions>>,
    /// What was posted to it and must be sent before the reply of the command under way: see [`super::listen`].
    pub early: Vec<u8>,
    /// What the command under way wants to be sent when its record is in the log.
    pub outgoing: Queue,
    /// It sees all commands.
    pub monitor: bool,
    /// What must be safe before the replies so far may leave.
    pub need: Need,
    /// What these replies are.
    pub looks: Looks,
}

/// WATCH.
#[derive(Default)]
pub struct Watched {
    /// Marked when one of the keys changes.
    pub watch: Watch,
    /// The keys, each with its database.
    pub keys: Vec<(usize, Vec<u8>)>,
}

/// CLIENT REPLY.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Replies {
    /// All are sent.
    #[default]
    On,
    /// None is sent.
    Off,
    /// This one (CLIENT REPLY SKIP itself) and the next are not sent.
    Skip,
    /// This one is not sent, then they are on again.
    SkipLast,
}

impl Session {
    /// The session of a new connection.
    pub fn new(client: Arc<Client>, authenticated: bool) -> Self {
        Session {
            client,
            db: 0,
            proto: Proto::Resp2,
            authenticated,
            transaction: None,
            in_exec: false,
            in_script: false,
            watched: None,
            tracking: None,
            waiting: None,
            replies: Replies::On,
            mute: false,
            no_touch: false,
            closing: false,
            subscriptions: None,
            early: Vec::new(),
            outgoing: Queue::default(),
            monitor: false,
            need: Need::default(),
            looks: Looks::default(),
        }
    }

    /// True when something may have been posted to it that has its place next to the replies.
    #[inline]
    pub(super) fn is_told(&self) -> bool {
        self.subscriptions.is_some() || !self.early.is_empty()
    }

    /// The keys that it watches.
    pub fn watched_keys(&self) -> &[(usize, Vec<u8>)] {
        self.watched.as_ref().map_or(&[], |watched| &watched.keys)
    }

    /// Switches the protocol. What was posted in the one before is sent before it.
    pub fn speak(&mut self, proto: Proto) {
        self.proto = proto;
        self.client.switch_protocol(if proto == Proto::Resp2 { 2 } else { 3 }, &mut self.early);
    }
}
