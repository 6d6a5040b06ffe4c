//! COPY source destination [DB n] [REPLACE] — the value and its deadline stored a second time.

use crate::base::event;
use crate::base::refusal::Refusal;
use crate::command::key::database;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::resp::request::Request;
use crate::table::{Expiry, Locked};

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "copy",
    arity: -3,
    keys: &[KeySpec::at(1, key::RO | key::ACCESS), KeySpec::at(2, key::OW | key::UPDATE)],
    flags: flag::WRITE | flag::DENYOOM | flag::TABLE_WIDE,
    acl: acl::KEYSPACE,
    since: "6.2.0",
    group: Group::Generic,
    summary: "Stores a copy of a value at another key.",
    complexity: "O(N) worst case for collections, where N is the number of nested items. O(1) for string values.",
    syntax: "source destination [DB destination-db] [REPLACE]",
    other_db: Some(target_db),
    run: Run::Keys(copy),
    ..Spec::DEFAULT
}];

/// The database that the copy goes to: the last that the options name.
fn target_db(request: &Request<'_>) -> Option<usize> {
    let options = Options::parse(Args::looking(*request, 3), usize::MAX).ok()?;
    options.db
}

#[derive(Default)]
struct Options {
    db: Option<usize>,
    replace: bool,
}

impl Options {
    /// Mistakes are refused in the order in which they stand.
    fn parse(mut args: Args<'_>, databases: usize) -> Result<Options, Refusal> {
        let mut options = Options::default();
        while !args.is_done() {
            if args.accept("REPLACE") {
                options.replace = true;
            } else if args.accept("DB") {
                options.db = Some(database::existing(database::parse(args.word()?)?, databases)?);
            } else {
                return Err(Refusal::Syntax);
            }
        }
        Ok(options)
    }
}

fn copy(args: &mut Args<'_>, locked: &mut Locked<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let (from, to, db) = (args.word()?, args.word()?, args.db());
    let options = Options::parse(Args::looking(args.request(), 3), locked.table().databases())?;
    let target_db = options.db.unwrap_or(db);
    if db == target_db && from == to {
        return Err(database::SAME_OBJECT);
    }
    let mut source = locked.slot(db, from);
    source.mark_used();
    let exists = source.exists();
    if !exists || (!options.replace && locked.slot(target_db, to).exists()) {
        reply.int(0);
        return Ok(Effect::None);
    }
    let copied = locked.slot(db, from).entry().map(|entry| (entry.to_value(), entry.expiry()));
    if let Some((value, deadline)) = copied {
        let mut target = locked.slot(target_db, to);
        if target.exists() {
            // What it replaces counts as removed before, of which nothing is told.
            target.tell(event::NEW);
        }
        target.put(value, Expiry::At(deadline));
        target.tell(event::generic("copy_to"));
    }
    reply.int(1);
    Ok(Effect::Same)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::request::OwnedRequest;

    fn other(words: &[&str]) -> Option<usize> {
        target_db(&OwnedRequest::from_args(words).as_request())
    }

    #[test]
    fn the_locks_are_taken_in_the_database_that_the_handler_will_write_to() {
        assert_eq!(other(&["COPY", "a", "b"]), None);
        assert_eq!(other(&["copy", "a", "b", "replace", "db", "3"]), Some(3));
        assert_eq!(other(&["copy", "a", "b", "DB", "3", "DB", "4"]), Some(4));
        assert_eq!(other(&["copy", "DB", "7"]), None);
    }

    #[test]
    fn a_request_that_will_be_refused_names_no_database() {
        assert_eq!(other(&["copy", "a", "b", "db"]), None);
        assert_eq!(other(&["copy", "a", "b", "db", "-1"]), None);
        assert_eq!(other(&["copy", "a", "b", "db", "3", "nonsense"]), None);
    }
}
