//! GETEX key — the string, whose deadline is set (EX PX EXAT PXAT, see `deadline`) or removed (PERSIST).
//!
//! A moment that has passed removes the key at once. A key that does not exist is answered with null before the number
//! of the deadline is even looked at.

use super::answer;
use super::deadline::Form;
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Slot;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "getex",
    arity: -2,
    keys: &[KeySpec::first(key::RW | key::ACCESS | key::UPDATE)],
    flags: flag::WRITE | flag::FAST | flag::BRIEF,
    acl: acl::STRING,
    since: "6.2.0",
    group: Group::String,
    summary: "Returns the string that a key holds and changes when it expires.",
    syntax: "key [EX seconds | PX milliseconds | EXAT unix-time-seconds \
             | PXAT unix-time-milliseconds | PERSIST]",
    run: Run::Write(getex),
    ..Spec::DEFAULT
}];

/// What becomes of the deadline.
#[derive(Clone, Copy)]
enum Change<'a> {
    Nothing,
    Persist,
    Deadline(Form, &'a [u8]),
}

fn getex(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let change = read(args)?;
    let Some(text) = slot.text()? else {
        reply.null();
        slot.tell(event::KEY_MISS);
        return Ok(Effect::None);
    };
    answer(Some(text), reply);
    let key = slot.key();
    Ok(match change {
        Change::Nothing => Effect::None,
        Change::Persist if slot.set_deadline(None) => {
            slot.tell(event::PERSIST);
            Effect::instead([b"PERSIST", key])
        }
        Change::Persist => Effect::None,
        Change::Deadline(form, number) => {
            let moment = form.moment(number, args.now(), "getex")?;
            if moment <= args.now() {
                slot.remove();
                return Ok(Effect::instead([b"DEL", key]));
            }
            // The same deadline again is an event, although nothing is changed.
            slot.tell(event::EXPIRE);
            if slot.set_deadline(Some(moment)) {
                Effect::instead([b"PEXPIREAT", key, itoa::Buffer::new().format(moment).as_bytes()])
            } else {
                Effect::None
            }
        }
    })
}

fn read<'a>(args: &mut Args<'a>) -> Result<Change<'a>, Refusal> {
    let mut change = Change::Nothing;
    while let Some(word) = args.next() {
        change = match (change, Form::named(word)) {
            (Change::Nothing | Change::Persist, None) if word.eq_ignore_ascii_case(b"PERSIST") => {
                Change::Persist
            }
            (Change::Nothing, Some(form)) => Change::Deadline(form, args.word()?),
            // Redis takes the same option again; the last one counts.
            (Change::Deadline(other, _), Some(form)) if other == form => Change::Deadline(form, args.word()?),
            _ => return Err(Refusal::Syntax),
        };
    }
    Ok(change)
}
