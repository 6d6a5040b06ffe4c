//! SETEX key seconds value, PSETEX key milliseconds value — stores a string with a deadline: SET with EX or PX.

use super::deadline::{Form, stored_until};
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::{Expiry, Slot};

pub(super) const SPECS: &[Spec] = &[
    SETEX,
    Spec {
        name: "psetex",
        since: "2.6.0",
        summary: "Stores a string and the milliseconds until it expires.",
        syntax: "key milliseconds value",
        run: Run::Write(psetex),
        ..SETEX
    },
];

const SETEX: Spec = Spec {
    name: "setex",
    arity: 4,
    keys: &[KeySpec::first(key::OW | key::UPDATE)],
    flags: flag::WRITE | flag::DENYOOM | flag::BRIEF,
    acl: acl::STRING,
    since: "2.0.0",
    group: Group::String,
    summary: "Stores a string and the seconds until it expires.",
    syntax: "key seconds value",
    run: Run::Write(setex),
    ..Spec::DEFAULT
};

fn setex(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    store(Form::Ex, "setex", args, slot, reply)
}

fn psetex(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    store(Form::Px, "psetex", args, slot, reply)
}

fn store(
    form: Form,
    command: &str,
    args: &mut Args<'_>,
    slot: &mut Slot<'_>,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let moment = form.moment(args.word()?, args.now(), command)?;
    let value = args.word()?;
    slot.put_text(value, Expiry::At(moment));
    slot.tell(event::SET);
    slot.tell(event::EXPIRE);
    reply.ok();
    Ok(stored_until(slot.key(), value, moment))
}
