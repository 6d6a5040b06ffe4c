//! ZMPOP numkeys key [key ...] MIN | MAX [COUNT count] — removes members from the first of the sorted sets that has any.
//!
//! The answer is the key and pairs of members and scores, or the null array. The log gets the ZPOPMIN or ZPOPMAX that
//! it came down to.

use super::zpop::End;
use crate::base::refusal::Refusal;
use crate::command::mpop;
use crate::exec::{Args, Effect, Group, Run, Spec, acl};
use crate::resp::reply::Reply;
use crate::table::Slot;
use crate::value::Kind;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "zmpop",
    acl: acl::SORTEDSET,
    group: Group::SortedSet,
    summary: "Removes members from the first of several sorted sets that is not empty and returns them.",
    complexity: "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the \
                 sorted set, and M being the number of elements popped.",
    syntax: "numkeys key [key ...] <MIN | MAX> [COUNT count]",
    run: Run::Keys(mpop::pop::<End>),
    ..mpop::POPS
}];

impl mpop::End for End {
    const KIND: Kind = Kind::ZSet;

    fn read(args: &mut Args<'_>) -> Result<Self, Refusal> {
        match () {
            () if args.accept("MIN") => Ok(End::Min),
            () if args.accept("MAX") => Ok(End::Max),
            () => Err(Refusal::Syntax),
        }
    }

    fn take(
        self,
        most: usize,
        slot: &mut Slot<'_>,
        reply: &mut Reply<'_>,
    ) -> Result<Option<Effect>, Refusal> {
        let popped = self.pop_and_tell(slot, most)?;
        if popped.is_empty() {
            return Ok(None);
        }
        let key = slot.key();
        reply.array(2);
        reply.bulk(key);
        reply.array(popped.len());
        for (member, score) in &popped {
            reply.array(2);
            reply.bulk(member);
            reply.double(*score);
        }
        let mut number = itoa::Buffer::new();
        Ok(Some(Effect::instead([self.command(), key, number.format(popped.len()).as_bytes()])))
    }
}
