//! What GEORADIUS and GEOSEARCH and their kin have in common: their options, the search, and the answer.
//!
//! ```text
//! WITHCOORD, WITHDIST, WITHHASH   the place, the distance, the score of each
//! COUNT n [ANY]                   the nearest so many; with ANY the first that are found
//! ASC | DESC                      the nearest first, or the farthest
//! STORE key, STOREDIST key        GEORADIUS keeps what it finds, with the places or the distances as scores
//! STOREDIST                       GEOSEARCHSTORE keeps the distances
//! ```

use super::area::{Found, Shape};
use super::cell::Point;
use super::{answer_distance, answer_point, point, unit};
use crate::base::refusal::Refusal;
use crate::command::zset::answer_member;
use crate::exec::Args;
use crate::resp::reply::Reply;
use crate::value::ZSet;
use crate::value::zset::Thresholds;

/// Which of the commands it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// GEORADIUS and GEORADIUSBYMEMBER; whether it may store.
    Radius { stores: bool },
    /// GEOSEARCH.
    Search,
    /// GEOSEARCHSTORE.
    SearchStore,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Nearest,
    Farthest,
}

/// A search.
pub(super) struct Query<'a> {
    /// None where there is no set, whose members need not be looked for then.
    middle: Option<Point>,
    shape: Shape,
    /// Metres.
    unit: f64,
    with_point: bool,
    with_distance: bool,
    with_score: bool,
    order: Option<Order>,
    count: usize,
    any: bool,
    /// The key that gets the result.
    pub(super) target: Option<&'a [u8]>,
    stores_distances: bool,
}

/// Where a circle's middle is given by a member.
fn member_point(zset: Option<&ZSet>, member: &[u8]) -> Result<Option<Point>, Refusal> {
    let Some(zset) = zset else { return Ok(None) };
    let score = zset.score(member).ok_or(Refusal::line("ERR could not decode requested zset member"))?;
    Ok(Some(Point::of(score)))
}

/// Reads a radius and its unit.
fn circle(args: &mut Args<'_>) -> Result<(Shape, f64), Refusal> {
    let radius = args.float().map_err(|_| Refusal::line("ERR need numeric radius"))?;
    if radius < 0.0 {
        return Err(Refusal::line("ERR radius cannot be negative"));
    }
    let unit = unit(args)?;
    Ok((Shape::Circle { radius: radius * unit }, unit))
}

/// Reads width, height and their unit.
fn rectangle(args: &mut Args<'_>) -> Result<(Shape, f64), Refusal> {
    let width = args.float().map_err(|_| Refusal::line("ERR need numeric width"))?;
    let height = args.float().map_err(|_| Refusal::line("ERR need numeric height"))?;
    if width < 0.0 || height < 0.0 {
        return Err(Refusal::line("ERR height or width cannot be negative"));
    }
    let unit = unit(args)?;
    Ok((Shape::Box { width: width * unit, height: height * unit }, unit))
}

impl<'a> Query<'a> {
    /// The query of a GEORADIUS, whose middle is known.
    pub(super) fn radius(middle: Point, args: &mut Args<'a>, stores: bool) -> Result<Self, Refusal> {
        let shape = circle(args)?;
        Self::read(args, Form::Radius { stores }, (Some(Some(middle)), Some(shape)), None)
    }

    /// The query of a GEORADIUSBYMEMBER. Without a set radius and unit are not looked at, as in Redis.
    pub(super) fn radius_of_member(
        args: &mut Args<'a>,
        zset: Option<&ZSet>,
        stores: bool,
    ) -> Result<Self, Refusal> {
        let member = args.word()?;
        if let Some(middle) = member_point(zset, member)? {
            return Self::radius(middle, args, stores);
        }
        let (_radius, _unit) = (args.word()?, args.word()?);
        let nothing = (Shape::Circle { radius: 0.0 }, 1.0);
        Self::read(args, Form::Radius { stores }, (Some(None), Some(nothing)), None)
    }

    /// The query of a GEOSEARCH over a set, or of none where that is not there.
    pub(super) fn search(args: &mut Args<'a>, form: Form, zset: Option<&ZSet>) -> Result<Self, Refusal> {
        Self::read(args, form, (None, None), zset)
    }

    fn read(
        args: &mut Args<'a>,
        form: Form,
        (mut middle, mut shape): (Option<Option<Point>>, Option<(Shape, f64)>),
        zset: Option<&ZSet>,
    ) -> Result<Self, Refusal> {
        let searches = !matches!(form, Form::Radius { .. });
        let may_store = form == Form::Radius { stores: true };
        let mut query = Query {
            middle: None,
            shape: Shape::Circle { radius: 0.0 },
            unit: 1.0,
            with_point: false,
            with_distance: false,
            with_score: false,
            order: None,
            count: 0,
            any: false,
            target: None,
            stores_distances: false,
        };
        // Either may be given again, but not both.
        let (mut from_member, mut from_place, mut by_circle, mut by_box) = (false, false, false, false);
        while !args.is_done() {
            // Words behind the next one.
            let behind = args.left() - 1;
            match () {
                () if args.accept("WITHDIST") => query.with_distance = true,
                () if args.accept("WITHHASH") => query.with_score = true,
                () if args.accept("WITHCOORD") => query.with_point = true,
                () if args.accept("ANY") => query.any = true,
                () if args.accept("ASC") => query.order = Some(Order::Nearest),
                () if args.accept("DESC") => query.order = Some(Order::Farthest),
                () if behind >= 1 && args.accept("COUNT") => {
                    query.count = usize::try_from(args.int()?).unwrap_or(0);
                    if query.count == 0 {
                        return Err(Refusal::line("ERR COUNT must be > 0"));
                    }
                }
                () if may_store && behind >= 1 && args.accept("STORE") => {
                    (query.target, query.stores_distances) = (Some(args.word()?), false);
                }
                () if may_store && behind >= 1 && args.accept("STOREDIST") => {
                    (query.target, query.stores_distances) = (Some(args.word()?), true);
                }
                () if form == Form::SearchStore && args.accept("STOREDIST") => query.stores_distances = true,
                () if searches && behind >= 1 && !from_place && args.accept("FROMMEMBER") => {
                    from_member = true;
                    middle = Some(member_point(zset, args.word()?)?);
                }
                () if searches && behind >= 2 && !from_member && args.accept("FROMLONLAT") => {
                    from_place = true;
                    middle = Some(Some(point(args)?));
                }
                () if searches && behind >= 2 && !by_box && args.accept("BYRADIUS") => {
                    by_circle = true;
                    shape = Some(circle(args)?);
                }
                () if searches && behind >= 3 && !by_circle && args.accept("BYBOX") => {
                    by_box = true;
                    shape = Some(rectangle(args)?);
                }
                () => return Err(Refusal::Syntax),
            }
        }
        let has_with = query.with_point || query.with_distance || query.with_score;
        if has_with && (query.target.is_some() || form == Form::SearchStore) {
            let who = if searches { "GEOSEARCHSTORE" } else { "STORE option in GEORADIUS" };
            return Err(Refusal::err(format!(
                "{who} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            )));
        }
        // As the client wrote it.
        let name = String::from_utf8_lossy(args.request().name());
        let exactly =
            |these: &str| Refusal::err(format!("exactly one of {these} can be specified for {name}"));
        query.middle = middle.ok_or_else(|| exactly("FROMMEMBER or FROMLONLAT"))?;
        (query.shape, query.unit) = shape.ok_or_else(|| exactly("BYRADIUS and BYBOX"))?;
        if query.any && query.count == 0 {
            return Err(Refusal::line("ERR the ANY argument requires COUNT argument"));
        }
        if query.count > 0 && query.order.is_none() && !query.any {
            query.order = Some(Order::Nearest);
        }
        Ok(query)
    }

    /// What it finds, in the order that it is wanted in.
    pub(super) fn find<'z>(&self, zset: Option<&'z ZSet>) -> Vec<Found<'z>> {
        let Some((zset, middle)) = zset.zip(self.middle) else { return Vec::new() };
        let limit = if self.count == 0 { usize::MAX } else { self.count };
        let mut found = self.shape.search(zset, middle, if self.any { limit } else { usize::MAX });
        match self.order {
            None => {}
            Some(Order::Nearest) => found.sort_by(|a, b| a.distance.total_cmp(&b.distance)),
            Some(Order::Farthest) => found.sort_by(|a, b| b.distance.total_cmp(&a.distance)),
        }
        found.truncate(limit);
        found
    }

    pub(super) fn answer(&self, found: &[Found<'_>], reply: &mut Reply<'_>) {
        let with = [self.with_distance, self.with_score, self.with_point];
        let parts = 1 + with.into_iter().filter(|&is_wanted| is_wanted).count();
        reply.array(found.len());
        for found in found {
            if parts > 1 {
                reply.array(parts);
            }
            answer_member(found.member, reply);
            if self.with_distance {
                answer_distance(found.distance / self.unit, reply);
            }
            if self.with_score {
                reply.int(found.score as i64);
            }
            if self.with_point {
                answer_point(found.point, reply);
            }
        }
    }

    /// The sorted set that is to be stored.
    pub(super) fn result(&self, found: &[Found<'_>], limits: &Thresholds) -> ZSet {
        let mut zset = ZSet::with_capacity(found.len(), limits);
        for found in found {
            let score = if self.stores_distances { found.distance / self.unit } else { found.score };
            zset.insert(found.member.bytes(&mut itoa::Buffer::new()), score, limits);
        }
        zset
    }
}
