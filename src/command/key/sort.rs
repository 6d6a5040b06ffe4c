//! SORT key [BY pattern] [LIMIT offset count] [GET pattern …] [ASC | DESC] [ALPHA] [STORE destination] — the elements
//! of a list, set or sorted set in order, or what they lead to; SORT_RO is the same without STORE.
//!
//! BY and GET name keys that only the elements tell, so no lock could be taken for them before: everything stands still
//! while such a SORT runs, or one that stores, as everything does in Redis. Any other sorts a copy that shares the value's
//! parts, and holds nobody up.
//!
//! What is stored goes into the log as the list that it became. The command as it came would find other weights when it
//! is run again: a key that was out of date, but not yet removed, is still there at replay.
//!
//! Texts are compared by their bytes. Redis asks the locale, which on servers orders by bytes as well.

use std::cmp::Ordering;

use super::pattern::Pattern;
use crate::base::clock::Millis;
use crate::base::event;
use crate::base::number;
use crate::base::refusal::Refusal;
use crate::exec::effect::Record;
use crate::exec::{Args, Begin, Context, Effect, Find, Group, KeySpec, Run, Session, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::resp::request::Request;
use crate::table::{Expiry, Happening, Table};
use crate::value::{List, TextRef, Value};

pub(super) const SPECS: &[Spec] = &[
    SORT,
    Spec {
        name: "sort_ro",
        keys: &[KeySpec::first(key::RO | key::ACCESS)],
        flags: flag::READONLY | flag::MOVABLEKEYS | flag::EVERYTHING,
        since: "7.0.0",
        summary: "Sorts the elements of a list, set or sorted set and stores nothing.",
        syntax: "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA]",
        run: Run::Host(sort_ro),
        ..SORT
    },
];

const SORT: Spec = Spec {
    name: "sort",
    arity: -2,
    // The last STORE counts; no key specification can tell it from a key or pattern of that name.
    keys: &[
        KeySpec::first(key::RO | key::ACCESS),
        KeySpec {
            flags: key::OW | key::UPDATE,
            begin: Begin::Keyword("STORE", -2),
            find: Find::Range { last: 0, step: 1 },
        },
    ],
    flags: flag::WRITE | flag::DENYOOM | flag::MOVABLEKEYS | flag::EVERYTHING,
    acl: acl::SET | acl::SORTEDSET | acl::LIST | acl::DANGEROUS,
    group: Group::Generic,
    summary: "Sorts the elements of a list, set or sorted set, and may store them.",
    complexity: "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of \
                 returned elements. When the elements are not sorted, complexity is O(N).",
    syntax: "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA] \
             [STORE destination]",
    is_narrow: Some(is_narrow),
    run: Run::Host(sort),
    ..Spec::DEFAULT
};

/// Neither stores nor looks at other keys, as far as can be told without reading the options.
fn is_narrow(request: &Request<'_>) -> bool {
    let widens =
        |word: &[u8]| ["BY", "GET", "STORE"].iter().any(|name| word.eq_ignore_ascii_case(name.as_bytes()));
    !request.iter().skip(2).any(widens)
}

type Done = Result<Effect, Refusal>;

fn sort(args: &mut Args<'_>, ctx: &Context, session: &mut Session, reply: &mut Reply<'_>) -> Done {
    run(args, true, ctx, session, reply)
}

fn sort_ro(args: &mut Args<'_>, ctx: &Context, session: &mut Session, reply: &mut Reply<'_>) -> Done {
    run(args, false, ctx, session, reply)
}

fn run(
    args: &mut Args<'_>,
    may_store: bool,
    ctx: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Done {
    let (key, db) = (args.word()?, args.db());
    let mut order = Order::read(args, may_store)?;
    let lookup = Lookup { table: &ctx.table, db, now: args.now() };
    let source = lookup.value(key, !session.no_touch);
    if source.is_none() && ctx.table.is_heard() {
        let told = ctx.table.write(ctx.table.address(db, key), key, Millis::MIN, |slot| {
            slot.tell(event::KEY_MISS);
            slot.take_told()
        });
        session.outgoing.tell(told);
    }
    // What a script does must not depend on the order that a set happens to have, and neither must what is stored.
    if (session.in_script || order.store.is_some()) && matches!(source, Some(Value::Set(_))) {
        order.give_order();
    }
    let elements = order.sorted(source.as_ref(), &lookup)?;
    let Some(target) = order.store else {
        reply.array(elements.len() * order.get.len().max(1));
        order.each(&elements, &lookup, |found| match found {
            Some(text) => reply.bulk(text),
            None => reply.null(),
        });
        return Ok(Effect::None);
    };
    let (mut list, limit) = (List::new(), args.list_limit());
    // What a GET does not find is an empty element: a list has no null.
    order.each(&elements, &lookup, |found| list.push_back(found.unwrap_or_default(), limit));
    reply.int(list.len() as i64);
    let (effect, told) = store(&lookup, target, list);
    session.outgoing.tell(told);
    Ok(effect)
}

/// Elements in one RPUSH of the record: few enough that no reader needs to hold much of it at once.
const RECORD_ELEMENTS: usize = 1024;

/// Stores the list over whatever the key holds; an empty one removes the key. What happened to the key is for those who
/// listen.
fn store(lookup: &Lookup<'_>, target: &[u8], list: List) -> (Effect, Vec<Happening>) {
    let mut record = Record::default();
    let address = lookup.table.address(lookup.db, target);
    let told = lookup.table.write(address, target, Millis::MIN, |slot| {
        if slot.exists() {
            record.push([b"DEL", target]);
        }
        let elements: Vec<Vec<u8>> = list.iter().map(owned).collect();
        for chunk in elements.chunks(RECORD_ELEMENTS) {
            let mut words: Vec<&[u8]> = vec![b"RPUSH", target];
            words.extend(chunk.iter().map(Vec::as_slice));
            record.push_words(&words);
        }
        if list.is_empty() {
            slot.remove();
        } else {
            slot.put(list, Expiry::Clear);
            slot.tell(event::list("sortstore"));
        }
        slot.take_told()
    });
    (Effect::instead_if_any(record), told)
}

fn owned(text: TextRef<'_>) -> Vec<u8> {
    text.bytes(&mut itoa::Buffer::new()).to_vec()
}

/// Keys that no specification names, as they are at one time.
struct Lookup<'t> {
    table: &'t Table,
    db: usize,
    now: Millis,
}

impl Lookup<'_> {
    fn value(&self, key: &[u8], use_it: bool) -> Option<Value> {
        // Without a time, so that an expired key is not removed: that needs a record, which is the slot's owner's to
        // make.
        self.table.write(self.table.address(self.db, key), key, Millis::MIN, |slot| {
            if use_it {
                slot.mark_used();
            }
            slot.entry().filter(|entry| entry.expiry() > self.now).map(|entry| entry.to_value())
        })
    }

    fn find(&self, pattern: &Pattern<'_>, element: &[u8]) -> Option<Vec<u8>> {
        pattern.find(element, self.table, self.db, self.now)
    }
}

/// What the options ask for.
struct Order<'a> {
    /// What to compare instead of the elements.
    by: Option<Pattern<'a>>,
    /// The elements stay in the order that they have.
    unsorted: bool,
    descending: bool,
    /// Texts are compared, not numbers.
    alpha: bool,
    offset: i64,
    /// Negative: all there are.
    count: i64,
    get: Vec<Pattern<'a>>,
    store: Option<&'a [u8]>,
}

impl<'a> Order<'a> {
    fn read(args: &mut Args<'a>, may_store: bool) -> Result<Self, Refusal> {
        let mut order = Order {
            by: None,
            unsorted: false,
            descending: false,
            alpha: false,
            offset: 0,
            count: -1,
            get: Vec::new(),
            store: None,
        };
        while !args.is_done() {
            if args.accept("ASC") {
                order.descending = false;
            } else if args.accept("DESC") {
                order.descending = true;
            } else if args.accept("ALPHA") {
                order.alpha = true;
            } else if args.accept("LIMIT") {
                // A number that is missing is told before one that is wrong.
                if args.left() < 2 {
                    return Err(Refusal::Syntax);
                }
                (order.offset, order.count) = (args.int()?, args.int()?);
            } else if may_store && args.accept("STORE") {
                order.store = Some(args.word()?);
            } else if args.accept("BY") {
                // A pattern that is the same for all elements cannot order them, and says that nothing shall.
                match args.word()? {
                    pattern if pattern.contains(&b'*') => order.by = Some(Pattern::new(pattern)),
                    _ => order.unsorted = true,
                }
            } else if args.accept("GET") {
                order.get.push(Pattern::new(args.word()?));
            } else {
                return Err(Refusal::Syntax);
            }
        }
        Ok(order)
    }

    /// Sorts as text what would be left as it is.
    fn give_order(&mut self) {
        if self.unsorted {
            (self.unsorted, self.alpha, self.by) = (false, true, None);
        }
    }

    /// The elements asked for, in the order asked for.
    fn sorted(&self, source: Option<&Value>, lookup: &Lookup<'_>) -> Result<Vec<Vec<u8>>, Refusal> {
        let length = match source {
            None => return Ok(Vec::new()),
            Some(Value::List(list)) => list.len(),
            Some(Value::Set(set)) => set.len(),
            Some(Value::ZSet(zset)) => zset.len(),
            Some(_) => return Err(Refusal::WrongType),
        };
        let range = self.range(length);
        let wanted = if self.unsorted { range.clone() } else { 0..length };
        let (skip, take) = (wanted.start, wanted.len());
        let mut elements: Vec<Vec<u8>> = match source {
            // Lists and sorted sets have an order of their own, and so have it in both directions.
            Some(Value::List(list)) if self.unsorted && self.descending => {
                list.range_back(skip, take).map(owned).collect()
            }
            Some(Value::ZSet(zset)) if self.unsorted && self.descending => {
                zset.range(zset.mirrored(wanted)).rev().map(|(member, _)| owned(member)).collect()
            }
            Some(Value::List(list)) => list.range(skip, take).map(owned).collect(),
            Some(Value::Set(set)) => set.iter().skip(skip).take(take).map(owned).collect(),
            Some(Value::ZSet(zset)) => zset.range(wanted).map(|(member, _)| owned(member)).collect(),
            _ => Vec::new(),
        };
        if self.unsorted {
            return Ok(elements);
        }
        elements = self.put_in_order(elements, |pattern, element| lookup.find(pattern, element))?;
        elements.truncate(range.end);
        elements.drain(..range.start.min(elements.len()));
        Ok(elements)
    }

    /// LIMIT, as a range within `length`.
    fn range(&self, length: usize) -> std::ops::Range<usize> {
        let start = usize::try_from(self.offset.max(0)).unwrap_or(usize::MAX).min(length);
        let count = usize::try_from(self.count).unwrap_or(usize::MAX);
        start..start.saturating_add(count).min(length)
    }

    /// Sorts. Elements whose keys compare equal are ordered by their own bytes.
    fn put_in_order(
        &self,
        elements: Vec<Vec<u8>>,
        weight: impl Fn(&Pattern<'_>, &[u8]) -> Option<Vec<u8>>,
    ) -> Result<Vec<Vec<u8>>, Refusal> {
        let directed = |order: Ordering| if self.descending { order.reverse() } else { order };
        match (&self.by, self.alpha) {
            (None, true) => {
                let mut elements = elements;
                elements.sort_unstable_by(|a, b| directed(a.cmp(b)));
                Ok(elements)
            }
            (Some(by), true) => {
                let weights = elements.into_iter().map(|element| (weight(by, &element), element));
                let mut weighed: Vec<(Option<Vec<u8>>, Vec<u8>)> = weights.collect();
                weighed.sort_unstable_by(|a, b| directed(a.cmp(b)));
                Ok(weighed.into_iter().map(|(_, element)| element).collect())
            }
            (by, false) => {
                let score = |element: &[u8]| match by {
                    None => parse_score(element),
                    // What weighs nothing is in the middle.
                    Some(by) => weight(by, element).map_or(Ok(0.0), |text| parse_score(&text)),
                };
                let mut weighed = elements
                    .into_iter()
                    .map(|element| Ok((score(&element)?, element)))
                    .collect::<Result<Vec<(f64, Vec<u8>)>, Refusal>>()?;
                weighed.sort_unstable_by(|a, b| {
                    let by_score = a.0.partial_cmp(&b.0).unwrap_or(Ordering::Equal);
                    directed(by_score.then_with(|| a.1.cmp(&b.1)))
                });
                Ok(weighed.into_iter().map(|(_, element)| element).collect())
            }
        }
    }

    /// Visits what GET finds with each element, or the elements themselves without GET.
    fn each(&self, elements: &[Vec<u8>], lookup: &Lookup<'_>, mut visit: impl FnMut(Option<&[u8]>)) {
        for element in elements {
            if self.get.is_empty() {
                visit(Some(element));
            }
            for pattern in &self.get {
                visit(lookup.find(pattern, element).as_deref());
            }
        }
    }
}

/// Reads a number as the C library's `strtod` does, which Redis asks: after any blanks, and the empty text as 0.
fn parse_score(text: &[u8]) -> Result<f64, Refusal> {
    if text.is_empty() {
        return Ok(0.0);
    }
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let blanks = text.iter().take_while(|byte| is_blank(byte)).count();
    number::parse_f64(&text[blanks..])
        .ok_or(Refusal::line("ERR One or more scores can't be converted into double"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::request::OwnedRequest;
    use proptest::prelude::*;

    fn order<'a>(request: &'a OwnedRequest) -> Result<Order<'a>, Refusal> {
        Order::read(&mut Args::looking(request.as_request(), 2), true)
    }

    fn request(options: &str) -> OwnedRequest {
        OwnedRequest::from_args(format!("SORT key {options}").split_whitespace())
    }

    #[test]
    fn a_limit_is_cut_to_what_is_there() {
        for (options, expected) in [
            ("", 0..10),
            ("LIMIT 2 3", 2..5),
            ("LIMIT -5 2", 0..2),
            ("LIMIT 8 -1", 8..10),
            ("LIMIT 8 5", 8..10),
            ("LIMIT 3 0", 3..3),
            ("LIMIT 99 1", 10..10),
            ("LIMIT 9223372036854775807 9223372036854775807", 10..10),
            ("LIMIT 1 1 LIMIT 2 2", 2..4),
        ] {
            assert_eq!(order(&request(options)).unwrap().range(10), expected, "{options}");
        }
    }

    #[test]
    fn what_may_look_at_other_keys_or_store_is_not_narrow() {
        for (options, expected) in [
            ("", true),
            ("ALPHA DESC LIMIT 0 5", true),
            ("get #", false),
            ("By w*", false),
            ("LIMIT 0 1 store k", false),
        ] {
            assert_eq!(is_narrow(&request(options).as_request()), expected, "{options}");
        }
    }

    #[test]
    fn the_first_mistake_is_told() {
        for (options, refusal) in [
            ("LIMIT 1", Refusal::Syntax),
            ("LIMIT a", Refusal::Syntax),
            ("LIMIT a b nonsense", Refusal::NotInteger),
            ("nonsense LIMIT a b", Refusal::Syntax),
            ("BY", Refusal::Syntax),
            ("GET", Refusal::Syntax),
            ("STORE", Refusal::Syntax),
        ] {
            assert_eq!(order(&request(options)).err(), Some(refusal), "{options}");
        }
    }

    #[test]
    fn numbers_are_read_as_leniently_as_redis_does() {
        let number = |text: &[u8]| parse_score(text).ok();
        assert_eq!(number(b""), Some(0.0));
        assert_eq!(number(b" \t-1.5e1"), Some(-15.0));
        assert_eq!(number(b"-inf"), Some(f64::NEG_INFINITY));
        for bad in [&b" "[..], b"1 ", b"x", b"nan", b"1e999"] {
            assert_eq!(number(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn elements_come_by_weight_then_by_themselves(
            weights in prop::collection::btree_map("[a-c]{1,2}", prop::option::of(-2..3_i32), 0..9),
            alpha in any::<bool>(),
            descending in any::<bool>(),
        ) {
            let options = format!("BY * {} {}", ["", "ALPHA"][usize::from(alpha)], ["", "DESC"][usize::from(descending)]);
            let request = request(&options);
            let elements = weights.keys().rev().map(|element| element.clone().into_bytes()).collect();
            let text = |element: &[u8]| weights[std::str::from_utf8(element).unwrap()].map(|weight| weight.to_string());
            let sorted = order(&request).unwrap().put_in_order(elements, |_, element| text(element).map(String::into_bytes)).unwrap();
            let mut expected: Vec<Vec<u8>> = weights.keys().map(|element| element.clone().into_bytes()).collect();
            match alpha {
                true => expected.sort_by_key(|element| text(element)),
                false => expected.sort_by_key(|element| text(element).map_or(0, |weight| weight.parse::<i32>().unwrap())),
            }
            if descending {
                expected.reverse();
            }
            prop_assert_eq!(sorted, expected);
        }
    }
}
