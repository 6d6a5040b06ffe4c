//! Hashes: fields with values.
//!
//! ```text
//! listpack    field, value, field, value, ...    few and short ones: one piece of memory, searched from the front
//! hashtable   a dictionary: see dict.rs          more, or longer ones, or any with a deadline
//! ```
//!
//! As in Redis a hash turns from the first form into the second when it outgrows the thresholds, and never back.
//! Redis 7.4 has a third form for few fields with deadlines; here the first deadline makes the hash a dictionary,
//! which has room for deadlines anyway. What is due is removed by whoever knows the time, with [`Hash::remove_due`];
//! until then it is a field like any other.

use super::TextRef;
use super::dict::{Dict, Record, choose};
use super::listpack::{Invalid, Listpack, Pos};
use crate::base::clock::{Millis, NEVER};
use crate::base::random::Random;

/// How large the compact form may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// The most fields (`hash-max-listpack-entries`).
    pub entries: usize,
    /// The longest field or value, in bytes (`hash-max-listpack-value`).
    pub value_bytes: usize,
}

/// A hash value.
#[derive(Debug, Clone, Default)]
pub struct Hash(Form);

#[derive(Debug, Clone)]
enum Form {
    Compact(Listpack),
    // Boxed, because a table has many small hashes and each of its entries has room for either form.
    Big(Box<Dict>),
}

/// A field with what belongs to it, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    /// The field's name.
    pub name: TextRef<'a>,
    /// Its value.
    pub value: TextRef<'a>,
    /// When it is to go, [`NEVER`] without deadline.
    pub deadline: Millis,
}

impl Hash {
    /// No fields.
    #[must_use]
    pub fn new() -> Hash {
        Hash::default()
    }

    /// The hash that a listpack of fields and values is, as RDB files and DUMP payloads have it. Becomes a dictionary
    /// if it has more than `limits.entries` fields.
    ///
    /// # Errors
    /// [`Invalid`] if the last field has no value, or a field is there twice.
    pub fn from_listpack(pack: Listpack, limits: &Thresholds) -> Result<Hash, Invalid> {
        if !pack.len().is_multiple_of(2) || !is_distinct(pack.iter().step_by(2)) {
            return Err(Invalid);
        }
        let mut hash = Hash(Form::Compact(pack));
        hash.convert_if_over(limits);
        Ok(hash)
    }

    /// The compact form's bytes, if it is in that form.
    #[must_use]
    pub fn listpack(&self) -> Option<&Listpack> {
        match &self.0 {
            Form::Compact(pack) => Some(pack),
            Form::Big(_) => None,
        }
    }

    /// Number of fields.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Compact(pack) => pack.len() / 2,
            Form::Big(dict) => dict.len(),
        }
    }

    /// True without fields.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `listpack` or `hashtable`.
    #[must_use]
    pub fn encoding(&self) -> &'static str {
        match &self.0 {
            Form::Compact(_) => "listpack",
            Form::Big(_) => "hashtable",
        }
    }

    /// Heap bytes held beyond the value's own size.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Form::Compact(pack) => pack.heap_bytes(),
            Form::Big(dict) => size_of::<Dict>() + dict.heap_bytes(),
        }
    }

    /// The value of a field.
    #[inline]
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<TextRef<'_>> {
        self.field(name).map(|field| field.value)
    }

    /// True if there is such a field.
    #[must_use]
    pub fn contains(&self, name: &[u8]) -> bool {
        self.field(name).is_some()
    }

    /// A field with its value and deadline.
    #[inline]
    #[must_use]
    pub fn field(&self, name: &[u8]) -> Option<Field<'_>> {
        match &self.0 {
            Form::Compact(pack) => field_at(pack, pack.find(name, 1)?),
            Form::Big(dict) => dict.get(name).map(Field::from),
        }
    }

    /// Sets the value of a field, which then has no deadline. True if the field is new.
    pub fn set(&mut self, name: &[u8], value: &[u8], limits: &Thresholds) -> bool {
        self.put(name, value, limits, false)
    }

    /// As [`Hash::set`], but a field that has a deadline keeps it: for HINCRBY and the like.
    pub fn update(&mut self, name: &[u8], value: &[u8], limits: &Thresholds) -> bool {
        self.put(name, value, limits, true)
    }

    /// Removes a field; false if there is none.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        match &mut self.0 {
            Form::Compact(pack) => {
                let Some(pos) = pack.find(name, 1) else { return false };
                pack.remove(pos, 2);
                if pack.bytes() < pack.heap_bytes() / 2 {
                    pack.shrink();
                }
                true
            }
            Form::Big(dict) => dict.remove(name),
        }
    }

    /// The dictionary that a big one is.
    pub fn dict(&self) -> Option<&Dict> {
        if let Form::Big(dict) = &self.0 { Some(dict) } else { None }
    }

    /// Its fields: in the order they came in the compact form, in the order of the hashes in the big one.
    pub fn iter(&self) -> impl Iterator<Item = Field<'_>> {
        let (compact, big) = match &self.0 {
            Form::Compact(pack) => (Some(fields(pack)), None),
            Form::Big(dict) => (None, Some(dict.iter().map(Field::from))),
        };
        compact.into_iter().flatten().chain(big.into_iter().flatten())
    }

    /// Visits about `count` fields from `cursor` on; 0 begins a walk. Returns the cursor for the next step, or 0 when
    /// the walk is complete. The compact form is visited whole at once.
    pub fn scan<'a>(&'a self, cursor: u64, count: usize, mut visit: impl FnMut(Field<'a>)) -> u64 {
        match &self.0 {
            Form::Compact(pack) => {
                fields(pack).for_each(visit);
                0
            }
            Form::Big(dict) => dict.scan(cursor, count, |record| visit(Field::from(record))),
        }
    }

    /// A field, each as likely as any other; none of an empty hash.
    #[must_use]
    pub fn random(&self, random: &mut Random) -> Option<Field<'_>> {
        match &self.0 {
            Form::Compact(pack) => {
                let index = usize::try_from(random.below(self.len() as u64)).ok()?;
                field_at(pack, pack.at(index * 2)?)
            }
            Form::Big(dict) => dict.random(random).map(Field::from),
        }
    }

    /// `count` different fields, or all if there are not so many; every choice is equally likely.
    #[must_use]
    pub fn sample(&self, count: usize, random: &mut Random) -> Vec<Field<'_>> {
        match &self.0 {
            Form::Compact(pack) => choose(fields(pack), self.len(), count, random),
            Form::Big(dict) => dict.sample(count, random).into_iter().map(Field::from).collect(),
        }
    }

    /// Sets or removes a field's deadline; false if there is no such field.
    pub fn set_deadline(&mut self, name: &[u8], deadline: Option<Millis>) -> bool {
        let deadline = deadline.unwrap_or(NEVER);
        if !self.contains(name) {
            return false;
        }
        if deadline != NEVER {
            self.convert();
        }
        if let Form::Big(dict) = &mut self.0
            && let Some(record) = dict.get(name)
            && record.deadline != deadline
        {
            let value = record.value.map(<[u8]>::to_vec);
            dict.insert(Record { member: name, value: value.as_deref(), deadline });
        }
        true
    }

    /// Number of fields with a deadline.
    #[must_use]
    pub fn deadlines(&self) -> usize {
        match &self.0 {
            Form::Compact(_) => 0,
            Form::Big(dict) => dict.deadlines(),
        }
    }

    /// A time before which no field is due, [`NEVER`] without deadlines: see [`Dict::earliest`].
    #[must_use]
    pub fn earliest(&self) -> Millis {
        match &self.0 {
            Form::Compact(_) => NEVER,
            Form::Big(dict) => dict.earliest(),
        }
    }

    /// Removes fields whose deadlines are not after `now`, telling each name to `removed` first. May stop once
    /// at least `limit` were removed. Returns how many were.
    pub fn remove_due(&mut self, now: Millis, limit: usize, mut removed: impl FnMut(&[u8])) -> usize {
        match &mut self.0 {
            Form::Compact(_) => 0,
            Form::Big(dict) => dict.remove_due(now, limit, |record| removed(record.member)),
        }
    }

    fn put(&mut self, name: &[u8], value: &[u8], limits: &Thresholds, keep_deadline: bool) -> bool {
        if let Form::Compact(pack) = &self.0
            && (name.len().max(value.len()) > limits.value_bytes || !pack.fits(name.len() + value.len(), 2))
        {
            self.convert();
        }
        match &mut self.0 {
            Form::Compact(pack) => {
                let old = pack.find(name, 1).and_then(|pos| pack.next(pos));
                match old {
                    Some(pos) => pack.replace(pos, value),
                    None => {
                        pack.push_back(name);
                        pack.push_back(value);
                    }
                }
                self.convert_if_over(limits);
                old.is_none()
            }
            Form::Big(dict) => {
                // Asked only when it can matter: most hashes have no deadlines, and then one search is enough.
                let keep = keep_deadline && dict.deadlines() > 0;
                let old = if keep { dict.get(name) } else { None };
                let deadline = old.map_or(NEVER, |record| record.deadline);
                dict.insert(Record { member: name, value: Some(value), deadline })
            }
        }
    }

    fn convert_if_over(&mut self, limits: &Thresholds) {
        if matches!(self.0, Form::Compact(_)) && self.len() > limits.entries {
            self.convert();
        }
    }

    /// From here on the form is the big one.
    fn convert(&mut self) {
        let Form::Compact(pack) = &self.0 else { return };
        let mut dict = Dict::new();
        let (mut name, mut value) = (itoa::Buffer::new(), itoa::Buffer::new());
        for field in fields(pack) {
            let (member, value) = (field.name.bytes(&mut name), field.value.bytes(&mut value));
            dict.insert(Record { member, value: Some(value), deadline: NEVER });
        }
        self.0 = Form::Big(Box::new(dict));
    }
}

impl Default for Form {
    fn default() -> Form {
        Form::Compact(Listpack::new())
    }
}

impl<'a> From<Record<'a>> for Field<'a> {
    fn from(record: Record<'a>) -> Field<'a> {
        let (name, value) = (TextRef::Bytes(record.member), TextRef::Bytes(record.value.unwrap_or_default()));
        Field { name, value, deadline: record.deadline }
    }
}

/// Equal when the bytes and the deadline are.
impl PartialEq for Field<'_> {
    fn eq(&self, other: &Field<'_>) -> bool {
        same(self.name, other.name) && same(self.value, other.value) && self.deadline == other.deadline
    }
}

/// True if two texts have the same bytes, whether kept as an integer or not.
fn same(a: TextRef<'_>, b: TextRef<'_>) -> bool {
    a.bytes(&mut itoa::Buffer::new()) == b.bytes(&mut itoa::Buffer::new())
}

/// Equal when the fields are, whatever their form and order.
impl PartialEq for Hash {
    fn eq(&self, other: &Hash) -> bool {
        let mut buffer = itoa::Buffer::new();
        self.len() == other.len()
            && self.iter().all(|field| other.field(field.name.bytes(&mut buffer)) == Some(field))
    }
}

/// The field whose name lies at `pos`.
fn field_at(pack: &Listpack, pos: Pos) -> Option<Field<'_>> {
    let (name, value) = (pack.item(pos)?, pack.item(pack.next(pos)?)?);
    Some(Field { name, value, deadline: NEVER })
}

fn fields(pack: &Listpack) -> impl Iterator<Item = Field<'_>> {
    let mut items = pack.iter();
    std::iter::from_fn(move || Some(Field { name: items.next()?, value: items.next()?, deadline: NEVER }))
}

/// True if no two of the entries of a listpack are the same. They are canonical: one string, one form.
pub(super) fn is_distinct<'a>(items: impl Iterator<Item = TextRef<'a>>) -> bool {
    let mut keys: Vec<(Option<i64>, &[u8])> = items
        .map(|item| match item {
            TextRef::Int(integer) => (Some(integer), &[][..]),
            TextRef::Bytes(bytes) => (None, bytes),
        })
        .collect();
    keys.sort_unstable();
    keys.is_sorted_by(|a, b| a < b)
}

#[cfg(test)]
mod tests;
