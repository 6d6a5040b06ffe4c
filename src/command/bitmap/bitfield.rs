//! BITFIELD key [GET …] [SET …] [INCRBY …] … — integers of any width at any place of a string; BITFIELD_RO only gets.
//!
//! ```text
//! GET type offset             the integer there
//! SET type offset value       puts one there, and answers with what was there
//! INCRBY type offset by       adds to it, and answers with the sum
//! OVERFLOW WRAP | SAT | FAIL  what the SETs and INCRBYs behind it do with what does not fit: go round (as without it), stop at
//!                             the end, or do nothing and answer nil
//! ```
//!
//! A type is `i` or `u`, signed or not, and a number of bits: up to 64, or 63. An offset counts bits, or with `#` before it such
//! integers. What lies beyond the string's end is 0, and the string grows to hold all that SET and INCRBY name.
//!
//! What the request makes of the string is found out first, on the few bytes that it touches, so that one which changes nothing
//! changes nothing.

use std::collections::BTreeMap;

use super::{OFFSET, offset, show_as_raw};
use crate::base::event;
use crate::base::limits;
use crate::base::number;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Effect, Group, KeySpec, Run, Spec, acl, flag, key};
use crate::resp::reply::Reply;
use crate::table::{Entry, Expiry, Slot};
use crate::value::Text;

pub(super) const SPECS: &[Spec] = &[
    BITFIELD,
    Spec {
        name: "bitfield_ro",
        keys: &[KeySpec::first(key::RO | key::ACCESS)],
        flags: flag::READONLY | flag::FAST,
        since: "6.0.0",
        summary: "Gets integers of any width at any place of a string.",
        syntax: "key [GET encoding offset:integer [GET encoding offset:integer ...]]",
        event: None,
        run: Run::Read(bitfield_ro),
        ..BITFIELD
    },
];

const BITFIELD: Spec = Spec {
    name: "bitfield",
    arity: -2,
    keys: &[KeySpec::first(key::RW | key::ACCESS | key::UPDATE | key::VARIABLE_FLAGS)],
    flags: flag::WRITE | flag::DENYOOM,
    acl: acl::BITMAP,
    since: "3.2.0",
    group: Group::Bitmap,
    summary: "Gets, sets and adds to integers of any width at any place of a string.",
    complexity: "O(1) for each subcommand specified",
    syntax: "key [<GET encoding offset:integer | [OVERFLOW < WRAP | SAT | FAIL >] < SET encoding offset:integer value:integer | \
             INCRBY encoding offset:integer increment:integer >> ...]",
    event: Some(event::string("setbit")),
    run: Run::Write(bitfield),
    ..Spec::DEFAULT
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Overflow {
    Wrap,
    Saturate,
    Fail,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Get,
    Set(i64),
    Add(i64),
}

/// A part of the request.
#[derive(Debug, Clone, Copy)]
struct Step {
    action: Action,
    overflow: Overflow,
    field: Field,
}

/// Where an integer lies, and what it is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Field {
    is_signed: bool,
    bits: usize,
    /// Of its first bit.
    at: usize,
}

/// A string as the steps so far have made it: what it was, and the bytes that are others.
struct Draft<'a> {
    was: &'a [u8],
    changed: BTreeMap<usize, u8>,
}

impl Field {
    fn read(args: &mut Args<'_>) -> Result<Field, Refusal> {
        let kind = args.word()?;
        let parts = kind.split_first().and_then(|(sign, bits)| {
            let is_signed = match sign {
                b'i' => true,
                b'u' => false,
                _ => return None,
            };
            let bits = usize::try_from(number::parse_i64(bits)?).ok()?;
            (1..=if is_signed { 64 } else { 63 }).contains(&bits).then_some((is_signed, bits))
        });
        let (is_signed, bits) = parts.ok_or(TYPE)?;
        let word = args.word()?;
        let at = match word.strip_prefix(b"#") {
            Some(index) => offset(index, bits)?,
            None => offset(word, 1)?,
        };
        Ok(Field { is_signed, bits, at })
    }

    /// Length of a string that holds it, in bytes.
    fn needs(self) -> usize {
        (self.at + self.bits).div_ceil(8)
    }

    /// As many ones as it has bits.
    fn mask(self) -> u64 {
        u64::MAX >> (64 - self.bits)
    }

    /// The integer that these bits are, the last being the lowest.
    fn value(self, bits: u64) -> i64 {
        let spare = 64 - self.bits;
        if self.is_signed { (bits << spare) as i64 >> spare } else { bits as i64 }
    }

    /// What is stored instead of an integer; none where nothing shall be.
    fn fit(self, wanted: i128, overflow: Overflow) -> Option<i64> {
        let (min, max) = match self.is_signed {
            true => (-(1_i128 << (self.bits - 1)), (1_i128 << (self.bits - 1)) - 1),
            false => (0, (1_i128 << self.bits) - 1),
        };
        match overflow {
            _ if (min..=max).contains(&wanted) => Some(wanted as i64),
            Overflow::Wrap => Some(self.value(wanted as u64 & self.mask())),
            Overflow::Saturate => Some(wanted.clamp(min, max) as i64),
            Overflow::Fail => None,
        }
    }
}

const TYPE: Refusal = Refusal::line(
    "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
);

impl Step {
    fn read_all(args: &mut Args<'_>) -> Result<Vec<Step>, Refusal> {
        let (mut steps, mut overflow) = (Vec::new(), Overflow::Wrap);
        while !args.is_done() {
            let words = args.left() - 1;
            if words >= 1 && args.accept("OVERFLOW") {
                overflow = match args.word()?.to_ascii_lowercase().as_slice() {
                    b"wrap" => Overflow::Wrap,
                    b"sat" => Overflow::Saturate,
                    b"fail" => Overflow::Fail,
                    _ => return Err(Refusal::line("ERR Invalid OVERFLOW type specified")),
                };
                continue;
            }
            let (field, action) = if words >= 2 && args.accept("GET") {
                (Field::read(args)?, Action::Get)
            } else if words >= 3 && args.accept("SET") {
                (Field::read(args)?, Action::Set(args.int()?))
            } else if words >= 3 && args.accept("INCRBY") {
                (Field::read(args)?, Action::Add(args.int()?))
            } else {
                return Err(Refusal::Syntax);
            };
            steps.push(Step { action, overflow, field });
        }
        Ok(steps)
    }

    /// Does it; what is answered.
    fn take(self, draft: &mut Draft<'_>) -> Option<i64> {
        let old = draft.get(self.field);
        let wanted = match self.action {
            Action::Get => return Some(old),
            // As in Redis, a negative one is too large for what has no sign, not too small.
            Action::Set(value) if !self.field.is_signed => i128::from(value as u64),
            Action::Set(value) => i128::from(value),
            Action::Add(by) => i128::from(old) + i128::from(by),
        };
        let new = self.field.fit(wanted, self.overflow)?;
        draft.put(self.field, new);
        Some(if matches!(self.action, Action::Set(_)) { old } else { new })
    }
}

impl Draft<'_> {
    fn byte(&self, index: usize) -> u8 {
        let was = || self.was.get(index).copied().unwrap_or(0);
        self.changed.get(&index).copied().unwrap_or_else(was)
    }

    /// The bytes that a field lies in, the first being the highest, and how many bits stand behind it in the last.
    fn window(&self, field: Field) -> (u128, usize) {
        let bytes =
            (field.at / 8..field.needs()).fold(0, |sum, index| sum << 8 | u128::from(self.byte(index)));
        (bytes, field.needs() * 8 - field.at - field.bits)
    }

    fn get(&self, field: Field) -> i64 {
        let (bytes, behind) = self.window(field);
        field.value((bytes >> behind) as u64 & field.mask())
    }

    fn put(&mut self, field: Field, value: i64) {
        let (bytes, behind) = self.window(field);
        let others = bytes & !(u128::from(field.mask()) << behind);
        let bytes = others | u128::from(value as u64 & field.mask()) << behind;
        let last_first = (field.at / 8..field.needs()).rev().zip(bytes.to_le_bytes());
        self.changed.extend(last_first);
    }

    /// What was made of the string, put into a string that is what it was.
    fn put_into(changed: &BTreeMap<usize, u8>, length: usize, bytes: &mut Vec<u8>) {
        bytes.resize(bytes.len().max(length), 0);
        for (index, byte) in changed {
            if let Some(place) = bytes.get_mut(*index) {
                *place = *byte;
            }
        }
    }
}

fn bitfield(args: &mut Args<'_>, slot: &mut Slot<'_>, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    let steps = Step::read_all(args)?;
    let written = steps.iter().filter(|step| step.action != Action::Get).map(|step| step.field.needs()).max();
    if written.is_some_and(|length| length > limits::STRING_BYTES_MAX) {
        return Err(OFFSET);
    }
    let mut digits = itoa::Buffer::new();
    let text = slot.text()?;
    let was = text.map_or(&[][..], |text| text.bytes(&mut digits));
    let (changed, answers) = run(&steps, was);
    let grows = written.is_some_and(|length| length > was.len());
    answer(&answers, reply);
    let Some(length) = written else { return Ok(Effect::None) };
    if !grows && changed.is_empty() {
        show_as_raw(slot)?;
        return Ok(Effect::None);
    }
    let put = |bytes: &mut Vec<u8>| Draft::put_into(&changed, length, bytes);
    if slot.change(|old| old.text_mut().map(|text| put(text.grow()))).transpose()?.is_none() {
        let mut bytes = Vec::new();
        put(&mut bytes);
        slot.put(Text::Grown(bytes), Expiry::Clear);
    }
    Ok(Effect::Same)
}

fn bitfield_ro(args: &mut Args<'_>, entry: Option<&Entry>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let steps = Step::read_all(args)?;
    if steps.iter().any(|step| step.action != Action::Get) {
        return Err(Refusal::line("ERR BITFIELD_RO only supports the GET subcommand"));
    }
    let mut digits = itoa::Buffer::new();
    let text = entry.map(Entry::text).transpose()?;
    answer(&run(&steps, text.map_or(&[][..], |text| text.bytes(&mut digits))).1, reply);
    Ok(())
}

/// Takes the steps over a string: the bytes that it changes, and what each answers.
fn run(steps: &[Step], was: &[u8]) -> (BTreeMap<usize, u8>, Vec<Option<i64>>) {
    let mut draft = Draft { was, changed: BTreeMap::new() };
    let answers = steps.iter().map(|step| step.take(&mut draft)).collect();
    draft.changed.retain(|index, byte| was.get(*index) != Some(byte));
    (draft.changed, answers)
}

fn answer(answers: &[Option<i64>], reply: &mut Reply<'_>) {
    reply.array(answers.len());
    for answer in answers {
        match answer {
            Some(value) => reply.int(*value),
            None => reply.null(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Place;
    use super::*;

    #[test]
    fn what_does_not_fit_goes_round_stops_or_is_left_out() {
        use Overflow::{Fail, Saturate, Wrap};
        let field = |is_signed, bits| Field { is_signed, bits, at: 0 };
        for (field, wanted, expected) in [
            (field(false, 8), 256, [Some(0), Some(255), None]),
            (field(false, 8), -1, [Some(255), Some(0), None]),
            (field(false, 8), 255, [Some(255); 3]),
            (field(false, 63), 1 << 63, [Some(0), Some(i64::MAX), None]),
            (field(true, 8), 128, [Some(-128), Some(127), None]),
            (field(true, 8), -129, [Some(127), Some(-128), None]),
            (field(true, 1), 1, [Some(-1), Some(0), None]),
            (field(true, 64), 1 << 63, [Some(i64::MIN), Some(i64::MAX), None]),
            (field(true, 64), -(1 << 64), [Some(0), Some(i64::MIN), None]),
        ] {
            let got = [Wrap, Saturate, Fail].map(|overflow| field.fit(wanted, overflow));
            assert_eq!(got, expected, "{field:?} {wanted}");
        }
    }

    #[test]
    fn integers_of_every_width_read_back_and_leave_their_neighbours_alone() {
        for bits in 1..=64 {
            for at in 0..9 {
                for value in [0, 1, -1, i64::MIN, i64::MAX, 0x1234_5678_9abc_def0] {
                    let field = Field { is_signed: true, bits, at };
                    let value = field.value(value as u64 & field.mask());
                    let was = [0b1010_0101; 10];
                    let mut draft = Draft { was: &was, changed: BTreeMap::new() };
                    draft.put(field, value);
                    assert_eq!(draft.get(field), value, "{bits} {at}");
                    for bit in (0..at).chain(at + bits..80).map(Place::of) {
                        assert_eq!(draft.byte(bit.byte) & bit.mask, was[bit.byte] & bit.mask, "{bits} {at}");
                    }
                }
            }
        }
    }
}
