//! Places on the earth: sorted sets whose scores are places, and what lies near one.
//!
//! A score is a geohash of 52 bits (see `cell`), so places near each other have scores near each other, mostly: what is near is
//! found in a few ranges of scores (see `area`). ZRANGE, ZREM and all else work on such a set as well.

mod area;
mod cell;
mod geoadd;
mod geodist;
mod geohash;
mod geopos;
mod georadius;
mod geosearch;
mod query;

use crate::base::refusal::Refusal;
use crate::exec::{Args, Group, Spec, acl, flag};
use crate::resp::reply::{Proto, Reply};
use cell::{LATITUDE_MAX, LONGITUDE_MAX, Point};

pub(super) const FAMILY: &[&[Spec]] =
    &[geoadd::SPECS, geodist::SPECS, geohash::SPECS, geopos::SPECS, georadius::SPECS, geosearch::SPECS];

/// What the rows of those that read say alike.
const READS: Spec =
    Spec { arity: -2, flags: flag::READONLY, acl: acl::GEO, group: Group::Geo, ..Spec::DEFAULT };

/// Reads longitude and latitude.
fn point(args: &mut Args<'_>) -> Result<Point, Refusal> {
    let (longitude, latitude) = (args.float()?, args.float()?);
    if longitude.abs() <= LONGITUDE_MAX && latitude.abs() <= LATITUDE_MAX {
        Ok(Point { longitude, latitude })
    } else {
        Err(Refusal::err(format!("invalid longitude,latitude pair {longitude:.6},{latitude:.6}")))
    }
}

/// Reads a unit of length: so many metres.
fn unit(args: &mut Args<'_>) -> Result<f64, Refusal> {
    match args.word()?.to_ascii_lowercase().as_slice() {
        b"m" => Ok(1.0),
        b"km" => Ok(1000.0),
        b"ft" => Ok(0.3048),
        b"mi" => Ok(1609.34),
        _ => Err(Refusal::line("ERR unsupported unit provided. please use M, KM, FT, MI")),
    }
}

fn answer_distance(distance: f64, reply: &mut Reply<'_>) {
    let parts = (distance * 10_000.0).round_ties_even() as i64;
    reply.bulk(format!("{}.{:04}", parts / 10_000, parts % 10_000).as_bytes());
}

fn answer_point(point: Point, reply: &mut Reply<'_>) {
    reply.array(2);
    for degrees in [point.longitude, point.latitude] {
        let text = format!("{degrees:.17}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        match reply.proto() {
            Proto::Resp3 => reply.raw(format!(",{text}\r\n").as_bytes()),
            Proto::Resp2 => reply.bulk(text.as_bytes()),
        }
    }
}
