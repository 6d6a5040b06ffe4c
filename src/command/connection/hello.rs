//! HELLO [protover [AUTH username password] [SETNAME clientname]] — chooses the protocol, and says who is speaking on
//! the way. Everything it was told takes effect, or nothing does.

use super::auth;
use super::client::name;
use crate::base::number;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Context, Effect, Group, Run, Session, Spec, acl, flag};
use crate::resp::reply::{Proto, Reply};

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "hello",
    arity: -1,
    flags: flag::NOSCRIPT | flag::LOADING | flag::STALE | flag::FAST | flag::NO_AUTH | flag::ALLOW_BUSY,
    acl: acl::CONNECTION,
    since: "6.0.0",
    group: Group::Connection,
    summary: "Chooses the protocol and tells about the server.",
    syntax: "[protover [AUTH username password] [SETNAME clientname]]",
    run: Run::Host(hello),
    ..Spec::DEFAULT
}];

const NOT_AUTHENTICATED: Refusal = Refusal::line(
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> \
     option can be used to authenticate the client and select the RESP protocol version at the same time",
);

fn hello(
    args: &mut Args<'_>,
    ctx: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let proto = match args.next() {
        None => session.proto,
        Some(version) => protocol(version)?,
    };
    let (mut credentials, mut client_name) = (None, None);
    while let Some(option) = args.next() {
        if option.eq_ignore_ascii_case(b"auth") && args.left() >= 2 {
            credentials = Some((args.word()?, args.word()?));
        } else if option.eq_ignore_ascii_case(b"setname") && args.left() >= 1 {
            client_name = Some(name::checked(args.word()?, name::NAME_REFUSED)?);
        } else {
            let option = String::from_utf8_lossy(option);
            return Err(Refusal::err(format!("Syntax error in HELLO option '{option}'")));
        }
    }
    if let Some((user, password)) = credentials {
        auth::authenticate(ctx, session, user, password)?;
    }
    if !session.authenticated {
        return Err(NOT_AUTHENTICATED);
    }
    if let Some(new) = client_name {
        session.client.rename(|names| names.name = new);
    }
    session.speak(proto);
    reply.set_proto(proto);
    tell(session, reply);
    Ok(Effect::None)
}

fn protocol(version: &[u8]) -> Result<Proto, Refusal> {
    match number::parse_i64(version) {
        None => Err(Refusal::err("Protocol version is not an integer or out of range")),
        Some(2) => Ok(Proto::Resp2),
        Some(3) => Ok(Proto::Resp3),
        Some(_) => Err(Refusal::line("NOPROTO unsupported protocol version")),
    }
}

fn tell(session: &Session, reply: &mut Reply<'_>) {
    reply.map(7);
    reply.bulk(b"server");
    // Client libraries look for this very word.
    reply.bulk(b"redis");
    reply.bulk(b"version");
    reply.bulk(crate::base::version::REDIS_VERSION.as_bytes());
    reply.bulk(b"proto");
    reply.int(if session.proto == Proto::Resp3 { 3 } else { 2 });
    reply.bulk(b"id");
    reply.int(session.client.id as i64);
    reply.bulk(b"mode");
    reply.bulk(b"standalone");
    reply.bulk(b"role");
    reply.bulk(b"master");
    reply.bulk(b"modules");
    reply.array(0);
}
