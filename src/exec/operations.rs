//! What the operation log tells of a command: which keys it put, read or removed.
//!
//! Every command that has succeeded is told of by what it means for its keys: reading is GET, removing is DELETE, all other
//! changes are PUT, with the words that stand behind the key. A command without keys, and with it every password, is never
//! told of; nor is one whose words hold a password beside keys.

use super::context::Context;
use super::registry::Command;
use super::spec::{flag, key};
use crate::base::clock::Millis;
use crate::observe::operations::Operation;
use crate::resp::request::Request;

/// Commands that remove keys and do nothing else to them.
const REMOVING: &[&str] = &["del", "unlink", "getdel"];
/// Commands that are told of as SAVE.
const SAVING: &[&str] = &["save", "bgsave", "bgrewriteaof"];
/// Commands whose words behind a key may be a password.
const SECRET: &[&str] = &["migrate"];

/// Notes a command that has succeeded.
#[cold]
pub(super) fn note(ctx: &Context, command: &Command, request: &Request<'_>, now: Millis) {
    let spec = &command.spec;
    let name = command.full_name.as_str();
    if SAVING.contains(&name) {
        ctx.operations.note(now, Operation::Save(name));
        return;
    }
    let keys = spec.key_positions(request);
    if SECRET.contains(&name) {
        return;
    }
    for (place, key) in keys.iter().enumerate().filter(|(_, key)| key.flags & key::NOT_KEY == 0) {
        let word = request.arg(key.index);
        if !spec.has(flag::WRITE) {
            ctx.operations.note(now, Operation::Get(word));
        } else if REMOVING.contains(&name) {
            ctx.operations.note(now, Operation::Delete(word));
        } else {
            let next = keys.get(place + 1).map_or(request.len(), |next| next.index);
            let value = value(name, request, key.index + 1, next);
            ctx.operations.note(now, Operation::Put { key: word, value: &value });
        }
    }
}

/// The words from `first` to before `end`, or the one of them that is the value.
fn value(name: &str, request: &Request<'_>, first: usize, end: usize) -> Vec<u8> {
    match name {
        "set" => request.arg(first).to_vec(),
        "setex" | "psetex" => request.arg(first + 1).to_vec(),
        _ => (first..end).map(|at| request.arg(at)).collect::<Vec<_>>().join(&b' '),
    }
}
