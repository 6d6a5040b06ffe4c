//! Replay: records of the log, run again. No gates, no log, no clock: what the record says is what happens.

use super::Args;
use super::commit::Journal;
use super::context::Context;
use super::session::Session;
use super::spec::Run;
use crate::base::refusal::Refusal;
use crate::resp::reply::{Proto, Reply};
use crate::resp::request::Request;
use crate::table::Locked;

/// The time at which records are replayed: nothing has expired then. What is due is removed by the expiry cycle, or by
/// the first who looks, once the server is ready.
const NOW: i64 = 0;

/// Runs one command of a record. `out` is a buffer for a reply that nobody reads.
pub fn apply(
    ctx: &Context,
    session: &mut Session,
    request: &Request<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    out.clear();
    let config = ctx.settings.load();
    let command = ctx.registry.resolve(request)?;
    let mut reply = Reply::new(out, Proto::Resp2);
    let mut args =
        Args::new(*request, if command.is_subcommand { 2 } else { 1 }, session.db, NOW, &config, 0);
    let mut journal = Journal::Nowhere;
    let effect = match command.spec.run {
        Run::Write(handler) => {
            let key = request.arg(1);
            let mut args = Args::new(*request, 2, session.db, NOW, &config, 0);
            let address = ctx.table.address(session.db, key);
            ctx.table.with_slot(address, key, NOW, |slot| handler(&mut args, slot, &mut reply))?
        }
        Run::Keys(handler) => {
            let db = session.db;
            let other = command.spec.other_db.and_then(|other| other(request));
            let other = other.filter(|&db| db < ctx.table.databases());
            let keys = command.spec.key_positions(request);
            let words = keys.iter().map(|key| request.arg(key.index));
            let here = words.clone().map(|key| ctx.table.address(db, key));
            let there =
                other.into_iter().flat_map(|db| words.clone().map(move |key| ctx.table.address(db, key)));
            let mut locked = Locked::new(&ctx.table, here.chain(there), NOW);
            handler(&mut args, &mut locked, &mut reply)?
        }
        Run::Host(handler) => handler(&mut args, ctx, session, &mut reply)?,
        // A record changes data; one that only reads has nothing to repeat.
        Run::Read(_) | Run::Scan(_) | Run::Exec | Run::Container => return Ok(()),
    };
    journal.commit(session.db, &effect, request);
    Ok(())
}
