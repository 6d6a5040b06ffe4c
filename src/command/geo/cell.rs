//! Geohashes: cells of a grid over the earth, and the numbers that they have.
//!
//! With each step every cell is cut in four. The number of a cell has two bits for each step, which take turns: of where it
//! lies from west to east (the higher of two), and from south to north. So all cells within a cell have numbers that begin as
//! its own. With 26 steps a number has 52 bits, which a score holds exactly; such a cell is 0.6 m wide or less.

/// Steps of the cells that are scores.
pub(super) const STEPS_MAX: u32 = 26;
pub(super) const LONGITUDE_MAX: f64 = 180.0;
/// That of the square maps of the web; the poles are beyond it.
pub(super) const LATITUDE_MAX: f64 = 85.051_128_78;
/// In metres, as Redis takes it.
pub(super) const EARTH_RADIUS: f64 = 6_372_797.560_856;

/// A place, in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) longitude: f64,
    pub(super) latitude: f64,
}

/// A cell: how far it is from the western and the southern border, in cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) east: u32,
    pub(super) north: u32,
    /// 1 to 26.
    pub(super) steps: u32,
}

/// The borders of a cell, in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Borders {
    pub(super) west: f64,
    pub(super) east: f64,
    pub(super) south: f64,
    pub(super) north: f64,
}

impl Point {
    /// The score of the smallest cell around it.
    pub(super) fn score(self) -> f64 {
        Cell::around(self, STEPS_MAX, LATITUDE_MAX).number() as f64
    }

    /// The middle of the cell with this score.
    pub(super) fn of(score: f64) -> Point {
        // Any score may be asked for; one that is no place's is where Redis has it.
        let number = if score < i64::MAX as f64 { score as i64 as u64 } else { 0 };
        let Borders { west, east, south, north } = Cell::of(number, STEPS_MAX).borders();
        Point {
            longitude: ((west + east) / 2.0).clamp(-LONGITUDE_MAX, LONGITUDE_MAX),
            latitude: ((south + north) / 2.0).clamp(-LATITUDE_MAX, LATITUDE_MAX),
        }
    }

    /// Metres to another place along the earth, which counts as a ball.
    pub(super) fn distance(self, other: Point) -> f64 {
        let (one, two) = (self.latitude.to_radians(), other.latitude.to_radians());
        let across = ((other.longitude.to_radians() - self.longitude.to_radians()) / 2.0).sin();
        if across == 0.0 {
            return EARTH_RADIUS * (two - one).abs();
        }
        let along = ((two - one) / 2.0).sin();
        2.0 * EARTH_RADIUS * (along * along + one.cos() * two.cos() * across * across).sqrt().min(1.0).asin()
    }

    /// The standard geohash of eleven letters, in which the poles have their places.
    pub(super) fn letters(self) -> [u8; 11] {
        const LETTERS: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
        const LATITUDE_OF_ALL: f64 = 90.0;
        let number = Cell::around(self, STEPS_MAX, LATITUDE_OF_ALL).number();
        // Ten letters are fifty bits. For an eleventh there are not enough.
        std::array::from_fn(|at| match at {
            10 => LETTERS[0],
            _ => LETTERS[(number >> (47 - 5 * at)) as usize & 31],
        })
    }
}

impl Cell {
    /// The cell around a place, where the grid ends at this latitude.
    pub(super) fn around(point: Point, steps: u32, latitude_max: f64) -> Cell {
        let part = |value: f64, max: f64| ((value + max) / (max + max) * f64::from(1 << steps)) as u32;
        Cell { east: part(point.longitude, LONGITUDE_MAX), north: part(point.latitude, latitude_max), steps }
    }

    /// The cell with a number.
    fn of(number: u64, steps: u32) -> Cell {
        Cell { east: every_other(number >> 1), north: every_other(number), steps }
    }

    /// Its number, of two bits for each step.
    pub(super) fn number(self) -> u64 {
        spread(self.east) << 1 | spread(self.north)
    }

    pub(super) fn borders(self) -> Borders {
        let count = (1_u64 << self.steps) as f64;
        let place = |cells: f64, max: f64| -max + cells / count * (max + max);
        let (east, north) = (f64::from(self.east), f64::from(self.north));
        Borders {
            west: place(east, LONGITUDE_MAX),
            east: place(east + 1.0, LONGITUDE_MAX),
            south: place(north, LATITUDE_MAX),
            north: place(north + 1.0, LATITUDE_MAX),
        }
    }

    /// The cell so many cells to the east and to the north; beyond a border it goes on at the one across. What lies on the
    /// eastern or northern border itself has a cell of its own beyond it, in which alone it is found.
    pub(super) fn beside(self, east: i32, north: i32) -> Cell {
        let mask = (1_u32 << self.steps) - 1;
        let moved = |at: u32, by: i32| if by == 0 { at } else { at.wrapping_add_signed(by) & mask };
        Cell { east: moved(self.east, east), north: moved(self.north, north), ..self }
    }

    /// The scores of all that lies in it: from, and up to but without.
    pub(super) fn scores(self) -> (f64, f64) {
        let shift = 2 * (STEPS_MAX - self.steps);
        ((self.number() << shift) as f64, ((self.number() + 1) << shift) as f64)
    }
}

/// The bits with a gap before each.
fn spread(bits: u32) -> u64 {
    let mut spread = u64::from(bits);
    for (shift, mask) in [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ] {
        spread = (spread | spread << shift) & mask;
    }
    spread
}

/// Every second bit, from the lowest on.
fn every_other(spread: u64) -> u32 {
    let mut bits = spread & 0x5555_5555_5555_5555;
    for (shift, mask) in [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff),
    ] {
        bits = (bits | bits >> shift) & mask;
    }
    bits as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_score_is_within_a_metre_of_its_place(longitude in -180.0..180.0, latitude in -85.0..85.0) {
            let point = Point { longitude, latitude };
            let found = Point::of(point.score());
            prop_assert!(point.distance(found) < 0.5, "{found:?}");
            prop_assert_eq!(found.score(), point.score());
        }

        #[test]
        fn what_lies_in_a_cell_has_its_scores(longitude in -180.0..180.0, latitude in -85.0..85.0, steps in 1_u32..=26) {
            let point = Point { longitude, latitude };
            let cell = Cell::around(point, steps, LATITUDE_MAX);
            let (from, to) = cell.scores();
            prop_assert!((from..to).contains(&point.score()));
            let Borders { west, east, south, north } = cell.borders();
            prop_assert!(west <= longitude && longitude <= east && south <= latitude && latitude <= north);
            prop_assert_eq!(cell.beside(1, -1).beside(-1, 1), cell);
        }

        #[test]
        fn bits_that_were_spread_come_back(bits: u32) {
            prop_assert_eq!(every_other(spread(bits)), bits);
            prop_assert_eq!(spread(bits) & 0xaaaa_aaaa_aaaa_aaaa, 0);
        }
    }

    #[test]
    fn known_places() {
        let palermo = Point { longitude: 13.361389, latitude: 38.115556 };
        let catania = Point { longitude: 15.087269, latitude: 37.502669 };
        assert_eq!(palermo.score(), 3_479_099_956_230_698.0);
        assert_eq!(Point::of(palermo.score()).letters(), *b"sqc8b49rny0");
        let distance = Point::of(palermo.score()).distance(Point::of(catania.score()));
        assert!((distance - 166_274.151_6).abs() < 0.001, "{distance}");
        let corner = Point { longitude: 180.0, latitude: LATITUDE_MAX };
        assert_eq!(corner.score(), 13_510_798_882_111_488.0);
        let on_border = Cell::around(corner, STEPS_MAX, LATITUDE_MAX);
        assert_eq!(on_border.beside(0, 0).scores().0, corner.score());
    }
}
