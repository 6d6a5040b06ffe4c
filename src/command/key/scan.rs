//! SCAN cursor [MATCH pattern] [COUNT n] [TYPE name] — a part of the keys and where to go on.
//!
//! The filters work on what a step has visited, so a step may answer no key although the walk is not over: only the
//! cursor 0 says that. A type that does not exist is no mistake, it matches nothing. What a step meets whose time has come,
//! it removes.

use crate::base::refusal::Refusal;
use crate::command::cursor;
use crate::exec::{Args, Context, Effect, Group, Run, Session, Spec, acl, flag, lapse};
use crate::resp::reply::Reply;
use crate::table::Entry;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "scan",
    arity: -2,
    flags: flag::READONLY | flag::TABLE_WIDE,
    acl: acl::KEYSPACE,
    since: "2.8.0",
    group: Group::Generic,
    summary: "Walks over the keys of a database, a few at each call.",
    complexity: "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to \
                 return back to 0. N is the number of elements inside the collection.",
    syntax: "cursor [MATCH pattern] [COUNT count] [TYPE type]",
    run: Run::Host(scan),
    ..Spec::DEFAULT
}];

fn scan(
    args: &mut Args<'_>,
    ctx: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let cursor = cursor::read(args)?;
    let mut options = cursor::Options::new();
    let mut kind = None;
    while !args.is_done() {
        if args.accept("TYPE") {
            kind = Some(args.word()?);
        } else if !options.take(args)? {
            return Err(Refusal::Syntax);
        }
    }
    let is_kind = |entry: &Entry| {
        kind.is_none_or(|name: &[u8]| name.eq_ignore_ascii_case(entry.kind().name().as_bytes()))
    };
    let (mut keys, mut lapsed) = (Vec::new(), Vec::new());
    let visit = |entry: &Entry| {
        if is_kind(entry) && options.admits(entry.key()) {
            keys.push(entry.key().to_vec());
        }
    };
    let page =
        ctx.table.scan(args.db(), cursor, options.count, args.now(), visit, |key| lapsed.push(key.to_vec()));
    reply.array(2);
    reply.bulk(itoa::Buffer::new().format(page.cursor).as_bytes());
    reply.array(keys.len());
    keys.iter().for_each(|key| reply.bulk(key));
    lapse::remove(ctx, session, &lapsed, args.now());
    Ok(Effect::None)
}
