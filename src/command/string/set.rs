//! SET key value — stores a string, whatever was there.
//!
//! ```text
//! NX | XX                only if the key does not exist | only if it does
//! GET                    answer with the old string instead of OK
//! EX PX EXAT PXAT n      give it a deadline, see `deadline`
//! KEEPTTL                leave it the deadline it has, where it would lose it
//! ```
//!
//! Options come in any order and may be repeated; of repeated deadlines the last one counts. NX and GET go together
//! since Redis 7.0.

use super::answer;
use super::deadline::{Form, stored_until};
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::resp::request::Request;
use crate::table::{Expiry, Slot};

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "set",
    arity: -3,
    keys: &[KeySpec::first(key::RW | key::ACCESS | key::UPDATE | key::VARIABLE_FLAGS)],
    flags: flag::WRITE | flag::DENYOOM | flag::BRIEF,
    acl: acl::STRING,
    group: Group::String,
    summary: "Stores a string under a key, whatever the key held before.",
    syntax: "key value [NX | XX] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds \
             | PXAT unix-time-milliseconds | KEEPTTL]",
    use_of_keys: Some(use_of_key),
    event: Some(event::SET),
    run: Run::Write(set),
    ..Spec::DEFAULT
}];

/// Only with GET the old value matters.
fn use_of_key(request: &Request<'_>) -> u32 {
    let gets = request.iter().skip(3).any(|word| word.eq_ignore_ascii_case(b"GET"));
    if gets { key::RW | key::ACCESS | key::UPDATE } else { key::OW | key::UPDATE }
}

#[inline]
fn set(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let value = args.word()?;
    if !args.is_done() {
        return set_with_options(value, &Options::read(args)?, args, slot, reply);
    }
    slot.put_text(value, Expiry::Clear);
    reply.ok();
    Ok(Effect::Same)
}

fn set_with_options(
    value: &[u8],
    options: &Options<'_>,
    args: &Args<'_>,
    slot: &mut Slot<'_>,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let expiry = match options.deadline {
        Some((form, number)) => Expiry::At(form.moment(number, args.now(), "set")?),
        None if options.keep => Expiry::Keep,
        None => Expiry::Clear,
    };
    if options.get {
        answer(slot.text()?, reply);
        if !slot.exists() {
            slot.tell(event::KEY_MISS);
        }
    }
    if options.only_if_exists.is_some_and(|must| must != slot.exists()) {
        if !options.get {
            reply.null();
        }
        return Ok(Effect::None);
    }
    slot.put_text(value, expiry);
    if options.deadline.is_some() {
        slot.tell(event::SET);
        slot.tell(event::EXPIRE);
    }
    if !options.get {
        reply.ok();
    }
    Ok(match (expiry, options.deadline) {
        (Expiry::At(moment), Some((form, _))) if !form.is_moment() => stored_until(slot.key(), value, moment),
        _ => Effect::Same,
    })
}

#[derive(Default)]
struct Options<'a> {
    /// True for XX, false for NX.
    only_if_exists: Option<bool>,
    get: bool,
    keep: bool,
    deadline: Option<(Form, &'a [u8])>,
}

impl<'a> Options<'a> {
    fn read(args: &mut Args<'a>) -> Result<Self, Refusal> {
        let mut options = Options::default();
        while let Some(word) = args.next() {
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            if is("NX") && options.only_if_exists != Some(true) {
                options.only_if_exists = Some(false);
            } else if is("XX") && options.only_if_exists != Some(false) {
                options.only_if_exists = Some(true);
            } else if is("GET") {
                options.get = true;
            } else if is("KEEPTTL") && options.deadline.is_none() {
                options.keep = true;
            } else if let Some(form) = Form::named(word)
                && !options.keep
                && options.deadline.is_none_or(|(other, _)| other == form)
            {
                options.deadline = Some((form, args.word()?));
            } else {
                return Err(Refusal::Syntax);
            }
        }
        Ok(options)
    }
}
