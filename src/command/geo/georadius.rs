//! GEORADIUS key longitude latitude radius unit, GEORADIUSBYMEMBER key member radius unit — the members in a circle, which may
//! be kept at a key; the forms with _RO only answer. They are the older names of GEOSEARCH. The options are in `query`.

use super::query::Query;
use super::{READS, point};
use crate::base::refusal::Refusal;
use crate::command::zset::{store, zset_of};
use crate::exec::{Args, Begin, Effect, Find, KeySpec, Run, Spec, flag, key};
use crate::resp::reply::Reply;
use crate::table::{Entry, Locked};
use crate::value::ZSet;

pub(super) const SPECS: &[Spec] = &[
    Spec {
        name: "georadius",
        keys: &[KeySpec::first(key::RO | key::ACCESS), target("STORE", 6), target("STOREDIST", 6)],
        flags: flag::WRITE | flag::DENYOOM | flag::MOVABLEKEYS,
        since: "3.2.0",
        summary: "Returns the members of a set of places that lie in a circle around a place, or stores them.",
        syntax: "key longitude:double latitude:double radius:double <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] \
                 [COUNT count [ANY]] [ASC | DESC] [STORE key] [STOREDIST key]",
        replaced_by: Some("`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument"),
        reads_much: None,
        run: Run::Keys(georadius),
        ..AROUND_PLACE
    },
    AROUND_PLACE,
    Spec {
        name: "georadiusbymember",
        keys: &[KeySpec::first(key::RO | key::ACCESS), target("STORE", 5), target("STOREDIST", 5)],
        flags: flag::WRITE | flag::DENYOOM | flag::MOVABLEKEYS,
        since: "3.2.0",
        summary: "Returns the members of a set of places that lie in a circle around one of them, or stores them.",
        syntax: "key member radius:double <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] \
                 [ASC | DESC] [STORE key] [STOREDIST key]",
        replaced_by: Some("`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments"),
        reads_much: None,
        run: Run::Keys(georadiusbymember),
        ..AROUND_MEMBER
    },
    AROUND_MEMBER,
];

const AROUND_PLACE: Spec = Spec {
    name: "georadius_ro",
    arity: -6,
    keys: &[KeySpec::first(key::RO | key::ACCESS)],
    since: "3.2.10",
    summary: "Returns the members of a set of places that lie in a circle around a place.",
    complexity: "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by \
                 center and radius and M is the number of items inside the index.",
    syntax: "key longitude:double latitude:double radius:double <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] \
             [COUNT count [ANY]] [ASC | DESC]",
    replaced_by: Some("`GEOSEARCH` with the `BYRADIUS` argument"),
    reads_much: Some(|_, _| true),
    run: Run::Read(georadius_ro),
    ..READS
};

const AROUND_MEMBER: Spec = Spec {
    name: "georadiusbymember_ro",
    arity: -5,
    summary: "Returns the members of a set of places that lie in a circle around one of them.",
    syntax: "key member radius:double <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] \
             [ASC | DESC]",
    replaced_by: Some("`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments"),
    run: Run::Read(georadiusbymember_ro),
    ..AROUND_PLACE
};

/// The keys behind an option, which stands behind so many words at least. Of several the last gets the result.
const fn target(word: &'static str, from: i32) -> KeySpec {
    KeySpec {
        flags: key::OW | key::UPDATE,
        begin: Begin::EachKeyword(word, from),
        find: Find::Range { last: 0, step: 1 },
    }
}

/// Reads what it asks for, once the set is known.
type Read = for<'a> fn(&mut Args<'a>, Option<&ZSet>, bool) -> Result<Query<'a>, Refusal>;

fn around_place<'a>(args: &mut Args<'a>, _: Option<&ZSet>, stores: bool) -> Result<Query<'a>, Refusal> {
    let middle = point(args)?;
    Query::radius(middle, args, stores)
}

fn around_member<'a>(args: &mut Args<'a>, zset: Option<&ZSet>, stores: bool) -> Result<Query<'a>, Refusal> {
    Query::radius_of_member(args, zset, stores)
}

fn georadius(args: &mut Args<'_>, locked: &mut Locked<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    search(around_place, args, locked, reply)
}

fn georadiusbymember(
    args: &mut Args<'_>,
    locked: &mut Locked<'_>,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    search(around_member, args, locked, reply)
}

fn search(
    read: Read,
    args: &mut Args<'_>,
    locked: &mut Locked<'_>,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let (source, limits) = (args.word()?, args.zset_limits());
    let mut slot = locked.slot(args.db(), source);
    slot.mark_used();
    let zset = zset_of(slot.entry())?;
    let query = read(args, zset, true)?;
    let found = query.find(zset);
    let Some(target) = query.target else {
        query.answer(&found, reply);
        return Ok(Effect::None);
    };
    let result = query.result(&found, &limits);
    Ok(store(result, &mut locked.slot(args.db(), target), "georadiusstore", reply))
}

fn georadius_ro(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    answer(around_place, args, entry, reply)
}

fn georadiusbymember_ro(
    args: &mut Args<'_>,
    entry: Option<&Entry>,
    reply: &mut Reply<'_>,
) -> Result<(), Refusal> {
    answer(around_member, args, entry, reply)
}

fn answer(
    read: Read,
    args: &mut Args<'_>,
    entry: Option<&Entry>,
    reply: &mut Reply<'_>,
) -> Result<(), Refusal> {
    let zset = zset_of(entry)?;
    let query = read(args, zset, false)?;
    query.answer(&query.find(zset), reply);
    Ok(())
}
