//! LMPOP numkeys key [key …] LEFT|RIGHT [COUNT count] — takes elements from the first of several lists that has any:
//! its key and the elements.

use super::{End, list_of, pop};
use crate::base::refusal::Refusal;
use crate::command::mpop;
use crate::exec::{Args, Effect, Group, Run, Spec, acl};
use crate::resp::reply::Reply;
use crate::table::Slot;
use crate::value::Kind;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "lmpop",
    acl: acl::LIST,
    group: Group::List,
    summary: "Takes elements from the first of several lists that has any.",
    complexity: "O(N+M) where N is the number of provided keys and M is the number of elements returned.",
    syntax: "numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
    run: Run::Keys(mpop::pop::<End>),
    ..mpop::POPS
}];

impl mpop::End for End {
    const KIND: Kind = Kind::List;

    fn read(args: &mut Args<'_>) -> Result<Self, Refusal> {
        End::parse(args)
    }

    fn take(
        self,
        most: usize,
        slot: &mut Slot<'_>,
        reply: &mut Reply<'_>,
    ) -> Result<Option<Effect>, Refusal> {
        slot.mark_used();
        let Some(list) = list_of(slot.entry())? else { return Ok(None) };
        let (key, count) = (slot.key(), most.min(list.len()));
        reply.array(2);
        reply.bulk(key);
        reply.array(count);
        slot.tell(self.pop_event());
        pop(slot, self, count, reply)?;
        let mut number = itoa::Buffer::new();
        Ok(Some(Effect::instead([self.pop_name(), key, number.format(count).as_bytes()])))
    }
}
