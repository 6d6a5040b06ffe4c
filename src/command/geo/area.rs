//! What lies within a circle or a box: found in the nine cells around its middle.
//!
//! The cells are as small as they may be so that nine of them, three by three, hold all of the area. Near the poles a cell is
//! narrower than it is high, so larger ones are taken there. Those of the nine that the area does not reach are left out.

use std::ops::Bound;

use super::cell::{Borders, Cell, EARTH_RADIUS, LATITUDE_MAX, Point, STEPS_MAX};
use crate::value::zset::ScoreRange;
use crate::value::{TextRef, ZSet};

/// Half of the earth's girth at the equator in metres: with one step there are two cells from west to east.
const HALF_GIRTH: f64 = 20_037_726.37;

/// An area around a place, in metres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Shape {
    Circle { radius: f64 },
    Box { width: f64, height: f64 },
}

/// Something that lies in an area.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<'z> {
    pub(super) member: TextRef<'z>,
    pub(super) score: f64,
    pub(super) point: Point,
    /// Metres from the middle.
    pub(super) distance: f64,
}

impl Shape {
    /// The distance of a place from the middle, if it lies in the area.
    fn distance(self, middle: Point, point: Point) -> Option<f64> {
        match self {
            Shape::Circle { radius } => Some(middle.distance(point)).filter(|distance| *distance <= radius),
            Shape::Box { width, height } => {
                let north = EARTH_RADIUS * (point.latitude.to_radians() - middle.latitude.to_radians()).abs();
                let east = || point.distance(Point { longitude: middle.longitude, ..point });
                (north <= height / 2.0 && east() <= width / 2.0).then(|| middle.distance(point))
            }
        }
    }

    /// Half of its width and of its height, and the radius of a circle around it.
    fn halves(self) -> (f64, f64, f64) {
        match self {
            Shape::Circle { radius } => (radius, radius, radius),
            Shape::Box { width, height } => (width / 2.0, height / 2.0, width.hypot(height) / 2.0),
        }
    }

    /// The borders of a box of degrees around it, as far as it needs them on its wider side.
    fn borders(self, middle: Point) -> Borders {
        let (width, height, _) = self.halves();
        let up = (height / EARTH_RADIUS).to_degrees();
        let across = |latitude: f64| (width / EARTH_RADIUS / latitude.to_radians().cos()).to_degrees();
        // Degrees are narrower towards the pole.
        let away = if middle.latitude < 0.0 { middle.latitude - up } else { middle.latitude + up };
        Borders {
            west: middle.longitude - across(away),
            east: middle.longitude + across(away),
            south: middle.latitude - up,
            north: middle.latitude + up,
        }
    }

    /// The cells that may hold something of it, each once: the one in the middle, those beside it, those at the corners.
    fn cells(self, middle: Point) -> Vec<Cell> {
        const BESIDE: [(i32, i32); 9] =
            [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];
        let (_, _, radius) = self.halves();
        let mut steps = steps_for(radius, middle.latitude);
        let outer = self.borders(middle);
        if steps > 1 && !reaches_around(Cell::around(middle, steps, LATITUDE_MAX), outer) {
            steps -= 1;
        }
        let center = Cell::around(middle, steps, LATITUDE_MAX);
        let inner = center.borders();
        let is_reached = |&(east, north): &(i32, i32)| {
            // With one step all cells are neighbours, on both sides.
            steps < 2
                || !(north < 0 && inner.south < outer.south
                    || north > 0 && inner.north > outer.north
                    || east < 0 && inner.west < outer.west
                    || east > 0 && inner.east > outer.east)
        };
        let mut cells = Vec::with_capacity(BESIDE.len());
        for (east, north) in BESIDE.into_iter().filter(is_reached) {
            let cell = center.beside(east, north);
            if !cells.contains(&cell) {
                cells.push(cell);
            }
        }
        cells
    }

    /// What of a set lies in it: all, or as soon as `enough` are found, these.
    pub(super) fn search(self, zset: &ZSet, middle: Point, enough: usize) -> Vec<Found<'_>> {
        let mut found = Vec::new();
        for cell in self.cells(middle) {
            let (min, max) = cell.scores();
            let scores = ScoreRange { min: Bound::Included(min), max: Bound::Excluded(max) };
            for (member, score) in zset.range(zset.span_by_score(&scores)) {
                let point = Point::of(score);
                if let Some(distance) = self.distance(middle, point) {
                    found.push(Found { member, score, point, distance });
                    if found.len() == enough {
                        return found;
                    }
                }
            }
        }
        found
    }
}

/// The most steps with which a cell is no narrower than a radius, near enough.
fn steps_for(radius: f64, latitude: f64) -> u32 {
    if radius == 0.0 {
        return STEPS_MAX;
    }
    let mut steps = 1;
    let mut reach = radius;
    while reach < HALF_GIRTH {
        reach *= 2.0;
        steps += 1;
    }
    // So that the area is held in most cases, wherever in the cell its middle lies.
    let narrower = match latitude.abs() {
        80.0.. => 2,
        66.0.. => 1,
        _ => 0,
    };
    (steps - 2 - narrower).clamp(1, STEPS_MAX as i32) as u32
}

/// Whether a cell and those beside it go as far as these borders on all sides.
fn reaches_around(cell: Cell, outer: Borders) -> bool {
    let (upper, lower) = (cell.beside(1, 1).borders(), cell.beside(-1, -1).borders());
    upper.north >= outer.north
        && lower.south <= outer.south
        && upper.east >= outer.east
        && lower.west <= outer.west
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::value::zset::Thresholds;

    proptest! {
        #[test]
        fn a_search_finds_what_a_look_at_each_place_finds(
            places in proptest::collection::vec((-180.0..180.0_f64, -85.0..85.0_f64), 0..300),
            middle in (-180.0..180.0_f64, -85.0..85.0_f64),
            size in prop_oneof![1.0..1e5_f64, 1e5..1e7_f64],
            ratio in 0.1..10.0_f64,
            is_box: bool,
        ) {
            let middle = Point { longitude: middle.0, latitude: middle.1 };
            // Beyond, an area reaches over a pole or around the earth, and Redis does not find all either.
            prop_assume!(middle.latitude.abs() + (size * 1.5 / EARTH_RADIUS).to_degrees() < 75.0);
            prop_assume!(middle.longitude.abs() + (size * 6.0 / EARTH_RADIUS).to_degrees() < 180.0);
            let shape = if is_box {
                Shape::Box { width: size.min(size * ratio), height: size.min(size / ratio) }
            } else {
                Shape::Circle { radius: size }
            };
            let mut zset = ZSet::new();
            let limits = Thresholds { entries: 8, value_bytes: 64 };
            let mut expected = Vec::new();
            for (number, &(longitude, latitude)) in places.iter().enumerate() {
                // Half of them near by.
                let near = |value: f64, middle: f64| if number % 2 == 0 { value } else { middle + value / 20.0 };
                let point = Point {
                    longitude: near(longitude, middle.longitude).clamp(-180.0, 180.0),
                    latitude: near(latitude, middle.latitude).clamp(-85.0, 85.0),
                };
                let name = number.to_string();
                zset.insert(name.as_bytes(), point.score(), &limits);
                if shape.distance(middle, Point::of(point.score())).is_some() {
                    expected.push(number as i64);
                }
            }
            let mut found: Vec<i64> = shape
                .search(&zset, middle, usize::MAX)
                .iter()
                .map(|found| String::from_utf8_lossy(found.member.bytes(&mut itoa::Buffer::new())).parse().unwrap())
                .collect();
            found.sort_unstable();
            prop_assert_eq!(found, expected);
        }
    }
}
