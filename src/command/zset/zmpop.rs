//! ZMPOP numkeys key [key ...] MIN | MAX [COUNT count] — removes members from the first of the sorted sets that has any.
//!
//! The answer is the key and pairs of members and scores, or the null array. The log gets the ZPOPMIN or ZPOPMAX that
//! it came down to.

use super::zpop::End;
use crate::base::number;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Locked;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "zmpop",
    arity: -4,
    keys: &[KeySpec::counted(1, key::RW | key::ACCESS | key::DELETE)],
    flags: flag::WRITE | flag::MOVABLEKEYS,
    acl: acl::SORTEDSET,
    since: "7.0.0",
    group: Group::SortedSet,
    summary: "Removes members from the first of several sorted sets that is not empty and returns them.",
    complexity: "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the \
                 sorted set, and M being the number of elements popped.",
    syntax: "numkeys key [key ...] <MIN | MAX> [COUNT count]",
    run: Run::Keys(zmpop),
    ..Spec::DEFAULT
}];

fn zmpop(args: &mut Args<'_>, locked: &mut Locked<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let request = Request::read(args)?;
    match request.pop(args.db(), locked, reply)? {
        Effect::None => {
            reply.null_array();
            Ok(Effect::None)
        }
        effect => Ok(effect),
    }
}

/// What is to be removed, and from where.
pub(super) struct Request<'a> {
    pub(super) keys: Vec<&'a [u8]>,
    pub(super) end: End,
    pub(super) count: usize,
}

impl<'a> Request<'a> {
    /// Reads the arguments from the number of keys on.
    pub(super) fn read(args: &mut Args<'a>) -> Result<Self, Refusal> {
        let number = positive(args.word()?, "ERR numkeys should be greater than 0")?;
        if number >= args.left() {
            return Err(Refusal::Syntax);
        }
        let mut keys = Vec::with_capacity(number);
        while keys.len() < number {
            keys.push(args.word()?);
        }
        let end = match () {
            () if args.accept("MIN") => End::Min,
            () if args.accept("MAX") => End::Max,
            () => return Err(Refusal::Syntax),
        };
        let count = match args.accept("COUNT") {
            true => positive(args.word()?, "ERR count should be greater than 0")?,
            false => 1,
        };
        args.end()?;
        Ok(Request { keys, end, count })
    }

    /// Removes members from the first key that has any, and answers. Without such a key there is no effect, and no
    /// answer yet.
    pub(super) fn pop(
        &self,
        db: usize,
        locked: &mut Locked<'_>,
        reply: &mut Reply<'_>,
    ) -> Result<Effect, Refusal> {
        for key in &self.keys {
            let popped = self.end.pop_and_tell(&mut locked.slot(db, key), self.count)?;
            if popped.is_empty() {
                continue;
            }
            reply.array(2);
            reply.bulk(key);
            reply.array(popped.len());
            for (member, score) in &popped {
                reply.array(2);
                reply.bulk(member);
                reply.double(*score);
            }
            let count = itoa::Buffer::new().format(popped.len()).to_owned();
            return Ok(Effect::instead([self.end.command(), key, count.as_bytes()]));
        }
        Ok(Effect::None)
    }
}

fn positive(word: &[u8], refusal: &'static str) -> Result<usize, Refusal> {
    number::parse_i64(word)
        .and_then(|number| usize::try_from(number).ok())
        .filter(|&number| number > 0)
        .ok_or(Refusal::line(refusal))
}
