//! Commands that wait for keys: BLPOP and its kin, whatever type they wait for.
//!
//! Such a command's handler looks at its keys and, where none has anything, returns an effect made by [`for_keys`]. While
//! the stripes of its keys are still locked, the client gets in line at each of them, so that nothing can come in
//! between. From then on whoever changes one of the keys serves those who wait, at the end of the unit of work and
//! under its locks: the function that the command gave is run for it ([`Keys::serve`]), what it did goes into the log
//! right behind the change, and the reply to the sleeping connection. That connection has nothing more to do than to
//! send it, once the log is safe.
//!
//! A transaction serves nobody before all of it is done. Inside of one nothing waits: the command answers at once as if
//! its time were up.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::Args;
use super::commit::Journal;
use super::context::Context;
use super::effect::{Effect, Until, Wait, Woken};
use super::session::Session;
use super::spec::{Begin, Find, KeySpec, key};
use super::tell;
use crate::base::clock::Millis;
use crate::base::number;
use crate::base::refusal::Refusal;
use crate::clients::{Client, Wake, Woke};
use crate::config::Config;
use crate::log::Log;
use crate::resp::reply::{Proto, Reply};
use crate::resp::request::{OwnedRequest, Request};
use crate::table::{Locked, Served, Waiter};
use crate::value::Kind;

/// What a command waits for, and how it is done when that comes.
pub struct Keys {
    /// The keys, any of which will do.
    pub keys: Vec<Vec<u8>>,
    /// The type that serves it.
    pub kind: Kind,
    /// A key that it needs besides: BLMOVE's destination.
    pub also: Option<Vec<u8>>,
    /// Does the command with one of its keys, which holds a value of the type, and writes the reply. None, and no
    /// reply, when there was not what it wants. The arguments stand after the command's name.
    pub serve: Serve,
    /// What is to be done for the client when that comes, if not what it asked for in the same words.
    pub request: Option<OwnedRequest>,
    /// Whether it is to be served, and so to be refused, also when a key is removed or becomes one of another type.
    pub when_gone: bool,
}

impl Keys {
    /// What a command waits for that needs nothing besides. The keys are to be added.
    pub fn new(kind: Kind, serve: Serve) -> Self {
        Keys { keys: Vec::new(), kind, also: None, serve, request: None, when_gone: false }
    }
}

/// See [`Keys::serve`].
pub type Serve = fn(&mut Args<'_>, &[u8], &mut Locked<'_>, &mut Reply<'_>) -> Result<Option<Effect>, Refusal>;

/// The effect of a command that waits for keys until a time, if any. `then` answers when the time is up, and inside a
/// transaction.
pub fn for_keys(
    keys: Keys,
    deadline: Option<Millis>,
    then: impl FnOnce(&Context, &mut Session, Woken, &mut Reply<'_>) + Send + 'static,
) -> Effect {
    Wait::effect(Until::Keys(keys), deadline, then)
}

/// Where the keys of BLPOP and its kin stand: in front of the timeout, which is the last word.
pub const KEYS_AND_TIMEOUT: &[KeySpec] = &[KeySpec {
    flags: key::RW | key::ACCESS | key::DELETE,
    begin: Begin::Index(1),
    find: Find::Range { last: -2, step: 1 },
}];

/// What BLPOP and its kin do with `key [key ...] timeout`: serve with the first of the keys that can, and wait if none can.
pub fn for_first(
    kind: Kind,
    serve: Serve,
    args: &mut Args<'_>,
    locked: &mut Locked<'_>,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let mut keys: Vec<&[u8]> = args.rest().collect();
    let timeout = keys.pop().ok_or(Refusal::Syntax)?;
    let deadline = deadline(timeout, args.now())?;
    match first(&keys, |key| serve(args, key, locked, reply))? {
        Some(effect) => Ok(effect),
        None => Ok(for_any(kind, serve, &keys, deadline)),
    }
}

/// What is done with the first of the keys that has what it needs; none where no key has.
pub fn first(
    keys: &[&[u8]],
    mut serve: impl FnMut(&[u8]) -> Result<Option<Effect>, Refusal>,
) -> Result<Option<Effect>, Refusal> {
    for key in keys {
        if let Some(effect) = serve(key)? {
            return Ok(Some(effect));
        }
    }
    Ok(None)
}

/// The effect of a command that waits for any of its keys, and answers with the null array when the time is up.
pub fn for_any(kind: Kind, serve: Serve, keys: &[&[u8]], deadline: Option<Millis>) -> Effect {
    let keys = keys.iter().map(|key| key.to_vec()).collect();
    for_keys(Keys { keys, ..Keys::new(kind, serve) }, deadline, null_array)
}

/// Answers a client for whom nothing came, where that is the null array.
pub fn null_array(_: &Context, _: &mut Session, _: Woken, reply: &mut Reply<'_>) {
    reply.null_array();
}

/// A timeout in seconds, in whole or in part, as the end of the wait; 0 is no end. It is rounded up to a millisecond, so
/// that a short one does not become none.
pub fn deadline(word: &[u8], now: Millis) -> Result<Option<Millis>, Refusal> {
    /// Milliseconds from here on do not fit into 63 bits. Redis 7.0 takes them for negative.
    const TOO_MANY: f64 = 9_223_372_036_854_775_808.0;
    let seconds =
        number::parse_f64(word).ok_or(Refusal::line("ERR timeout is not a float or out of range"))?;
    let ms = (seconds * 1000.0).ceil();
    if !(0.0..TOO_MANY).contains(&ms) {
        return Err(Refusal::line("ERR timeout is negative"));
    }
    Ok((ms > 0.0).then(|| now.saturating_add(ms as Millis)))
}

/// A session that is in line.
pub struct Waiting {
    keys: Vec<(usize, Vec<u8>)>,
    waiter: Arc<Waiter>,
    /// The seat at which its command was run.
    seat: usize,
    /// What it is woken with; taken by the sleep.
    pub(super) wake: Option<oneshot::Receiver<Wake>>,
}

/// Gets a session in line at its keys, whose stripes are locked.
pub(super) fn get_in_line(
    ctx: &Context,
    session: &mut Session,
    (seat, config): (usize, &Arc<Config>),
    request: &Request<'_>,
    keys: &Keys,
    locked: &mut Locked<'_>,
) {
    let db = session.db;
    let sleeper = Sleeper {
        client: session.client.clone(),
        request: keys.request.clone().unwrap_or_else(|| OwnedRequest::from_request(request)),
        db,
        proto: session.proto,
        serve: keys.serve,
        log: ctx.log.clone(),
        config: config.clone(),
    };
    let waiter = Arc::new(Waiter {
        kind: keys.kind,
        when_gone: keys.when_gone,
        also: keys.also.as_ref().map(|key| (db, key.as_slice().into())),
        serve: Box::new(move |locked, key| sleeper.serve(locked, key)),
    });
    // A key that is named twice is one to wait for.
    let mut names: Vec<_> = keys.keys.iter().map(|key| (db, key.clone())).collect();
    names.sort_unstable();
    names.dedup();
    let wake = Some(session.client.fall_asleep());
    for (db, key) in &names {
        locked.wait(*db, key, &waiter);
    }
    session.waiting = Some(Box::new(Waiting { keys: names, waiter, seat, wake }));
}

/// Takes a session out of all lines, if it is in any. The caller must not be in a turn.
pub fn leave(ctx: &Context, session: &mut Session) {
    let Some(waiting) = session.waiting.take() else { return };
    session.client.get_up();
    // The lines move with SWAPDB, so this is for a turn. Where a script takes long there is none to be had, and whoever waited
    // for one would keep all of its worker from answering; should that script swap the databases just now, there stays
    // somebody in line who is passed over.
    let _turn = ctx.turns.begin_unless(waiting.seat, || ctx.scripts.is_overdue());
    for (db, key) in &waiting.keys {
        ctx.table.stop_waiting(*db, key, &waiting.waiter);
    }
}

/// Serves those who wait for what a unit of work changed, then lets go of its locks. To be called when the unit is in the
/// log. Returns how many were served.
pub(super) fn serve_waiting<'c>(ctx: &'c Context, mut locked: Locked<'c>) -> usize {
    let mut served = 0;
    loop {
        served += locked.serve_ready();
        let mut journal = Journal::Log { log: &ctx.log, last: 0 };
        record_lapsed(&mut locked, &mut journal);
        let (left, now) = (locked.take_left(), locked.now());
        if ctx.table.is_heard() {
            tell::publish(ctx, now, tell::of_serving(locked.take_told()));
        }
        drop(locked);
        if left.is_empty() {
            return served;
        }
        locked = Locked::new(&ctx.table, left.into_iter(), now);
    }
}

/// As [`serve_waiting`] for what changed keys without locking them together. `marks` is what [`crate::table::Table::marks`] was
/// before.
pub fn serve_waiting_everywhere(ctx: &Context, marks: u64, now: Millis) -> usize {
    if ctx.table.marks() == marks {
        return 0;
    }
    serve_waiting(ctx, Locked::new(&ctx.table, ctx.table.marked_keys().into_iter(), now))
}

fn record_lapsed(locked: &mut Locked<'_>, journal: &mut Journal<'_>) {
    for (db, key, lapsed) in locked.take_lapsed() {
        journal.lapsed(db, &key, &lapsed);
    }
}

/// What is needed to do a command for a client that sleeps.
struct Sleeper {
    client: Arc<Client>,
    request: OwnedRequest,
    db: usize,
    proto: Proto,
    serve: Serve,
    log: Arc<Log>,
    /// As it was when the client fell asleep: what a push of BLMOVE needs to know of sizes may be a little old.
    config: Arc<Config>,
}

impl Sleeper {
    fn serve(&self, locked: &mut Locked<'_>, key: &[u8]) -> Served {
        match self.client.wake_with(|| self.run(locked, key)) {
            Woke::Yes => Served::Yes,
            Woke::No => Served::No,
            Woke::Gone => Served::Gone,
        }
    }

    fn run(&self, locked: &mut Locked<'_>, key: &[u8]) -> Option<Wake> {
        let request = self.request.as_request();
        let mut bytes = Vec::new();
        let mut args = Args::new(request, 1, self.db, locked.now(), &self.config, 0);
        let outcome = (self.serve)(&mut args, key, locked, &mut Reply::new(&mut bytes, self.proto));
        let mut journal = Journal::Log { log: &self.log, last: 0 };
        record_lapsed(locked, &mut journal);
        match outcome {
            Ok(effect) => {
                journal.commit(self.db, &effect?, &request);
            }
            Err(refusal) => {
                bytes.clear();
                Reply::new(&mut bytes, self.proto).error(refusal.text().as_bytes());
            }
        }
        Some(Wake::Reply(bytes, journal.last()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_rounded_up_to_a_millisecond_and_0_is_none() {
        let end =
            |word: &str| deadline(word.as_bytes(), 1_000).map_err(|refusal| refusal.text().into_owned());
        assert_eq!(end("0"), Ok(None));
        assert_eq!(end("-0.0000001"), Ok(None));
        assert_eq!(end("0.0000001"), Ok(Some(1_001)));
        assert_eq!(end("0.001"), Ok(Some(1_001)));
        assert_eq!(end("1.5"), Ok(Some(2_500)));
        assert_eq!(end("0x10"), Ok(Some(17_000)));
        assert_eq!(end("9223372036854774"), Ok(Some(9_223_372_036_854_774_760)));
        assert_eq!(end("9223372036854778"), Err("ERR timeout is negative".to_owned()));
        assert_eq!(end("-1"), Err("ERR timeout is negative".to_owned()));
        assert_eq!(end("inf"), Err("ERR timeout is negative".to_owned()));
        assert_eq!(end("soon"), Err("ERR timeout is not a float or out of range".to_owned()));
    }
}
