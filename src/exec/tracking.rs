//! Client-side caching, where it touches connections: what a session has chosen, which of its reads are remembered, and
//! how a message gets to a client.
//!
//! ```text
//! the client speaks RESP3                        push: invalidate, [keys] or null
//! it redirects to a client that speaks RESP3     the same push, over there
//! it redirects to one that subscribes (RESP2)    a message of the channel __redis__:invalidate, over there
//! that one is gone                               push: tracking-redir-broken, its number
//! ```
//!
//! In any other case there is no way to tell it, and nothing is sent. When a read is remembered, and why no change can
//! slip through: see [`crate::tracking`].

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Weak};

use super::context::Context;
use super::limits;
use super::registry::Command;
use super::session::Session;
use super::spec::{flag, key};
use crate::base::clock::Millis;
use crate::clients::{Bounds, Client, Clients, flag as bit};
use crate::config::Config;
use crate::resp::reply::{Proto, Reply};
use crate::resp::request::Request;
use crate::table::{Observer, Table};
use crate::tracking::{Stale, Tracker, Tracking};

/// The channel by which clients of RESP2 are told.
const CHANNEL: &[u8] = b"__redis__:invalidate";

/// What a session has chosen by CLIENT TRACKING ON.
#[derive(Default)]
pub struct Tracked {
    /// It is told of all keys with its prefixes.
    pub broadcasts: bool,
    /// Only reads after CLIENT CACHING YES are remembered.
    pub opt_in: bool,
    /// Reads after CLIENT CACHING NO are not remembered.
    pub opt_out: bool,
    /// It does not want to hear of its own changes.
    pub no_loop: bool,
    /// CLIENT CACHING was given, for the next command or transaction.
    pub caching: bool,
    /// The client that is told in its place.
    pub redirect: Option<Redirect>,
    /// The prefixes, in order.
    pub prefixes: Vec<Box<[u8]>>,
}

/// A client that is told in place of another. It may go at any time.
#[derive(Clone)]
pub struct Redirect {
    /// Its number.
    pub id: u64,
    to: Weak<Client>,
}

impl Redirect {
    /// To the client with this number, if there is one.
    pub fn new(clients: &Clients, id: i64) -> Option<Self> {
        let id = u64::try_from(id).ok()?;
        Some(Redirect { id, to: Arc::downgrade(&clients.find(id)?) })
    }
}

impl Tracked {
    /// True when the keys of the next reading command are to be remembered.
    fn remembers(&self) -> bool {
        !self.broadcasts && (!self.opt_in || self.caching) && (!self.opt_out || !self.caching)
    }
}

/// Begins to track, or goes on with other options. Prefixes are added to those that there are.
pub fn start(ctx: &Context, session: &mut Session, options: Tracked, now: Millis, config: &Config) {
    let client = session.client.clone();
    ctx.bounds.store(Arc::new(limits::outbox(config, now)));
    let mut tracked = Tracked { caching: false, ..options };
    let prefixes = std::mem::take(&mut tracked.prefixes);
    let words: Vec<&[u8]> = prefixes.iter().map(|prefix| &**prefix).collect();
    ctx.tracking.start(
        Tracker {
            id: client.id,
            broadcasts: tracked.broadcasts,
            no_loop: tracked.no_loop,
            tell: {
                let (client, redirect) = (client.clone(), tracked.redirect.clone());
                let bounds = ctx.bounds.clone();
                Box::new(move |stale| send(&client, redirect.as_ref(), stale, &bounds.load()))
            },
        },
        &words,
        || ctx.table.observe(true),
    );
    let before = session.tracking.take();
    tracked.prefixes = before.map(|before| before.prefixes).unwrap_or_default();
    tracked.prefixes.extend(prefixes);
    tracked.prefixes.sort_unstable();
    tracked.prefixes.dedup();
    client.set_flag(bit::BROKEN_REDIRECT | bit::TRACKING | bit::BROADCASTS, false);
    client.set_flag(bit::TRACKING | if tracked.broadcasts { bit::BROADCASTS } else { 0 }, true);
    client.redirect.store(tracked.redirect.as_ref().map_or(0, |to| to.id as i64), Relaxed);
    session.tracking = Some(Box::new(tracked));
}

/// Tracks no more.
pub fn stop(ctx: &Context, session: &mut Session) {
    if session.tracking.take().is_none() {
        return;
    }
    ctx.tracking.stop(session.client.id, || ctx.table.observe(false));
    session.client.set_flag(bit::TRACKING | bit::BROKEN_REDIRECT | bit::BROADCASTS, false);
    session.client.redirect.store(-1, Relaxed);
}

/// True when a message could not be sent, because the client that should get it in place of this one is gone.
pub fn is_redirect_broken(session: &Session) -> bool {
    session.client.has_flag(bit::BROKEN_REDIRECT)
}

/// Who remembers the keys of a command that is about to run; none where it is not to be remembered.
#[inline]
pub(super) fn reader(session: &Session, command: &Command) -> Option<u64> {
    let tracked = session.tracking.as_ref()?;
    (tracked.remembers() && command.spec.has(flag::READONLY)).then_some(session.client.id)
}

/// Remembers that a client reads the keys of a command: while their stripes are locked for it, or before it locks them.
pub(super) fn remember(ctx: &Context, reader: u64, command: &Command, request: &Request<'_>) {
    for at in command.spec.key_positions(request) {
        if at.flags & key::NOT_KEY == 0 {
            let key = request.arg(at.index);
            ctx.tracking.remember(key, ctx.table.hash(key), reader);
        }
    }
}

/// After a command of a session that tracks: CLIENT CACHING reaches no further than one command or transaction, and what
/// the command has made stale in this very client follows its reply.
#[cold]
pub(super) fn after_command(session: &mut Session, was_about_clients: bool, out: &mut Vec<u8>) {
    if session.transaction.is_none()
        && !was_about_clients
        && let Some(tracked) = &mut session.tracking
    {
        tracked.caching = false;
    }
    if session.client.has_posted() {
        session.client.take_posted(out);
    }
}

/// Makes the table tell of changes.
pub fn observe(table: &Table, tracking: &Arc<Tracking>) {
    struct Told(Arc<Tracking>);
    impl Observer for Told {
        fn changed(&self, key: &[u8], hash: u64, author: u64) {
            self.0.changed(key, hash, author);
        }
    }
    table.set_observer(Box::new(Told(tracking.clone())));
}

/// Takes over `tracking-table-max-keys`.
pub fn set_limits(tracking: &Tracking, config: &Config) {
    let max = config.clients.tracking_table_max_keys;
    tracking.set_max_keys(usize::try_from(max).unwrap_or(usize::MAX));
}

fn send(client: &Client, redirect: Option<&Redirect>, stale: Stale<'_>, bounds: &Bounds) {
    let mut bytes = Vec::new();
    let Some(redirect) = redirect else {
        if proto_of(client) == Proto::Resp3 {
            write(Proto::Resp3, stale, &mut bytes);
            client.post(&bytes, bounds);
        }
        return;
    };
    match redirect.to.upgrade().filter(|other| !other.has_flag(bit::GONE)) {
        Some(other) => {
            let proto = proto_of(&other);
            if proto == Proto::Resp3 || other.has_flag(bit::PUBSUB) {
                write(proto, stale, &mut bytes);
                other.post(&bytes, bounds);
            }
        }
        None => {
            client.set_flag(bit::BROKEN_REDIRECT, true);
            if proto_of(client) == Proto::Resp3 {
                let mut push = Reply::new(&mut bytes, Proto::Resp3);
                push.push(2);
                push.bulk(b"tracking-redir-broken");
                push.int(redirect.id as i64);
                client.post(&bytes, bounds);
            }
        }
    }
}

fn proto_of(client: &Client) -> Proto {
    if client.protocol.load(Relaxed) == 3 { Proto::Resp3 } else { Proto::Resp2 }
}

/// Writes a message in the protocol of the connection that it is for.
fn write(proto: Proto, stale: Stale<'_>, bytes: &mut Vec<u8>) {
    let mut message = Reply::new(bytes, proto);
    match proto {
        Proto::Resp3 => {
            message.push(2);
            message.bulk(b"invalidate");
        }
        Proto::Resp2 => {
            message.array(3);
            message.bulk(b"message");
            message.bulk(CHANNEL);
        }
    }
    match stale {
        Stale::All => message.null(),
        Stale::Key(key) => {
            message.array(1);
            message.bulk(key);
        }
        Stale::Keys(keys) => {
            message.array(keys.len());
            keys.iter().for_each(|key| message.bulk(key));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::base::clock::Clock;
    use crate::base::hash::Seed;
    use crate::table::Expiry;

    /// Rounds of the race, and the time after which fewer are enough: a busy machine lets the two meet but rarely.
    const ROUNDS: usize = 20_000;
    const ENOUGH: Duration = Duration::from_secs(5);
    const READER: u64 = 1;

    /// Comes back when `done` has come as far. It spins, so that both threads go on in the same moment.
    fn wait_for(done: &AtomicUsize, times: usize) {
        let mut spins = 0u32;
        while done.load(Ordering::Acquire) < times {
            spins += 1;
            match spins.is_multiple_of(1024) {
                true => std::thread::yield_now(),
                false => std::hint::spin_loop(),
            }
        }
    }

    /// A read and a write of one key begin in the same moment, again and again. Whichever comes first, the reader has
    /// either the new value or a message. On a single core one of the two would always be first: so one waits for the
    /// other in every fourth round, and the other for the one in every fourth.
    #[test]
    fn a_read_and_a_write_that_meet_leave_the_new_value_or_a_message() {
        let (table, tracking) = (Table::new(1, Seed::random()), Arc::new(Tracking::default()));
        observe(&table, &tracking);
        let told = Arc::new(AtomicBool::new(false));
        let tell = {
            let told = told.clone();
            Box::new(move |_: Stale<'_>| told.store(true, Ordering::Release))
        };
        let tracker = Tracker { id: READER, broadcasts: false, no_loop: false, tell };
        tracking.start(tracker, &[], || table.observe(true));
        let address = table.address(0, b"k");
        let [begun, read, written] = [const { AtomicUsize::new(0) }; 3];
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for round in 1.. {
                    wait_for(&begun, round);
                    if over.load(Ordering::Acquire) {
                        break;
                    }
                    if round % 4 == 1 {
                        wait_for(&read, round);
                    }
                    table.write(address, b"k", 0, |slot| {
                        slot.put_text(round.to_string().as_bytes(), Expiry::Keep)
                    });
                    written.store(round, Ordering::Release);
                }
            });
            let (clock, mut old, mut stale) = (Clock::real(), 0, 0);
            for round in 1..=ROUNDS {
                // Nobody must be remembered from before: he would be told anyway.
                tracking.changed(b"k", address.hash(), 0);
                told.store(false, Ordering::Release);
                over.store(round == ROUNDS || clock.elapsed() > ENOUGH, Ordering::Release);
                begun.store(round, Ordering::Release);
                if over.load(Ordering::Acquire) {
                    break;
                }
                if round % 4 == 3 {
                    wait_for(&written, round);
                }
                let seen = table.write(address, b"k", 0, |slot| {
                    let mut buffer = itoa::Buffer::new();
                    let seen = slot.text().ok().flatten().map(|text| text.bytes(&mut buffer).to_vec());
                    // Long enough for a write to slip in, if the lock did not keep it out.
                    (0..round % 1024).for_each(|_| std::hint::spin_loop());
                    tracking.remember(b"k", slot.hash(), READER);
                    seen
                });
                read.store(round, Ordering::Release);
                wait_for(&written, round);
                let is_new = seen.is_some_and(|text| text == round.to_string().as_bytes());
                old += usize::from(!is_new);
                stale += usize::from(!is_new && !told.load(Ordering::Acquire));
            }
            assert_eq!(stale, 0, "of {old} reads of the old value so many were left without a word");
            assert_ne!(old, 0, "the read came first in some rounds");
        });
    }
}
