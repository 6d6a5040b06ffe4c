//! CLIENT KILL addr, CLIENT KILL option value … — ends connections.

use super::{Class, SUBCOMMAND};
use crate::base::clock::Millis;
use crate::base::number;
use crate::base::refusal::Refusal;
use crate::clients::{Client, DEFAULT_USER};
use crate::exec::{Args, Context, Effect, Run, Session, Spec, flag};
use crate::resp::reply::Reply;

pub(super) const KILL: Spec = Spec {
    name: "kill",
    arity: -3,
    flags: flag::ADMIN | SUBCOMMAND.flags,
    since: "2.4.0",
    summary: "Ends the connections that are picked.",
    complexity: "O(N) where N is the number of client connections",
    syntax: "<ip:port | <[ID client-id] | [TYPE <NORMAL | MASTER | SLAVE | REPLICA | PUBSUB>] | [USER username] | \
             [ADDR ip:port] | [LADDR ip:port] | [SKIPME <YES | NO>] | [MAXAGE maxage] [[ID client-id] ...]>>",
    run: Run::Host(kill),
    ..SUBCOMMAND
};

/// Which connections: those to which all that is given applies.
#[derive(Debug, Default)]
struct Filter<'a> {
    id: Option<u64>,
    class: Option<Class>,
    address: Option<&'a [u8]>,
    local: Option<&'a [u8]>,
    user: Option<&'a [u8]>,
    /// Seconds.
    age: Option<i64>,
    spare_own: bool,
}

fn kill(
    args: &mut Args<'_>,
    ctx: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    if args.left() == 1 {
        let filter = Filter { address: Some(args.word()?), ..Filter::default() };
        if kill_all(&filter, args.now(), ctx, session) == 0 {
            return Err(Refusal::err("No such client"));
        }
        reply.ok();
    } else {
        let filter = Filter::parse(args)?;
        reply.int(kill_all(&filter, args.now(), ctx, session));
    }
    Ok(Effect::None)
}

/// Ends those that the filter picks; how many.
fn kill_all(filter: &Filter<'_>, now: Millis, ctx: &Context, session: &mut Session) -> i64 {
    let mut killed = 0;
    for client in ctx.clients.list() {
        let is_own = client.id == session.client.id;
        if !filter.picks(&client, now) || (is_own && filter.spare_own) {
            continue;
        }
        if is_own {
            // It is still told what it has done.
            session.closing = true;
        } else {
            client.kill();
        }
        killed += 1;
    }
    killed
}

impl<'a> Filter<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self, Refusal> {
        let mut filter = Filter { spare_own: true, ..Filter::default() };
        while let Some(option) = args.next() {
            let value = args.word()?;
            match option.to_ascii_lowercase().as_slice() {
                b"id" => filter.id = Some(client_id(value)?),
                b"maxage" => filter.age = Some(age(value)?),
                b"type" => filter.class = Some(Class::parse(value)?),
                b"addr" => filter.address = Some(value),
                b"laddr" => filter.local = Some(value),
                b"user" => filter.user = Some(user(value)?),
                b"skipme" if value.eq_ignore_ascii_case(b"yes") => filter.spare_own = true,
                b"skipme" if value.eq_ignore_ascii_case(b"no") => filter.spare_own = false,
                _ => return Err(Refusal::Syntax),
            }
        }
        Ok(filter)
    }

    fn picks(&self, client: &Client, now: Millis) -> bool {
        self.id.is_none_or(|id| client.id == id)
            && self.class.is_none_or(|class| Class::of(client) == class)
            && self.address.is_none_or(|address| client.address.as_bytes() == address)
            && self.local.is_none_or(|local| client.local.as_bytes() == local)
            && self.user.is_none_or(|user| user == DEFAULT_USER.as_bytes())
            && self.age.is_none_or(|age| now.saturating_sub(client.since) / 1000 >= age)
    }
}

fn client_id(word: &[u8]) -> Result<u64, Refusal> {
    let id = number::parse_i64(word).filter(|&id| id > 0).map(i64::unsigned_abs);
    id.ok_or_else(|| Refusal::err("client-id should be greater than 0"))
}

fn age(word: &[u8]) -> Result<i64, Refusal> {
    let age =
        number::parse_i64(word).ok_or_else(|| Refusal::err("maxage is not an integer or out of range"))?;
    if age > 0 { Ok(age) } else { Err(Refusal::err("maxage should be greater than 0")) }
}

fn user(word: &[u8]) -> Result<&[u8], Refusal> {
    // There is one user.
    if word == DEFAULT_USER.as_bytes() {
        return Ok(word);
    }
    Err(Refusal::err(format!("No such user '{}'", String::from_utf8_lossy(word))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::Arrival;

    #[test]
    fn all_that_is_given_must_apply() {
        let arrival = Arrival { address: "1.2.3.4:5".to_owned(), now: 10_000, ..Arrival::default() };
        let client = Client::new(7, arrival);
        let right = || Filter { id: Some(7), address: Some(b"1.2.3.4:5"), age: Some(3), ..Filter::default() };
        assert!(right().picks(&client, 13_000));
        assert!(!right().picks(&client, 12_999));
        assert!(!Filter { id: Some(8), ..right() }.picks(&client, 13_000));
        assert!(!Filter { address: Some(b"1.2.3.4:6"), ..right() }.picks(&client, 13_000));
        assert!(!Filter { class: Some(Class::Pubsub), ..right() }.picks(&client, 13_000));
        assert!(!Filter { user: Some(b"nobody"), ..right() }.picks(&client, 13_000));
    }
}
