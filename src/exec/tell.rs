//! Keyspace notifications: what happened to keys, published when the unit of work that made it happen is in the log.
//!
//! The table and the commands' rows and handlers say what happened ([`crate::table::told`]). Here it becomes messages, while
//! the locks of the unit are still held, so that the events of a key have the order of its changes. The record of the change
//! is in the log by then, and a message leaves only when what is in the log is as safe as `appendfsync` wants it: an event
//! never tells of a change that a power cut could take back (`always`).
//!
//! A transaction is one record. What its commands make happen, and what they publish, waits for that record in a [`Queue`].

use std::sync::Arc;

use super::commit::Journal;
use super::context::Context;
use super::limits;
use super::registry::Command;
use super::spec::key;
use crate::base::clock::Millis;
use crate::base::event::KEY_MISS;
use crate::clients::Client;
use crate::config::Config;
use crate::pubsub::Kind;
use crate::resp::request::Request;
use crate::table::told::complete;
use crate::table::{Happening, Slot};

/// What is to be sent when the record that it tells of is in the log, in order.
#[derive(Default)]
pub struct Queue(Vec<Outgoing>);

enum Outgoing {
    Happening(Happening),
    /// A message that a transaction has published: the frame and who gets it.
    Message(Vec<(Arc<Client>, Arc<[u8]>)>),
}

impl Queue {
    /// True when there is nothing to be sent.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds what happened to keys.
    pub fn tell(&mut self, told: Vec<Happening>) {
        self.0.extend(told.into_iter().map(Outgoing::Happening));
    }

    /// Adds a message for all who listen to a channel now; how many subscriptions that is.
    pub fn publish(&mut self, ctx: &Context, kind: Kind, channel: &[u8], payload: &[u8]) -> usize {
        let mut letters: Vec<(Arc<Client>, Arc<[u8]>)> = Vec::new();
        let mut last: Option<Arc<[u8]>> = None;
        let add = |client: &Arc<Client>, frame: &[u8]| {
            // All who listen in the same way get the same frame.
            let known = last.as_ref().filter(|last| ***last == *frame).cloned();
            let frame = known.unwrap_or_else(|| frame.into());
            last = Some(frame.clone());
            letters.push((client.clone(), frame));
        };
        let told = match kind {
            Kind::Shard => ctx.pubsub.publish_to_shard(channel, payload, add),
            _ => ctx.pubsub.publish(channel, payload, add),
        };
        self.0.push(Outgoing::Message(letters));
        told
    }

    /// Adds all that another queue holds.
    pub(super) fn append(&mut self, other: &mut Queue) {
        self.0.append(&mut other.0);
    }

    /// Sends all of it.
    pub fn send(self, ctx: &Context, now: Millis) {
        if self.is_empty() {
            return;
        }
        let config = ctx.settings.load();
        let bounds = limits::outbox(&config, now);
        for outgoing in self.0 {
            match outgoing {
                Outgoing::Happening(happening) => notify(ctx, &config, now, &happening),
                Outgoing::Message(letters) => {
                    letters.iter().for_each(|(client, frame)| client.post_push(frame, &bounds));
                }
            }
        }
    }
}

/// Publishes what happened to keys, outside of a transaction.
pub fn publish(ctx: &Context, now: Millis, told: Vec<Happening>) {
    if !told.is_empty() {
        let config = ctx.settings.load();
        told.iter().for_each(|happening| notify(ctx, &config, now, happening));
    }
}

fn notify(ctx: &Context, config: &Config, now: Millis, happening: &Happening) {
    let wanted = config.observe.notify_keyspace_events;
    let Happening { db, key, event, .. } = happening;
    if !wanted.wants(event.class) {
        return;
    }
    let send = |channel: &[u8], payload: &[u8]| {
        super::listen::publish(ctx, config, now, Kind::Channel, channel, payload);
    };
    if wanted.to_keyspace() {
        let mut channel = format!("__keyspace@{db}__:").into_bytes();
        channel.extend_from_slice(key);
        send(&channel, event.name.as_bytes());
    }
    if wanted.to_keyevent() {
        send(format!("__keyevent@{db}__:{}", event.name).as_bytes(), key);
    }
}

/// Tells what a command made happen: now, or with its transaction.
#[cold]
pub(super) fn by_command(ctx: &Context, journal: &mut Journal<'_>, now: Millis, told: Vec<Happening>) {
    match journal {
        Journal::Log { .. } => publish(ctx, now, told),
        Journal::Unit(unit) => unit.queue.tell(told),
        Journal::Nowhere => {}
    }
}

/// What a command on one key made happen: what the table and the handler told, and the event of the command's row if it
/// changed anything.
#[cold]
pub(super) fn of_write(command: &Command, slot: &mut Slot<'_>, changed: bool) -> Vec<Happening> {
    let mut told = slot.take_told();
    if let (true, Some(event)) = (changed, command.spec.event) {
        complete(&mut told, slot, event);
    }
    told
}

/// What a command on several keys made happen. A key that it looked for in vain is an event only where it wanted to read.
#[cold]
pub(super) fn of_keys(
    command: &Command,
    request: &Request<'_>,
    db: usize,
    mut told: Vec<Happening>,
) -> Vec<Happening> {
    if told.iter().any(|happening| happening.event == KEY_MISS) {
        let keys = command.spec.key_positions(request);
        let is_read = |name: &[u8]| {
            keys.iter().any(|found| found.flags & key::RO != 0 && request.arg(found.index) == name)
        };
        let is_asked_for = |happening: &Happening| happening.db == db && is_read(&happening.key);
        told.retain(|happening| happening.event != KEY_MISS || is_asked_for(happening));
    }
    told
}

/// Forgets what serving a waiting client has looked for in vain.
#[cold]
pub(super) fn of_serving(mut told: Vec<Happening>) -> Vec<Happening> {
    told.retain(|happening| happening.event != KEY_MISS);
    told
}
