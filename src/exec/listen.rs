//! What a session listens to, and how a message gets from whoever publishes it to the sockets of all who listen.
//!
//! A message is put into the outbox of each listener, from which that client's own connection takes it between two of its
//! commands, or is woken to. It leaves through the same door as replies: with `appendfsync always` not before all that was
//! in the log when it was taken is on the disk. So whatever is published after a change, by anybody, is not heard before
//! the change is safe.
//!
//! **Its place among replies.** A message that came before or while a command ran is sent before that command's reply. Two
//! cases are different. Behind a command that subscribes it stands after the reply, because it may be the first of the new
//! channel. And inside the reply of EXEC there is no place, so that it stands behind all of it (redis-server 7.0 mixes it
//! into the elements, which takes clients out of step). What changes how the client understands what follows, the end of a
//! subscription or another protocol, first takes out what is there: see [`Session::early`].

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::context::Context;
use super::limits;
use super::session::Session;
use crate::base::clock::Millis;
use crate::clients::flag;
use crate::config::Config;
use crate::pubsub::Kind;

/// What a session listens to.
#[derive(Default)]
pub struct Subscriptions {
    channels: BTreeSet<Arc<[u8]>>,
    patterns: BTreeSet<Arc<[u8]>>,
    shards: BTreeSet<Arc<[u8]>>,
}

impl Subscriptions {
    fn of(&mut self, kind: Kind) -> &mut BTreeSet<Arc<[u8]>> {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
            Kind::Shard => &mut self.shards,
        }
    }

    /// What a confirmation tells: channels and patterns are counted together, shard channels by themselves.
    fn counted_with(&self, kind: Kind) -> usize {
        match kind {
            Kind::Channel | Kind::Pattern => self.channels.len() + self.patterns.len(),
            Kind::Shard => self.shards.len(),
        }
    }

    fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty() && self.shards.is_empty()
    }
}

/// Subscribes a session; how many subscriptions it has now.
pub fn subscribe(ctx: &Context, session: &mut Session, kind: Kind, name: &[u8]) -> usize {
    let own = session.subscriptions.get_or_insert_default();
    if !own.of(kind).contains(name) {
        // The class of its output's bound depends on the flag, and the first message may come at once.
        session.client.set_flag(flag::PUBSUB, true);
        let name = ctx.pubsub.add(kind, name, session.client.id, &session.client);
        own.of(kind).insert(name);
    }
    let count = own.counted_with(kind);
    show(session);
    count
}

/// Unsubscribes a session, if it was subscribed; how many subscriptions it has then.
pub fn unsubscribe(ctx: &Context, session: &mut Session, kind: Kind, name: &[u8]) -> usize {
    let Some(own) = &mut session.subscriptions else { return 0 };
    if own.of(kind).remove(name) {
        ctx.pubsub.remove(kind, name, session.client.id);
        session.client.take_posted(&mut session.early);
    }
    let count = own.counted_with(kind);
    if own.is_empty() {
        session.subscriptions = None;
        session.client.set_flag(flag::PUBSUB, false);
    }
    show(session);
    count
}

/// How many subscriptions a session has, as confirmations count those of this kind.
pub fn count(session: &Session, kind: Kind) -> usize {
    session.subscriptions.as_ref().map_or(0, |own| own.counted_with(kind))
}

/// The names of a kind that a session listens to.
pub fn names(session: &mut Session, kind: Kind) -> Vec<Arc<[u8]>> {
    session.subscriptions.as_mut().map_or_else(Vec::new, |own| own.of(kind).iter().cloned().collect())
}

/// Ends all subscriptions, because the connection begins anew or has ended.
pub fn unsubscribe_all(ctx: &Context, session: &mut Session) {
    for kind in [Kind::Channel, Kind::Pattern, Kind::Shard] {
        for name in names(session, kind) {
            unsubscribe(ctx, session, kind, &name);
        }
    }
}

/// Publishes to a channel or a shard channel; how many subscriptions it was handed out for.
pub fn publish(
    ctx: &Context,
    config: &Config,
    now: Millis,
    kind: Kind,
    channel: &[u8],
    payload: &[u8],
) -> usize {
    let bounds = limits::outbox(config, now);
    match kind {
        Kind::Shard => {
            ctx.pubsub.publish_to_shard(channel, payload, |client, frame| client.post_push(frame, &bounds))
        }
        _ => ctx.pubsub.publish(channel, payload, |client, frame| client.post_push(frame, &bounds)),
    }
}

/// Puts what was posted to a session next to the reply of the command that it has just run, which begins at `mark`.
#[cold]
pub(super) fn place_posted(session: &mut Session, behind: bool, mark: usize, out: &mut Vec<u8>) {
    if session.client.has_posted() {
        let place = if behind { &mut *out } else { &mut session.early };
        session.client.take_posted(place);
    }
    if !session.early.is_empty() {
        out.splice(mark..mark, session.early.drain(..));
    }
}

fn show(session: &Session) {
    let counts = session
        .subscriptions
        .as_ref()
        .map_or([0; 3], |own| [&own.channels, &own.patterns, &own.shards].map(|names| names.len() as u32));
    for (shown, count) in session.client.subscriptions.iter().zip(counts) {
        shown.store(count, Ordering::Relaxed);
    }
}
