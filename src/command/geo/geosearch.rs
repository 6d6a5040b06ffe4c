//! GEOSEARCH key FROMMEMBER member | FROMLONLAT longitude latitude BYRADIUS … | BYBOX … — the members in an area;
//! GEOSEARCHSTORE keeps them at a key, which loses what it held. The options are in `query`.

use super::READS;
use super::query::{Form, Query};
use crate::base::refusal::Refusal;
use crate::command::zset::{store, zset_of};
use crate::exec::{Args, Effect, KeySpec, Run, Spec, flag, key};
use crate::resp::reply::Reply;
use crate::table::{Entry, Locked};

pub(super) const SPECS: &[Spec] = &[
    GEOSEARCH,
    Spec {
        name: "geosearchstore",
        arity: -8,
        keys: &[KeySpec::at(1, key::OW | key::UPDATE), KeySpec::at(2, key::RO | key::ACCESS)],
        flags: flag::WRITE | flag::DENYOOM,
        summary: "Stores the members of a set of places that lie in an area under another key.",
        syntax: "destination source <FROMMEMBER member | FROMLONLAT longitude:double latitude:double> \
                 <BYRADIUS radius:double <M | KM | FT | MI> | BYBOX width:double height:double <M | KM | FT | MI>> \
                 [ASC | DESC] [COUNT count [ANY]] [STOREDIST]",
        reads_much: None,
        run: Run::Keys(geosearchstore),
        ..GEOSEARCH
    },
];

const GEOSEARCH: Spec = Spec {
    name: "geosearch",
    arity: -7,
    keys: &[KeySpec::first(key::RO | key::ACCESS)],
    since: "6.2.0",
    summary: "Returns the members of a set of places that lie in an area.",
    complexity: "O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the shape \
                 provided as the filter and M is the number of items inside the shape",
    syntax: "key <FROMMEMBER member | FROMLONLAT longitude:double latitude:double> \
             <BYRADIUS radius:double <M | KM | FT | MI> | BYBOX width:double height:double <M | KM | FT | MI>> \
             [ASC | DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]",
    reads_much: Some(|_, _| true),
    run: Run::Read(geosearch),
    ..READS
};

fn geosearch(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let zset = zset_of(entry)?;
    let query = Query::search(args, Form::Search, zset)?;
    query.answer(&query.find(zset), reply);
    Ok(())
}

fn geosearchstore(
    args: &mut Args<'_>,
    locked: &mut Locked<'_>,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let (target, source, limits) = (args.word()?, args.word()?, args.zset_limits());
    let mut slot = locked.slot(args.db(), source);
    slot.mark_used();
    let zset = zset_of(slot.entry())?;
    let query = Query::search(args, Form::SearchStore, zset)?;
    let result = query.result(&query.find(zset), &limits);
    Ok(store(result, &mut locked.slot(args.db(), target), "geosearchstore", reply))
}
