//! Bitmaps: strings seen as rows of bits, the first bit being the highest of the first byte.

mod getbit;
mod setbit;

use crate::base::limits;
use crate::base::number;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Spec};

pub(super) const FAMILY: &[&[Spec]] = &[getbit::SPECS, setbit::SPECS];

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
        let offset = number::parse_i64(args.word()?).and_then(|offset| usize::try_from(offset).ok());
        match offset.map(|offset| Place { byte: offset / 8, mask: 0x80 >> (offset % 8) }) {
            Some(place) if place.byte < limits::STRING_BYTES_MAX => Ok(place),
            _ => Err(Refusal::err("bit offset is not an integer or out of range")),
        }
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
