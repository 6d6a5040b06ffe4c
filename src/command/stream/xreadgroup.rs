//! XREADGROUP GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] id [id ...] — gives a
//! consumer what nobody of its group was given yet (`>`), or once more what it has to acknowledge (an id to begin behind).
//!
//! What is given becomes pending, unless NOACK says that it needs no acknowledgement. The log gets all of it: that a consumer
//! was made, what was delivered to it, and how far the group has read. Redis does not log that something was given once more;
//! here that is logged, too, so that counts and times survive a restart.

use super::read::{self, Reading};
use super::{
    answer_entry, answer_id, change_aside, change_group, exact_id, no_group, record_delivery,
    record_position, stream_of,
};
use crate::base::event;
use crate::base::refusal::Refusal;
use crate::exec::wait::{self, Keys};
use crate::exec::{Args, Effect, Group, Record, Run, Spec, acl, flag};
use crate::resp::reply::{Proto, Reply};
use crate::table::{Locked, Slot};
use crate::value::Kind;
use crate::value::stream::{self, Id, Log};

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "xreadgroup",
    arity: -7,
    keys: &[read::keys(4)],
    flags: flag::WRITE | flag::BLOCKING | flag::MOVABLEKEYS,
    acl: acl::STREAM,
    since: "5.0.0",
    group: Group::Stream,
    summary: "Gives a consumer of a group the entries of several streams, waiting for new ones if need be.",
    complexity: "For each stream mentioned: O(M) with M being the number of elements returned. If M is constant (e.g. \
                 always asking for the first 10 elements with COUNT), you can consider it O(1). On the other side when \
                 XREADGROUP blocks, XADD will pay the O(N) time in order to serve the N clients blocked on the stream \
                 getting new data.",
    syntax: "GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] id [id ...]",
    run: Run::Keys(xreadgroup),
    ..Spec::DEFAULT
}];

/// What a consumer asks for.
#[derive(Clone, Copy)]
enum Wanted {
    /// `>`
    New,
    /// What it has to acknowledge, behind this id.
    Own(Id),
}

fn xreadgroup(
    args: &mut Args<'_>,
    locked: &mut Locked<'_>,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let reading = Reading::parse(args, true)?;
    let (db, (group, consumer)) = (args.db(), reading.group.unwrap_or_default());
    let mut wanted = Vec::with_capacity(reading.streams.len());
    for (key, word) in &reading.streams {
        let mut slot = locked.slot(db, key);
        slot.mark_used();
        if stream_of(slot.entry())?.is_none_or(|stream| stream.group(group).is_none()) {
            let text = no_group(key, group).text().into_owned();
            return Err(Refusal::Line(format!("{text} in XREADGROUP with GROUP option").into()));
        }
        wanted.push(parse(word)?);
    }
    let (mut record, mut found, place) = (Record::default(), 0, reply.defer());
    for ((key, _), wanted) in reading.streams.iter().zip(wanted) {
        let delivery = Delivery { group, consumer, wanted, reading: &reading, now: args.now() };
        found += usize::from(delivery.serve(&mut locked.slot(db, key), &mut record, reply)?);
    }
    if found > 0 {
        match reply.proto() {
            Proto::Resp2 => reply.close_array(place, found),
            Proto::Resp3 => reply.close_map(place, found),
        }
        return Ok(Effect::instead_if_any(record));
    }
    drop(place);
    // Nothing was done, then.
    let Some(deadline) = reading.wait else {
        reply.null_array();
        return Ok(Effect::None);
    };
    let keys = Keys {
        keys: reading.streams.iter().map(|(key, _)| key.to_vec()).collect(),
        when_gone: true,
        ..Keys::new(Kind::Stream, serve)
    };
    Ok(wait::for_keys(keys, deadline, wait::null_array))
}

fn parse(word: &[u8]) -> Result<Wanted, Refusal> {
    const MEANINGLESS: Refusal = Refusal::line(
        "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by \
         specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.",
    );
    match word {
        b"$" => Err(MEANINGLESS),
        b">" => Ok(Wanted::New),
        _ => match exact_id(word, 0)? {
            // Redis cannot tell the highest id from the sign for new entries.
            Id::MAX => Ok(Wanted::New),
            id => Ok(Wanted::Own(id)),
        },
    }
}

fn serve(
    args: &mut Args<'_>,
    key: &[u8],
    locked: &mut Locked<'_>,
    reply: &mut Reply<'_>,
) -> Result<Option<Effect>, Refusal> {
    let reading = Reading::parse(args, true)?;
    let (group, consumer) = reading.group.unwrap_or_default();
    let mut slot = locked.slot(args.db(), key);
    let Ok(Some(stream)) = stream_of(slot.entry()) else {
        return Err(Refusal::line("UNBLOCKED the stream key no longer exists"));
    };
    if stream.group(group).is_none() {
        return Err(Refusal::line("NOGROUP the consumer group this client was blocked on no longer exists"));
    }
    if !stream.group(group).is_some_and(|group| has_new(stream.log(), group)) {
        return Ok(None);
    }
    slot.mark_used();
    read::answer_header(1, reply);
    let mut record = Record::default();
    let delivery = Delivery { group, consumer, wanted: Wanted::New, reading: &reading, now: args.now() };
    delivery.serve(&mut slot, &mut record, reply)?;
    Ok(Some(Effect::instead_if_any(record)))
}

fn has_new(log: &Log, group: &stream::Group) -> bool {
    !log.is_empty() && log.top_id() > group.last_id
}

/// A consumer that asks for entries of a stream.
struct Delivery<'a> {
    group: &'a [u8],
    consumer: &'a [u8],
    wanted: Wanted,
    reading: &'a Reading<'a>,
    now: i64,
}

impl Delivery<'_> {
    /// Answers with key and entries, if there are such as it asks for; false and no answer if not.
    fn serve(
        &self,
        slot: &mut Slot<'_>,
        record: &mut Record,
        reply: &mut Reply<'_>,
    ) -> Result<bool, Refusal> {
        let key = slot.key();
        let stream = stream_of(slot.entry())?.ok_or(Refusal::NoSuchKey)?;
        let group = stream.group(self.group).ok_or_else(|| no_group(key, self.group))?;
        // Redis 7.0 does not take notice of who asks for new entries in vain.
        if matches!(self.wanted, Wanted::New) && !has_new(stream.log(), group) {
            return Ok(false);
        }
        match group.consumer(self.consumer) {
            Some(consumer) => consumer.see(self.now),
            None => {
                change_group(slot, self.group, |group, _| group.add_consumer(self.consumer, self.now))?;
                slot.tell(event::stream("xgroup-createconsumer"));
                record.push([b"XGROUP", b"CREATECONSUMER", key, self.group, self.consumer]);
            }
        }
        match self.wanted {
            Wanted::New => {
                read::answer_key(key, reply);
                let ids = change_group(slot, self.group, |group, log| self.give_new(group, log, reply))?;
                if !self.reading.acknowledged {
                    record_delivery(record, (key, self.group, self.consumer), &ids, (self.now, 1));
                }
                if let Some(group) = stream_of(slot.entry())?.and_then(|stream| stream.group(self.group)) {
                    record_position(record, key, self.group, group);
                }
            }
            Wanted::Own(behind) => {
                read::answer_key(key, reply);
                self.give_again(behind, slot, record, reply)?;
            }
        }
        Ok(true)
    }

    /// Answers with new entries, which become pending; their ids.
    fn give_new(&self, group: &mut stream::Group, log: &Log, reply: &mut Reply<'_>) -> Vec<Id> {
        let place = reply.defer();
        let mut ids = Vec::new();
        let from = group.last_id.next().unwrap_or(Id::MAX);
        for entry in log.range(from, Id::MAX).take(self.reading.most) {
            group.entries_read = match group.entries_read {
                Some(read) if !log.has_gaps_from(entry.id) => Some(read.saturating_add(1)),
                read if log.added() == 0 => read,
                _ => log.count_up_to(entry.id),
            };
            group.last_id = entry.id;
            if !self.reading.acknowledged {
                group.assign(entry.id, self.consumer, self.now, 1);
            }
            answer_entry(&entry, reply);
            ids.push(entry.id);
        }
        reply.close_array(place, ids.len());
        ids
    }

    /// Answers with what the consumer has to acknowledge; where an entry was deleted since, with its id and nothing.
    fn give_again(
        &self,
        behind: Id,
        slot: &mut Slot<'_>,
        record: &mut Record,
        reply: &mut Reply<'_>,
    ) -> Result<(), Refusal> {
        let key = slot.key();
        let stream = stream_of(slot.entry())?.ok_or(Refusal::NoSuchKey)?;
        let from = behind.next().unwrap_or(Id::MAX);
        let own = stream.group(self.group).and_then(|group| group.consumer(self.consumer));
        let own = own.into_iter().flat_map(|consumer| consumer.pending().range(from));
        let ids: Vec<Id> = own.map(|(id, ())| id).take(self.reading.most).collect();
        reply.array(ids.len());
        for id in &ids {
            match stream.log().get(*id) {
                Some(entry) => answer_entry(&entry, reply),
                None => {
                    reply.array(2);
                    answer_id(*id, reply);
                    reply.null_array();
                }
            }
        }
        let left: Vec<Id> = ids.into_iter().filter(|id| stream.log().contains(*id)).collect();
        if left.is_empty() {
            return Ok(());
        }
        change_aside(slot, |stream| {
            stream.change_group(self.group, |group, _| {
                for id in left {
                    let times = group.pending().get(id).map_or(1, |pending| pending.count.saturating_add(1));
                    group.assign(id, self.consumer, self.now, times);
                    record_delivery(record, (key, self.group, self.consumer), &[id], (self.now, times));
                }
            })
        })?;
        Ok(())
    }
}
