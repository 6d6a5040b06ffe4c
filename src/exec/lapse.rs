//! Removing keys whose time has come, by who looks at many and opens none: SCAN, RANDOMKEY.

use super::commit::Journal;
use super::context::Context;
use super::session::Session;
use super::tell;
use crate::base::clock::Millis;

/// Removes those of the keys of the session's database whose time has come, each with a record of its own. Not within a
/// transaction or a script: what these have done so far is recorded at their end, and a removal must not come before it;
/// and not while expiry is held (CLIENT PAUSE).
pub fn remove(ctx: &Context, session: &mut Session, keys: &[Vec<u8>], now: Millis) {
    if session.in_exec {
        return;
    }
    let mut journal = Journal::Log { log: &ctx.log, last: 0 };
    for key in keys {
        ctx.table.read(ctx.table.address(session.db, key), key, now, |slot| {
            if let Some(lapsed) = slot.take_lapsed() {
                journal.lapsed(session.db, key, &lapsed);
                journal.seen(slot);
            }
            tell::publish(ctx, now, slot.take_told());
        });
    }
    session.need.wrote(journal.last());
}
