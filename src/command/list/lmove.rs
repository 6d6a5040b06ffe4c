//! LMOVE source destination LEFT|RIGHT LEFT|RIGHT — takes an element from an end of a list and adds it at an end of
//! another, or of the same. RPOPLPUSH source destination is LMOVE … RIGHT LEFT.

use super::{End, change, list_of, push};
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::Locked;

pub(super) const SPECS: &[Spec] = &[LMOVE, RPOPLPUSH];

pub(super) const LMOVE: Spec = Spec {
    name: "lmove",
    arity: 5,
    keys: &[KeySpec::at(1, key::RW | key::ACCESS | key::DELETE), KeySpec::at(2, key::RW | key::INSERT)],
    flags: flag::WRITE | flag::DENYOOM,
    acl: acl::LIST,
    since: "6.2.0",
    group: Group::List,
    summary: "Takes an element from a list and adds it to another.",
    syntax: "source destination <LEFT | RIGHT> <LEFT | RIGHT>",
    run: Run::Keys(lmove),
    ..Spec::DEFAULT
};

const RPOPLPUSH: Spec = Spec {
    name: "rpoplpush",
    arity: 3,
    since: "1.2.0",
    summary: "Takes the last element of a list and adds it at the front of another.",
    syntax: "source destination",
    replaced_by: Some("`LMOVE` with the `RIGHT` and `LEFT` arguments"),
    run: Run::Keys(rpoplpush),
    ..LMOVE
};

fn lmove(args: &mut Args<'_>, locked: &mut Locked<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let route = Route::parse(args)?;
    let moved = route.carry(args, locked, reply)?;
    if !moved {
        reply.null();
    }
    Ok(Effect::same_if(moved))
}

fn rpoplpush(args: &mut Args<'_>, locked: &mut Locked<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let route = Route::right_to_left(args)?;
    let moved = route.carry(args, locked, reply)?;
    if !moved {
        reply.null();
    }
    Ok(Effect::same_if(moved))
}

/// From where to where.
pub(super) struct Route<'a> {
    pub(super) source: &'a [u8],
    pub(super) target: &'a [u8],
    pub(super) from: End,
    pub(super) to: End,
}

impl<'a> Route<'a> {
    /// Both keys and both ends.
    pub(super) fn parse(args: &mut Args<'a>) -> Result<Self, Refusal> {
        let (source, target) = (args.word()?, args.word()?);
        Ok(Route { source, target, from: End::parse(args)?, to: End::parse(args)? })
    }

    /// Both keys; the ends are RPOPLPUSH's.
    pub(super) fn right_to_left(args: &mut Args<'a>) -> Result<Self, Refusal> {
        Ok(Route { source: args.word()?, target: args.word()?, from: End::Right, to: End::Left })
    }

    /// Moves an element and answers with it; false, and no answer, when the source has none.
    pub(super) fn carry(
        &self,
        args: &Args<'_>,
        locked: &mut Locked<'_>,
        reply: &mut Reply<'_>,
    ) -> Result<bool, Refusal> {
        let (db, limit) = (args.db(), args.list_limit());
        let mut source = locked.slot(db, self.source);
        source.mark_used();
        if list_of(source.entry())?.is_none() {
            return Ok(false);
        }
        if self.source == self.target {
            // In place, because the key of a single element must not go and lose its deadline.
            let turned = change(&mut source, |list| {
                self.from.pop(list).inspect(|element| self.to.push(list, element, limit))
            })?;
            source.tell(self.to.push_event());
            source.tell(self.from.pop_event());
            reply.bulk(&turned.flatten().unwrap_or_default());
            return Ok(true);
        }
        list_of(locked.slot(db, self.target).entry())?;
        // Added before it is taken away, because that is the order in which it is told.
        let element = {
            let source = locked.slot(db, self.source);
            let list = list_of(source.entry())?;
            let last = list.and_then(|list| match self.from {
                End::Left => list.range(0, 1).next(),
                End::Right => list.range_back(0, 1).next(),
            });
            last.map(|element| element.bytes(&mut itoa::Buffer::new()).to_vec()).unwrap_or_default()
        };
        let mut target = locked.slot(db, self.target);
        push(&mut target, self.to, std::iter::once(&*element), limit)?;
        target.tell(self.to.push_event());
        let mut source = locked.slot(db, self.source);
        source.tell(self.from.pop_event());
        change(&mut source, |list| self.from.pop(list))?;
        reply.bulk(&element);
        Ok(true)
    }
}
