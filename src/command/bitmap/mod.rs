//! Bitmaps: strings seen as rows of bits, the first bit being the highest of the first byte.

mod bitcount;
mod bitfield;
mod bitop;
mod bitpos;
mod getbit;
mod setbit;
mod span;

use crate::base::limits;
use crate::base::number;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Spec};
use crate::table::Slot;

pub(super) const FAMILY: &[&[Spec]] =
    &[bitcount::SPECS, bitfield::SPECS, bitop::SPECS, bitpos::SPECS, getbit::SPECS, setbit::SPECS];

const OFFSET: Refusal = Refusal::line("ERR bit offset is not an integer or out of range");

/// Where a bit lies in a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    byte: usize,
    /// Its only bit set.
    mask: u8,
}

impl Place {
    /// Reads an offset: one that could lie in no string is refused.
    fn read(args: &mut Args<'_>) -> Result<Place, Refusal> {
        offset(args.word()?, 1).map(Place::of)
    }

    /// The place of a bit, counted from the string's first.
    fn of(bit: usize) -> Place {
        Place { byte: bit / 8, mask: 0x80 >> (bit % 8) }
    }

    /// The bit there; what lies beyond the end is 0.
    fn is_set(self, bytes: &[u8]) -> bool {
        bytes.get(self.byte).is_some_and(|byte| byte & self.mask != 0)
    }

    /// Sets or clears the bit; bytes that are lacking are added as zeros.
    fn put(self, bytes: &mut Vec<u8>, on: bool) {
        if bytes.len() <= self.byte {
            bytes.resize(self.byte + 1, 0);
        }
        if let Some(byte) = bytes.get_mut(self.byte) {
            *byte = if on { *byte | self.mask } else { *byte & !self.mask };
        }
    }
}

/// A bit offset that is given as a number of steps of so many bits: one that could lie in no string is refused.
fn offset(word: &[u8], step: usize) -> Result<usize, Refusal> {
    let steps = number::parse_i64(word).and_then(|steps| usize::try_from(steps).ok());
    let bit = steps.and_then(|steps| steps.checked_mul(step));
    bit.filter(|bit| bit / 8 < limits::STRING_BYTES_MAX).ok_or(OFFSET)
}

/// Makes a string one that was changed in place, as OBJECT ENCODING tells, without changing it: what Redis does where a command
/// on bits finds all as it should be.
fn show_as_raw(slot: &mut Slot<'_>) -> Result<(), Refusal> {
    if slot.entry().is_some_and(|entry| entry.encoding() != "raw") {
        slot.change_aside(|text| text.text_mut().map(|text| text.grow().len())).transpose()?;
    }
    Ok(())
}
