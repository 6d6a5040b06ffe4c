//! One key with its value, deadline and record of use, in one block of memory.
//!
//! A lookup that has found its bucket touches this block and nothing else, so key, deadline and a small value share it,
//! behind a head of 16 bytes:
//!
//! ```text
//!  0        4            8              12     13      14      16          24 or 16
//! | access | key length | value length | form | epoch | flags | deadline? | integer or pointer? | key | value bytes? |
//! ```
//!
//! The deadline is there only where there is one. The form says what the value is: an integer, bytes behind the key, or a
//! pointer to a [`Value`] of its own (long strings, strings that were changed in place, collections). A key of 16 bytes
//! with a value of 32 is exactly one cache line.
//!
//! This file is one of the few with `unsafe`: it owns a block whose size it computes from the head. Each block is
//! reached through exactly one [`Entry`], so Rust's rules of borrowing the entry are the rules for its block.

#![expect(
    unsafe_code,
    reason = "a block of computed size has no safe form; it is read and written only here"
)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use crate::base::clock::{Millis, NEVER};
use crate::base::prefetch;
use crate::base::refusal::Refusal;
use crate::value::{Kind, Text, TextRef, Value, ValueRef};

/// The longest string that stands in its entry's block, in bytes: beyond it a copy of the block to change the deadline
/// costs more than a pointer saves.
const INLINE_MAX: usize = 1024;
/// Longest string that OBJECT ENCODING calls `embstr`, in bytes.
const EMBEDDED_MAX: usize = 44;
/// Heap bytes from which a collection is big. Its parts are a few hundred bytes to some KiB each, so what is smaller is freed
/// or written out in some ten microseconds: as long as it takes to wake another thread for it.
const BIG_MIN: usize = 64 * 1024;
/// Size and alignment of everything in front of the key.
const WORD: usize = 8;

/// A key and what it holds. Handlers read it; only a [`super::Slot`] changes it.
pub struct Entry(NonNull<Head>);

#[repr(C)]
struct Head {
    access: u32,
    key_bytes: u32,
    value_bytes: u32,
    form: Form,
    epoch: u8,
    has_deadline: bool,
    unused: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
enum Form {
    Integer,
    Inline,
    Pointer,
}

// SAFETY: an entry owns its block as a Box would, and all that it holds can be sent and shared.
unsafe impl Send for Entry {}
// SAFETY: as above; nothing in it changes behind a shared reference.
unsafe impl Sync for Entry {}

const _: () = assert!(size_of::<Head>() == 16, "the head is two words");
const _: () = assert!(size_of::<Option<Entry>>() == 8, "a slot of a bucket is a word");

/// What stands behind the head, before it is written.
enum Payload<'a> {
    Integer(i64),
    Inline(&'a [u8]),
    Pointer(Box<Value>),
}

impl Entry {
    /// An entry with this value.
    pub(super) fn new(key: &[u8], value: Value, expiry: Millis, access: u32, epoch: u8) -> Self {
        match value {
            Value::Text(Text::Int(integer)) => {
                Self::build(key, Payload::Integer(integer), expiry, access, epoch)
            }
            Value::Text(Text::Whole(bytes)) if bytes.len() <= INLINE_MAX => {
                Self::build(key, Payload::Inline(&bytes), expiry, access, epoch)
            }
            other => Self::build(key, Payload::Pointer(Box::new(other)), expiry, access, epoch),
        }
    }

    /// An entry with this string.
    #[inline]
    pub(super) fn with_text(key: &[u8], bytes: &[u8], expiry: Millis, access: u32, epoch: u8) -> Self {
        match Text::as_integer(bytes) {
            Some(integer) => Self::build(key, Payload::Integer(integer), expiry, access, epoch),
            None if bytes.len() <= INLINE_MAX => {
                Self::build(key, Payload::Inline(bytes), expiry, access, epoch)
            }
            None => Self::new(key, Text::Whole(bytes.into()).into(), expiry, access, epoch),
        }
    }

    #[inline]
    fn build(key: &[u8], payload: Payload<'_>, expiry: Millis, access: u32, epoch: u8) -> Self {
        let (form, value_bytes) = match &payload {
            Payload::Integer(_) => (Form::Integer, WORD),
            Payload::Inline(bytes) => (Form::Inline, bytes.len()),
            Payload::Pointer(_) => (Form::Pointer, WORD),
        };
        // The protocol allows no key of 4 GiB.
        let key_bytes = u32::try_from(key.len()).unwrap_or(u32::MAX);
        let key = &key[..key_bytes as usize];
        let has_deadline = expiry != NEVER;
        let value_bytes = value_bytes as u32;
        let head = Head { access, key_bytes, value_bytes, form, epoch, has_deadline, unused: 0 };
        let layout = head.layout();
        // SAFETY: the layout is at least the head, hence not of size zero. The block is written below in the places that
        // `layout` counted: head, deadline, integer or pointer, key, value, each within it and the words aligned.
        unsafe {
            let Some(block) = NonNull::new(alloc(layout).cast::<Head>()) else { handle_alloc_error(layout) };
            block.write(head);
            let entry = Entry(block);
            if has_deadline {
                entry.word(size_of::<Head>()).cast::<Millis>().write(expiry);
            }
            let key_at = entry.byte(entry.key_at());
            key_at.copy_from_nonoverlapping(NonNull::from(key).cast(), key.len());
            match payload {
                Payload::Integer(integer) => entry.word(entry.payload_at()).cast::<i64>().write(integer),
                Payload::Pointer(value) => entry.word(entry.payload_at()).cast::<Box<Value>>().write(value),
                Payload::Inline(bytes) => {
                    key_at.add(key.len()).copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len())
                }
            }
            entry
        }
    }

    #[inline]
    fn head(&self) -> &Head {
        // SAFETY: the block begins with a head, written by `build`, and lives as long as the entry.
        unsafe { self.0.as_ref() }
    }

    #[inline]
    fn head_mut(&mut self) -> &mut Head {
        // SAFETY: as `head`; the entry is borrowed for change, and it is the only way to the block.
        unsafe { self.0.as_mut() }
    }

    /// The byte at an offset, which must be within the block or right behind it.
    #[inline]
    unsafe fn byte(&self, at: usize) -> NonNull<u8> {
        // SAFETY: the caller's.
        unsafe { self.0.cast::<u8>().add(at) }
    }

    /// The word at an offset, which must be one of a word within the block.
    #[inline]
    unsafe fn word(&self, at: usize) -> NonNull<u64> {
        debug_assert!(at.is_multiple_of(WORD));
        // SAFETY: the caller's; blocks are aligned to words.
        unsafe { self.byte(at).cast() }
    }

    #[inline]
    fn payload_at(&self) -> usize {
        size_of::<Head>() + WORD * usize::from(self.head().has_deadline)
    }

    #[inline]
    fn key_at(&self) -> usize {
        self.payload_at() + WORD * usize::from(self.head().form != Form::Inline)
    }

    /// The key.
    #[inline]
    pub fn key(&self) -> &[u8] {
        let bytes = self.head().key_bytes as usize;
        // SAFETY: `build` wrote so many bytes of the key there.
        unsafe { NonNull::slice_from_raw_parts(self.byte(self.key_at()), bytes).as_ref() }
    }

    /// The value.
    #[inline]
    pub fn value(&self) -> ValueRef<'_> {
        match self.head().form {
            Form::Integer => ValueRef::Text(TextRef::Int(self.integer())),
            Form::Inline => ValueRef::Text(TextRef::Bytes(self.inline())),
            Form::Pointer => self.pointer().as_ref(),
        }
    }

    #[inline]
    fn integer(&self) -> i64 {
        debug_assert_eq!(self.head().form, Form::Integer);
        // SAFETY: with this form `build` wrote an integer there.
        unsafe { self.word(self.payload_at()).cast::<i64>().read() }
    }

    #[inline]
    fn inline(&self) -> &[u8] {
        debug_assert_eq!(self.head().form, Form::Inline);
        let at = self.key_at() + self.head().key_bytes as usize;
        // SAFETY: with this form `build` wrote so many bytes of the value behind the key.
        unsafe { NonNull::slice_from_raw_parts(self.byte(at), self.head().value_bytes as usize).as_ref() }
    }

    #[inline]
    fn pointer(&self) -> &Value {
        debug_assert_eq!(self.head().form, Form::Pointer);
        // SAFETY: with this form `build` wrote a box there, which the entry owns.
        unsafe { self.word(self.payload_at()).cast::<Box<Value>>().as_ref() }
    }

    /// The value for changing it in place, where it is one of its own.
    fn pointer_mut(&mut self) -> Option<&mut Value> {
        if self.head().form != Form::Pointer {
            return None;
        }
        // SAFETY: as `pointer`; the entry is borrowed for change.
        Some(unsafe { self.word(self.payload_at()).cast::<Box<Value>>().as_mut() })
    }

    /// A copy of the value; a large collection shares its parts with it.
    pub fn to_value(&self) -> Value {
        match self.head().form {
            Form::Integer => Text::Int(self.integer()).into(),
            Form::Inline => Text::Whole(self.inline().into()).into(),
            Form::Pointer => self.pointer().clone(),
        }
    }

    /// The name of the value's present encoding.
    pub fn encoding(&self) -> &'static str {
        match self.head().form {
            Form::Integer => "int",
            Form::Inline if self.head().value_bytes as usize <= EMBEDDED_MAX => "embstr",
            Form::Inline => "raw",
            Form::Pointer => self.pointer().encoding(),
        }
    }

    /// The type of the value.
    pub fn kind(&self) -> Kind {
        match self.head().form {
            Form::Integer | Form::Inline => Kind::Text,
            Form::Pointer => self.pointer().kind(),
        }
    }

    /// The string it holds, or the refusal for another type.
    #[inline]
    pub fn text(&self) -> Result<TextRef<'_>, Refusal> {
        self.value().text()
    }

    /// The deadline in Unix milliseconds, [`NEVER`] without one.
    #[inline]
    pub fn expiry(&self) -> Millis {
        if !self.head().has_deadline {
            return NEVER;
        }
        // SAFETY: with this flag `build` wrote a deadline there.
        unsafe { self.word(size_of::<Head>()).cast::<Millis>().read() }
    }

    /// A time before which neither the key nor a field of its hash is due. It can be too early, never too late.
    #[inline]
    pub(super) fn due(&self) -> Millis {
        match self.head().form {
            Form::Pointer => self.expiry().min(self.pointer().earliest()),
            _ => self.expiry(),
        }
    }

    /// True for a hash of which a field has a deadline.
    #[inline]
    pub(super) fn has_field_deadlines(&self) -> bool {
        self.value().hash().is_ok_and(|hash| hash.deadlines() > 0)
    }

    /// The deadline, none without one.
    pub fn deadline(&self) -> Option<Millis> {
        self.head().has_deadline.then(|| self.expiry())
    }

    /// The record of use: see [`super::access`].
    #[inline]
    pub fn access(&self) -> u32 {
        self.head().access
    }

    /// The table's epoch when the entry was made or last captured.
    #[inline]
    pub(super) fn epoch(&self) -> u8 {
        self.head().epoch
    }

    #[inline]
    pub(super) fn set_access(&mut self, access: u32) {
        self.head_mut().access = access;
    }

    pub(super) fn set_epoch(&mut self, epoch: u8) {
        self.head_mut().epoch = epoch;
    }

    /// Sets or removes the deadline; the block is copied where one comes or goes.
    pub(super) fn set_expiry(&mut self, expiry: Millis) {
        if self.head().has_deadline && expiry != NEVER {
            // SAFETY: with this flag there is room for a deadline.
            unsafe { self.word(size_of::<Head>()).cast::<Millis>().write(expiry) };
        } else if self.head().has_deadline || expiry != NEVER {
            let (access, epoch) = (self.access(), self.epoch());
            let next = match self.head().form {
                Form::Integer => {
                    Self::build(self.key(), Payload::Integer(self.integer()), expiry, access, epoch)
                }
                Form::Inline => {
                    Self::build(self.key(), Payload::Inline(self.inline()), expiry, access, epoch)
                }
                Form::Pointer => {
                    let value = self.take_pointer();
                    Self::build(self.key(), Payload::Pointer(value), expiry, access, epoch)
                }
            };
            *self = next;
        }
    }

    /// Takes the boxed value out and leaves an integer in its place, which needs as much room.
    fn take_pointer(&mut self) -> Box<Value> {
        debug_assert_eq!(self.head().form, Form::Pointer);
        // SAFETY: the form says that a box is there; from here on it says that an integer is, so nobody drops the box
        // again.
        unsafe {
            let word = self.word(self.payload_at());
            let value = word.cast::<Box<Value>>().read();
            word.cast::<i64>().write(0);
            self.head_mut().form = Form::Integer;
            value
        }
    }

    /// Stores a string over the present one in the same block, if it fits there exactly.
    #[inline]
    pub(super) fn overwrite(&mut self, bytes: &[u8], expiry: Millis, access: u32, epoch: u8) -> bool {
        if self.head().has_deadline != (expiry != NEVER) {
            return false;
        }
        match (self.head().form, Text::as_integer(bytes)) {
            (Form::Integer, Some(integer)) => {
                // SAFETY: with this form there is a word for an integer.
                unsafe { self.word(self.payload_at()).cast::<i64>().write(integer) };
            }
            (Form::Inline, None) if bytes.len() == self.head().value_bytes as usize => {
                let at = self.key_at() + self.head().key_bytes as usize;
                // SAFETY: with this form there is room for so many bytes behind the key, and nobody else refers to it
                // while the entry is borrowed for change.
                unsafe { self.byte(at).copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len()) };
            }
            _ => return false,
        }
        if expiry != NEVER {
            self.set_expiry(expiry);
        }
        let head = self.head_mut();
        (head.access, head.epoch) = (access, epoch);
        true
    }

    /// Stores an integer over the present one; false where there is none.
    #[inline]
    pub(super) fn overwrite_integer(&mut self, integer: i64) -> bool {
        if self.head().form != Form::Integer {
            return false;
        }
        // SAFETY: with this form there is a word for an integer.
        unsafe { self.word(self.payload_at()).cast::<i64>().write(integer) };
        true
    }

    /// Changes the value in place. A string in the block becomes one of its own first, and goes back if it can.
    pub(super) fn change<R>(&mut self, change: impl FnOnce(&mut Value) -> R) -> R {
        let mut value = match self.pointer_mut() {
            Some(value) => {
                let result = change(value);
                if matches!(value, Value::Text(Text::Int(_) | Text::Whole(_))) {
                    let value = *self.take_pointer();
                    *self = Self::new(self.key(), value, self.expiry(), self.access(), self.epoch());
                }
                return result;
            }
            None => self.to_value(),
        };
        let result = change(&mut value);
        if let (Form::Integer, Value::Text(Text::Int(integer))) = (self.head().form, &value) {
            // SAFETY: with this form there is a word for an integer.
            unsafe { self.word(self.payload_at()).cast::<i64>().write(*integer) };
            return result;
        }
        *self = Self::new(self.key(), value, self.expiry(), self.access(), self.epoch());
        result
    }

    /// The value and the deadline, the entry being of no more use.
    pub(super) fn into_value(mut self) -> (Value, Millis) {
        let expiry = self.expiry();
        match self.head().form {
            Form::Pointer => (*self.take_pointer(), expiry),
            _ => (self.to_value(), expiry),
        }
    }

    /// A copy; a large collection shares its parts with it.
    pub(super) fn duplicate(&self) -> Entry {
        let (expiry, access, epoch) = (self.expiry(), self.access(), self.epoch());
        let payload = match self.head().form {
            Form::Integer => Payload::Integer(self.integer()),
            Form::Inline => Payload::Inline(self.inline()),
            Form::Pointer => Payload::Pointer(Box::new(self.pointer().clone())),
        };
        Self::build(self.key(), payload, expiry, access, epoch)
    }

    /// True for a collection that takes long to free or to write out: too long for holding a stripe meanwhile.
    #[inline]
    pub(super) fn is_big(&self) -> bool {
        match self.value() {
            ValueRef::Text(_) => false,
            _ => self.pointer().heap_bytes() >= BIG_MIN,
        }
    }

    /// A copy of a big collection that shares its parts, for reading it after the stripe is let go; none of what is read as
    /// quickly as it is copied, or where `much` says that little of it is.
    pub fn copy_if_big(&self, much: impl FnOnce(&Entry) -> bool) -> Option<Entry> {
        (self.is_big() && much(self)).then(|| self.duplicate())
    }

    /// Copies of several values, each as [`Entry::copy_if_big`] makes it: of all or of none, since they are read together.
    pub fn copies_if_big(
        entries: &[Option<&Entry>],
        much: fn(&[Option<&Entry>]) -> bool,
    ) -> Option<Vec<Option<Entry>>> {
        let is_big = entries.iter().flatten().any(|entry| entry.is_big());
        (is_big && much(entries)).then(|| entries.iter().map(|entry| entry.map(Entry::duplicate)).collect())
    }

    /// Bytes that the entry occupies, its slot in a bucket included.
    #[inline]
    pub fn bytes(&self) -> usize {
        let own = match self.head().form {
            Form::Pointer => size_of::<Value>() + self.pointer().heap_bytes(),
            _ => 0,
        };
        SLOT_BYTES + self.head().layout().size() + own
    }

    /// Bytes of the block to prefetch: with a small value most end within their second line.
    pub(super) const NEAR: usize = 2 * prefetch::LINE;

    /// Where its block begins, to be prefetched.
    #[inline]
    pub(super) fn address(&self) -> *const u8 {
        self.0.as_ptr().cast()
    }
}

/// A slot at the buckets' usual load, its share of the bucket's tags included.
const SLOT_BYTES: usize = 12;

impl Head {
    /// Size of the whole block.
    #[inline]
    fn layout(&self) -> Layout {
        let value = self.value_bytes as usize;
        let words = size_of::<Head>() + WORD * usize::from(self.has_deadline);
        let bytes = words + self.key_bytes as usize + value;
        // SAFETY: the alignment is a power of two, and key and value were slices, so their sum is far below isize::MAX.
        unsafe { Layout::from_size_align_unchecked(bytes.next_multiple_of(WORD), WORD) }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let layout = self.head().layout();
        if self.head().form == Form::Pointer {
            drop(self.take_pointer());
        }
        // SAFETY: the block was allocated with this layout, which depends only on parts of the head that never change,
        // as a pointer needs as much room as the integer that `take_pointer` leaves.
        unsafe { dealloc(self.0.as_ptr().cast(), layout) }
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = self.key().escape_ascii();
        write!(f, "{key} => {:?} until {:?}", self.to_value(), self.deadline())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Op {
        Overwrite(Vec<u8>),
        Deadline(Option<i64>),
        Append(Vec<u8>),
        Set(Vec<u8>),
        Duplicate,
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..60),
            any::<i64>().prop_map(|n| n.to_string().into_bytes()),
            (1000..1100usize).prop_map(|n| vec![b'x'; n]),
        ]
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            bytes().prop_map(Op::Overwrite),
            prop::option::of(0..i64::MAX).prop_map(Op::Deadline),
            bytes().prop_map(Op::Append),
            bytes().prop_map(Op::Set),
            Just(Op::Duplicate),
        ]
    }

    proptest! {
        #[test]
        fn an_entry_holds_what_was_put_into_it(
            key in bytes(),
            first in bytes(),
            ops in prop::collection::vec(op(), 0..20),
        ) {
            let mut entry = Entry::with_text(&key, &first, NEVER, 7, 1);
            let (mut model, mut deadline) = (first, None);
            for op in ops {
                match op {
                    Op::Overwrite(next) => {
                        if entry.overwrite(&next, deadline.unwrap_or(NEVER), 9, 2) {
                            model = next;
                        }
                    }
                    Op::Deadline(at) => {
                        entry.set_expiry(at.unwrap_or(NEVER));
                        deadline = at;
                    }
                    Op::Append(more) => {
                        entry.change(|value| value.text_mut().unwrap().grow().extend_from_slice(&more));
                        model.extend_from_slice(&more);
                    }
                    Op::Set(next) => {
                        entry.change(|value| *value = Text::new(&next).into());
                        model = next;
                    }
                    Op::Duplicate => entry = entry.duplicate(),
                }
                prop_assert_eq!(entry.key(), &key);
                prop_assert_eq!(entry.deadline(), deadline);
                let mut buffer = itoa::Buffer::new();
                prop_assert_eq!(entry.text().unwrap().bytes(&mut buffer), &model);
                prop_assert_eq!(entry.to_value(), Text::new(&model).into());
            }
            let expected = (Text::new(&model).into(), deadline.unwrap_or(NEVER));
            prop_assert_eq!(entry.into_value(), expected);
        }
    }

    #[test]
    fn a_small_key_and_value_share_a_cache_line() {
        let entry = Entry::with_text(&[b'k'; 16], &[b'v'; 32], NEVER, 0, 0);
        assert_eq!(entry.bytes() - SLOT_BYTES, 64);
        assert_eq!(entry.encoding(), "embstr");
    }
}
