//! Replay: records of the log, run again. No gates, no log, no clock: what the record says is what happens.

use super::Args;
use super::context::Context;
use super::registry::Command;
use super::session::Session;
use super::spec::Run;
use crate::base::refusal::Refusal;
use crate::config::Config;
use crate::resp::reply::{Proto, Reply};
use crate::resp::request::Request;
use crate::table::{Address, Locked};

/// The time at which records are replayed: nothing has expired then. What is due is removed by the expiry cycle, or by
/// the first who looks, once the server is ready.
const NOW: i64 = 0;

/// The command that a record's words are, and place and bytes of its key, if it is one that writes to one key.
pub fn on_one_key<'c, 'd>(ctx: &'c Context, words: &[&'d [u8]]) -> Option<(&'c Command, usize, &'d [u8])> {
    let command = ctx.registry.plain(words.first()?, words.len())?;
    let at = command.key_at().filter(|_| matches!(command.spec.run, Run::Write(_)))?;
    Some((command, at, words.get(at)?))
}

/// Runs a command that writes to one key: its database, its address, and which word it is.
pub fn write(
    ctx: &Context,
    config: &Config,
    command: &Command,
    (db, address, key_at): (usize, Address, usize),
    request: &Request<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let Run::Write(handler) = command.spec.run else { return Ok(()) };
    out.clear();
    let mut reply = Reply::new(out, Proto::Resp2);
    let mut args = Args::new(*request, key_at + 1, db, NOW, config, 0);
    ctx.table.write(address, request.arg(key_at), NOW, |slot| handler(&mut args, slot, &mut reply))?;
    Ok(())
}

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
    match command.spec.run {
        Run::Write(_) => {
            let key_at = command.only_key(request)?;
            let address = ctx.table.address(session.db, request.arg(key_at));
            let place = (session.db, address, key_at);
            return write(ctx, &config, command, place, request, out);
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
            handler(&mut args, &mut locked, &mut reply)?;
        }
        Run::Host(handler) => {
            handler(&mut args, ctx, session, &mut reply)?;
        }
        // A record changes data; one that only reads has nothing to repeat.
        Run::Read(_) | Run::ReadMany(_) | Run::Scan(_) | Run::Script(_) | Run::Exec | Run::Container => {}
    }
    Ok(())
}
