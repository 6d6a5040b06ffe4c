//! LMPOP numkeys key [key …] LEFT|RIGHT [COUNT count] — takes elements from the first of several lists that has any:
//! its key and the elements.

use super::{End, list_of, pop};
use crate::base::number;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Locked;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "lmpop",
    arity: -4,
    keys: &[KeySpec::counted(1, key::RW | key::ACCESS | key::DELETE)],
    flags: flag::WRITE | flag::MOVABLEKEYS,
    acl: acl::LIST,
    since: "7.0.0",
    group: Group::List,
    summary: "Takes elements from the first of several lists that has any.",
    complexity: "O(N+M) where N is the number of provided keys and M is the number of elements returned.",
    syntax: "numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
    run: Run::Keys(lmpop),
    ..Spec::DEFAULT
}];

fn lmpop(args: &mut Args<'_>, locked: &mut Locked<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let choice = Choice::parse(args)?;
    for key in &choice.keys {
        if let Some(effect) = choice.pop(args, key, locked, reply)? {
            return Ok(effect);
        }
    }
    reply.null_array();
    Ok(Effect::None)
}

/// What to take, and from which keys.
pub(super) struct Choice<'a> {
    pub(super) keys: Vec<&'a [u8]>,
    end: End,
    count: usize,
}

impl<'a> Choice<'a> {
    /// All that stands from `numkeys` on.
    pub(super) fn parse(args: &mut Args<'a>) -> Result<Self, Refusal> {
        let positive =
            |word| number::parse_i64(word).and_then(|n| usize::try_from(n).ok()).filter(|&n| n > 0);
        let number = positive(args.word()?).ok_or(Refusal::line("ERR numkeys should be greater than 0"))?;
        if number >= args.left() {
            return Err(Refusal::Syntax);
        }
        let keys = (0..number).map(|_| args.word()).collect::<Result<Vec<_>, _>>()?;
        let end = End::parse(args)?;
        let mut count = 1;
        if !args.is_done() {
            if !args.accept("count") {
                return Err(Refusal::Syntax);
            }
            count = positive(args.word()?).ok_or(Refusal::line("ERR count should be greater than 0"))?;
            args.end()?;
        }
        Ok(Choice { keys, end, count })
    }

    /// Takes from this key and answers; none, and no answer, where there is no list.
    pub(super) fn pop(
        &self,
        args: &Args<'_>,
        key: &[u8],
        locked: &mut Locked<'_>,
        reply: &mut Reply<'_>,
    ) -> Result<Option<Effect>, Refusal> {
        let mut slot = locked.slot(args.db(), key);
        slot.mark_used();
        let Some(list) = list_of(slot.entry())? else { return Ok(None) };
        let count = self.count.min(list.len());
        reply.array(2);
        reply.bulk(key);
        reply.array(count);
        slot.tell(self.end.pop_event());
        pop(&mut slot, self.end, count, reply)?;
        let mut number = itoa::Buffer::new();
        Ok(Some(Effect::instead([self.end.pop_name(), key, number.format(count).as_bytes()])))
    }
}
