//! While the log has a fault: what of the data can still be told.
//!
//! Nothing may be told that is not as safe as `appendfsync` wants it, and what waits in memory for room on the disk will not
//! be soon. So a look at it is refused, and says why. A look at anything else is answered. And nobody is made a writer by a
//! key whose time comes meanwhile: it is not seen, and is removed when the log works again.

use super::context::Context;
use super::safety::Need;
use super::session::Session;
use crate::base::clock::Millis;
use crate::base::refusal::Refusal;
use crate::config::AppendFsync;

/// For so long each turn keeps expired keys in place, in milliseconds: until the next turn or the regular tasks look again.
pub(crate) const HOLD_MS: Millis = 300;

/// To be asked before keys are opened.
#[inline]
pub fn prepare(ctx: &Context, now: Millis) {
    if ctx.log.fault().is_some() {
        ctx.table.hold_expiry_longer(now + HOLD_MS);
    }
}

/// To be done now and then while all is well: until then the records of so far are those that a look at a stripe waits for
/// where nobody knows better, as after an expiry or FLUSHALL.
///
/// In a turn on this seat, because a script lets go of a stripe before its record is written: while it runs, the newest
/// record is not the one with its changes.
pub fn provide(ctx: &Context, seat: usize) {
    let Some(_turn) = ctx.turns.begin_unless(seat, || ctx.scripts.is_overdue()) else { return };
    if ctx.log.fault().is_none() {
        ctx.table.note_records(|| ctx.log.appended());
    }
}

/// Refuses an answer of which there is no telling when what it shows is safe. `before` is what was needed before its command ran,
/// which has written nothing itself.
#[inline]
pub(super) fn keep_back(ctx: &Context, session: &mut Session, before: Need) -> Result<(), Refusal> {
    if ctx.log.fault().is_none() { Ok(()) } else { keep_back_now(ctx, session, before) }
}

#[cold]
fn keep_back_now(ctx: &Context, session: &mut Session, before: Need) -> Result<(), Refusal> {
    let is_always = ctx.settings.load().persistence.appendfsync == AppendFsync::Always;
    let seq = session.need.durable();
    // A transaction is answered as a whole, and one that has written is the client's to know of, when it lasts.
    if !is_always || session.in_exec || session.need.has_written_since(before) || seq <= ctx.log.durable() {
        return Ok(());
    }
    ctx.log.blocked(seq).map_err(|fault| {
        session.need.unsee(before);
        Refusal::Line(refusal(&fault.text).into())
    })
}

/// The line for an answer that is kept back.
pub fn refusal(why: &str) -> String {
    format!("MISCONF What was changed last is not on the disk, and cannot be shown before it is: {why}")
}
