//! AUTH [username] password — says who is speaking.
//!
//! There is one user, `default`, whose password is the setting `requirepass`. How long a refusal
//! takes tells nothing of the password.

use crate::base::refusal::Refusal;
use crate::base::secret::is_same;
use crate::clients::{DEFAULT_USER, flag as bit};
use crate::exec::{Args, Context, Effect, Group, Run, Session, Spec, acl, flag};
use crate::resp::reply::Reply;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "auth",
    arity: -2,
    flags: flag::NOSCRIPT | flag::LOADING | flag::STALE | flag::FAST | flag::NO_AUTH | flag::ALLOW_BUSY,
    acl: acl::CONNECTION,
    since: "1.0.0",
    group: Group::Connection,
    summary: "Authenticates the connection.",
    complexity: "O(N) where N is the number of passwords defined for the user",
    syntax: "[username] password",
    run: Run::Host(auth),
    ..Spec::DEFAULT
}];

const NO_PASSWORD: Refusal = Refusal::line(
    "ERR AUTH <password> called without any password configured for the default user. Are you sure your \
     configuration is correct?",
);

fn auth(
    args: &mut Args<'_>,
    ctx: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let first = args.word()?;
    let second = args.next();
    args.end()?;
    let (user, password) = match second {
        Some(password) => (first, password),
        None if ctx.settings.load().access.requirepass.is_empty() => return Err(NO_PASSWORD),
        None => (DEFAULT_USER.as_bytes(), first),
    };
    authenticate(ctx, session, user, password)?;
    reply.ok();
    Ok(Effect::None)
}

/// Makes the session the user's if the password is right. A wrong one leaves the session as it was.
pub(super) fn authenticate(
    ctx: &Context,
    session: &mut Session,
    user: &[u8],
    password: &[u8],
) -> Result<(), Refusal> {
    let config = ctx.settings.load();
    let expected = &config.access.requirepass;
    // Without a password any will do for the default user, as for Redis's `nopass`.
    let right = expected.is_empty() || is_same(expected.as_bytes(), password);
    if user != DEFAULT_USER.as_bytes() || !right {
        return Err(Refusal::line("WRONGPASS invalid username-password pair or user is disabled."));
    }
    session.authenticated = true;
    session.client.set_flag(bit::STRANGER, false);
    Ok(())
}
