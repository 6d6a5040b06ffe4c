//! CLIENT ID, CLIENT INFO, CLIENT LIST [TYPE type | ID id …] — what is known of a connection, on one line.
//!
//! The fields and their order are Redis's, because tools cut the line at blanks and equals signs. Some describe buffers
//! that this server does not have (`argv-mem`, `rbs`, `rbp`) and are 0. What other
//! connections show is as of the end of their last turn.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::{Class, SUBCOMMAND};
use crate::base::clock::Millis;
use crate::base::number;
use crate::base::refusal::Refusal;
use crate::clients::{Client, DEFAULT_USER, flag as bit};
use crate::exec::{Args, Context, Effect, Run, Session, Spec, flag};
use crate::resp::reply::Reply;

pub(super) const ID: Spec = Spec {
    name: "id",
    since: "5.0.0",
    summary: "Returns the number of the connection.",
    run: Run::Host(id),
    ..SUBCOMMAND
};

pub(super) const INFO: Spec = Spec {
    name: "info",
    since: "6.2.0",
    summary: "Tells what is known of the connection.",
    run: Run::Host(info),
    ..SUBCOMMAND
};

pub(super) const LIST: Spec = Spec {
    name: "list",
    arity: -2,
    flags: flag::ADMIN | SUBCOMMAND.flags,
    since: "2.4.0",
    summary: "Tells what is known of all connections, one a line.",
    complexity: "O(N) where N is the number of client connections",
    syntax: "[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]",
    run: Run::Host(list),
    ..SUBCOMMAND
};

fn id(
    _: &mut Args<'_>,
    _: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    reply.int(session.client.id as i64);
    Ok(Effect::None)
}

fn info(
    args: &mut Args<'_>,
    ctx: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    refresh(session, args.now());
    let mut text = String::new();
    write_line(ctx, &session.client, args.now(), &mut text);
    reply.verbatim(b"txt", text.as_bytes());
    Ok(Effect::None)
}

fn list(
    args: &mut Args<'_>,
    ctx: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    refresh(session, args.now());
    let mut text = String::new();
    for client in picked(args, ctx)? {
        write_line(ctx, &client, args.now(), &mut text);
    }
    reply.verbatim(b"txt", text.as_bytes());
    Ok(Effect::None)
}

fn picked(args: &mut Args<'_>, ctx: &Context) -> Result<Vec<Arc<Client>>, Refusal> {
    if args.is_done() {
        return Ok(ctx.clients.list());
    }
    if args.left() == 2 && args.accept("type") {
        let class = Class::parse(args.word()?)?;
        return Ok(ctx.clients.list().into_iter().filter(|client| Class::of(client) == class).collect());
    }
    if args.left() >= 2 && args.accept("id") {
        let mut clients = Vec::new();
        for word in args.rest() {
            let id = number::parse_i64(word).ok_or_else(|| Refusal::err("Invalid client ID"))?;
            clients.extend(u64::try_from(id).ok().and_then(|id| ctx.clients.find(id)));
        }
        return Ok(clients);
    }
    Err(Refusal::Syntax)
}

/// Brings up to date what others see of the connection, which its worker does only at the end of the turn.
fn refresh(session: &Session, now: Millis) {
    let client = &session.client;
    client.last_use.store(now, Relaxed);
    client.db.store(session.db as u32, Relaxed);
    client.watching.store(session.watched_keys().len() as u32, Relaxed);
    if !session.in_exec {
        client.queued.store(session.transaction.as_ref().map_or(-1, |queued| queued.len() as i64), Relaxed);
    }
}

/// Appends a client's line, its end included.
fn write_line(ctx: &Context, client: &Client, now: Millis, out: &mut String) {
    let names = client.names();
    let seconds_since = |then: Millis| now.saturating_sub(then).max(0) / 1000;
    let [waiting, free] = [client.query[0].load(Relaxed), client.query[1].load(Relaxed)];
    let (output, posted) = (client.output(), client.posted_bytes());
    let queued = client.queued_bytes.load(Relaxed);
    let memory = size_of::<Client>() as u64 + client.held_bytes();
    let [channels, patterns, shards] = client.subscriptions.each_ref().map(|count| count.load(Relaxed));
    let command = ctx.registry.by_id(client.last_command.load(Relaxed) as usize);
    // Writing into a string cannot fail.
    let _ = writeln!(
        out,
        "id={id} addr={addr} laddr={laddr} fd={fd} name={name} age={age} idle={idle} flags={flags} db={db} sub={channels} \
         psub={patterns} ssub={shards} multi={multi} qbuf={waiting} qbuf-free={free} argv-mem=0 multi-mem={queued} rbs=0 rbp=0 \
         obl={output} oll={pieces} omem={posted} tot-mem={memory} events={events} cmd={cmd} user={user} redir={redirect} resp={resp} \
         watch={watch} lib-name={library} lib-ver={version} tot-net-in={bytes_in} tot-net-out={bytes_out} tot-cmds={commands}",
        id = client.id,
        addr = client.address,
        laddr = client.local,
        fd = client.descriptor,
        name = names.name,
        age = seconds_since(client.since),
        idle = seconds_since(client.last_use.load(Relaxed)),
        flags = letters(client),
        db = client.db.load(Relaxed),
        pieces = u8::from(posted > 0),
        multi = client.queued.load(Relaxed),
        watch = client.watching.load(Relaxed),
        events = if output > 0 { "rw" } else { "r" },
        cmd = command.map_or("NULL", |command| &command.full_name),
        user = DEFAULT_USER,
        redirect = client.redirect.load(Relaxed),
        resp = client.protocol.load(Relaxed),
        library = names.library,
        version = names.version,
        bytes_in = client.traffic[0].load(Relaxed),
        bytes_out = client.traffic[1].load(Relaxed),
        commands = client.commands.load(Relaxed),
    );
}

/// Redis's letters for what a client is and does, in Redis's order; `N` when there is nothing to say.
fn letters(client: &Client) -> String {
    const LETTERS: [(u32, char); 12] = [
        (bit::REPLICA, 'S'),
        (bit::MONITOR, 'O'),
        (bit::PUBSUB, 'P'),
        (bit::BLOCKED, 'b'),
        (bit::TRACKING, 't'),
        (bit::BROKEN_REDIRECT, 'R'),
        (bit::BROADCASTS, 'B'),
        (bit::DIRTY, 'd'),
        (bit::CLOSING, 'c'),
        (bit::UNIX, 'U'),
        (bit::NO_EVICT, 'e'),
        (bit::NO_TOUCH, 'T'),
    ];
    let mut text: String =
        LETTERS.iter().filter(|(bit, _)| client.has_flag(*bit)).map(|(_, letter)| letter).collect();
    if client.queued.load(Relaxed) >= 0 {
        // After O, S and P, before the rest.
        let at = text.find(|letter| !matches!(letter, 'O' | 'S' | 'P')).unwrap_or(text.len());
        text.insert(at, 'x');
    }
    if client.is_killed() {
        text.push('A');
    }
    if text.is_empty() { "N".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::Arrival;

    #[test]
    fn letters_stand_in_the_order_of_redis() {
        let client = Client::new(1, Arrival::default());
        assert_eq!(letters(&client), "N");
        client.set_flag(bit::NO_EVICT | bit::BLOCKED, true);
        assert_eq!(letters(&client), "be");
        client.queued.store(0, Relaxed);
        assert_eq!(letters(&client), "xbe");
        client.set_flag(bit::MONITOR | bit::NO_TOUCH, true);
        assert_eq!(letters(&client), "OxbeT");
        client.set_flag(u32::MAX, false);
        assert_eq!(letters(&client), "x");
    }
}
