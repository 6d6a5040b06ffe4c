//! `struct`: numbers and text as the bytes that C would lay them out in.
//!
//! ```text
//! < > =      order of bytes from here on       !N      alignment from here on, 8 without N
//! b B h H    1 or 2 bytes                      l L T   8 bytes          i I   4 bytes, or N
//! f d        float, double                     s       text and a zero  cN    N bytes of text, 1 without N
//! x          one zero byte                     blank   nothing
//! ```

use mlua::{Error, Lua, MultiValue, Result, Table, Value};

use super::argument::Arguments;

/// Bytes that an integer may have.
const INTEGER_MAX: usize = 32;
/// Values that one call may return.
const RESULTS_MAX: usize = 7_990;

pub(super) fn table(lua: &Lua) -> Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("pack", lua.create_function(pack)?)?;
    table.raw_set("unpack", lua.create_function(unpack)?)?;
    table.raw_set("size", lua.create_function(size)?)?;
    Ok(table)
}

/// What one letter of a format stands for.
enum Item {
    Integer {
        size: usize,
        signed: bool,
    },
    Float,
    Double,
    /// Text with a zero at its end.
    Terminated,
    /// So many bytes; 0 has a meaning of its own.
    Bytes(usize),
    Padding,
    /// Changes how what follows is laid out.
    Nothing,
}

impl Item {
    /// Bytes that it takes, where its letter alone tells.
    fn size(&self) -> usize {
        match self {
            Item::Integer { size, .. } | Item::Bytes(size) => *size,
            Item::Float => 4,
            Item::Double => 8,
            Item::Padding => 1,
            Item::Terminated | Item::Nothing => 0,
        }
    }

    fn is_aligned(&self) -> bool {
        !matches!(self, Item::Bytes(_) | Item::Padding | Item::Terminated | Item::Nothing)
    }
}

/// Reads a format letter by letter.
struct Format<'f> {
    rest: &'f [u8],
    is_big: bool,
    alignment: usize,
}

impl<'f> Format<'f> {
    /// A format ends at a zero byte.
    fn new(text: &'f [u8]) -> Self {
        let end = text.iter().position(|&byte| byte == 0).unwrap_or(text.len());
        Format { rest: &text[..end], is_big: false, alignment: 1 }
    }

    /// The next item; the letter of one that is none.
    fn next(&mut self) -> Result<Option<std::result::Result<Item, u8>>> {
        let Some((&letter, rest)) = self.rest.split_first() else { return Ok(None) };
        self.rest = rest;
        let integer = |size, signed| Item::Integer { size, signed };
        Ok(Some(Ok(match letter {
            b'b' | b'B' => integer(1, letter == b'b'),
            b'h' | b'H' => integer(2, letter == b'h'),
            b'l' | b'L' | b'T' => integer(8, letter == b'l'),
            b'i' | b'I' => {
                let size = self.number(4)?;
                if size > INTEGER_MAX {
                    let text = format!("integral size {size} is larger than limit of {INTEGER_MAX}");
                    return Err(refused(&text));
                }
                integer(size, letter == b'i')
            }
            b'f' => Item::Float,
            b'd' => Item::Double,
            b's' => Item::Terminated,
            b'c' => Item::Bytes(self.number(1)?),
            b'x' => Item::Padding,
            b' ' => Item::Nothing,
            b'<' | b'>' => {
                self.is_big = letter == b'>';
                Item::Nothing
            }
            b'!' => {
                let alignment = self.number(8)?;
                if !alignment.is_power_of_two() {
                    return Err(refused(&format!("alignment {alignment} is not a power of 2")));
                }
                self.alignment = alignment;
                Item::Nothing
            }
            _ => return Ok(Some(Err(letter))),
        })))
    }

    /// The digits that follow, if any do.
    fn number(&mut self, default: usize) -> Result<usize> {
        let count = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.rest.split_at(count);
        self.rest = rest;
        if digits.is_empty() {
            return Ok(default);
        }
        let text = String::from_utf8_lossy(digits);
        text.parse::<i32>().map(|number| number as usize).map_err(|_| refused("integral size overflow"))
    }

    /// Bytes that are skipped before an item at this place.
    fn gap(&self, item: &Item, at: usize) -> usize {
        let alignment = item.size().min(self.alignment);
        match item.is_aligned() && alignment > 1 && alignment.is_power_of_two() {
            true => at.wrapping_neg() & (alignment - 1),
            false => 0,
        }
    }
}

fn unknown(arguments: &Arguments<'_>, letter: u8) -> Error {
    arguments.bad(1, &format!("invalid format option '{}'", char::from(letter)))
}

fn pack(lua: &Lua, values: MultiValue) -> Result<mlua::LuaString> {
    let arguments = Arguments::new(lua, "pack", &values);
    let text = arguments.text(1)?;
    let text = text.as_bytes();
    let mut format = Format::new(&text);
    let (mut out, mut position) = (Vec::new(), 1);
    while let Some(item) = format.next()? {
        let item = item.map_err(|letter| unknown(&arguments, letter))?;
        out.resize(out.len() + format.gap(&item, out.len()), 0);
        if !matches!(item, Item::Padding | Item::Nothing) {
            position += 1;
        }
        match item {
            Item::Integer { size, .. } => {
                let mut bytes = [0; INTEGER_MAX];
                bytes[..8].copy_from_slice(&wrapped(arguments.number(position)?).to_le_bytes());
                push(&bytes[..size], format.is_big, &mut out);
            }
            #[expect(clippy::cast_possible_truncation, reason = "a float was asked for")]
            Item::Float => {
                push(&(arguments.number(position)? as f32).to_le_bytes(), format.is_big, &mut out);
            }
            Item::Double => push(&arguments.number(position)?.to_le_bytes(), format.is_big, &mut out),
            Item::Terminated => {
                out.extend_from_slice(&arguments.text(position)?.as_bytes());
                out.push(0);
            }
            Item::Bytes(count) => {
                let text = arguments.text(position)?;
                let text = text.as_bytes();
                let wanted = if count == 0 { text.len() } else { count };
                let bytes = text.get(..wanted).ok_or_else(|| arguments.bad(position, "string too short"))?;
                out.extend_from_slice(bytes);
            }
            Item::Padding => out.push(0),
            Item::Nothing => {}
        }
    }
    lua.create_string(out)
}

/// A number as 64 bits: negative ones by their sign, others without one.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "as C does it")]
fn wrapped(number: f64) -> u64 {
    if number < 0.0 { (number as i64) as u64 } else { number as u64 }
}

fn push(little: &[u8], is_big: bool, out: &mut Vec<u8>) {
    match is_big {
        true => out.extend(little.iter().rev()),
        false => out.extend_from_slice(little),
    }
}

fn unpack(lua: &Lua, values: MultiValue) -> Result<MultiValue> {
    let arguments = Arguments::new(lua, "unpack", &values);
    let (text, data) = (arguments.text(1)?, arguments.text(2)?);
    let (text, data) = (text.as_bytes(), data.as_bytes());
    let first = if arguments.given(3).is_some() { arguments.number(3)? } else { 1.0 };
    if (0.0..1.0).contains(&first) {
        return Err(arguments.bad(3, "offset must be 1 or greater"));
    }
    let mut format = Format::new(&text);
    // A place before the data is as far off as one behind it.
    let mut at = if first < 0.0 { usize::MAX } else { wrapped(first) as usize - 1 };
    let mut results: Vec<Value> = Vec::new();
    while let Some(item) = format.next()? {
        let item = item.map_err(|letter| unknown(&arguments, letter))?;
        if results.len() >= RESULTS_MAX {
            return Err(refused("stack overflow (too many results)"));
        }
        let short = || arguments.bad(2, "data string too short");
        at = at.checked_add(format.gap(&item, at)).ok_or_else(short)?;
        let take = |at: usize, count: usize| {
            at.checked_add(count).and_then(|end| data.get(at..end)).ok_or_else(short)
        };
        let bytes = take(at, item.size())?;
        at += bytes.len();
        let ordered = || {
            let mut wide = [0; 8];
            let count = bytes.len().min(8);
            for (index, to) in wide[..count].iter_mut().enumerate() {
                *to = if format.is_big { bytes[bytes.len() - 1 - index] } else { bytes[index] };
            }
            u64::from_le_bytes(wide)
        };
        match item {
            Item::Integer { size, signed } => {
                let bits = ordered();
                let shift = 64 - 8 * size.min(8) as u32;
                let number = match signed {
                    true if shift < 64 => ((bits << shift).cast_signed() >> shift) as f64,
                    _ => bits as f64,
                };
                results.push(Value::Number(number));
            }
            Item::Float => results.push(Value::Number(f64::from(f32::from_bits(ordered() as u32)))),
            Item::Double => results.push(Value::Number(f64::from_bits(ordered()))),
            Item::Terminated => {
                let rest = data.get(at..).ok_or_else(short)?;
                let end = rest.iter().position(|&byte| byte == 0);
                let end = end.ok_or_else(|| refused("unfinished string in data"))?;
                results.push(Value::String(lua.create_string(&rest[..end])?));
                at += end + 1;
            }
            Item::Bytes(0) => {
                let size = match results.pop() {
                    Some(value @ (Value::Number(_) | Value::String(_))) => lua.coerce_number(value)?,
                    _ => None,
                };
                let size = size.ok_or_else(|| refused("format 'c0' needs a previous size"))?;
                let bytes = take(at, usize::try_from(wrapped(size)).map_err(|_| short())?)?;
                at += bytes.len();
                results.push(Value::String(lua.create_string(bytes)?));
            }
            Item::Bytes(_) => results.push(Value::String(lua.create_string(bytes)?)),
            Item::Padding | Item::Nothing => {}
        }
    }
    results.push(Value::Number(at.wrapping_add(1) as f64));
    Ok(results.into_iter().collect())
}

fn size(lua: &Lua, values: MultiValue) -> Result<f64> {
    let arguments = Arguments::new(lua, "size", &values);
    let text = arguments.text(1)?;
    let text = text.as_bytes();
    let mut format = Format::new(&text);
    let mut total = 0usize;
    while let Some(item) = format.next()? {
        let item = match item {
            // Redis counts a letter or digit that means nothing as no bytes here.
            Err(letter) if letter.is_ascii_alphanumeric() => Item::Nothing,
            Err(letter) => return Err(unknown(&arguments, letter)),
            Ok(item) => item,
        };
        match item {
            Item::Terminated => return Err(arguments.bad(1, "option 's' has no fixed size")),
            Item::Bytes(0) => return Err(arguments.bad(1, "option 'c0' has no fixed size")),
            _ => total = total.saturating_add(format.gap(&item, total)).saturating_add(item.size()),
        }
    }
    Ok(total as f64)
}

fn refused(text: &str) -> Error {
    Error::RuntimeError(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::tests::run;
    use proptest::prelude::*;

    fn packed(arguments: &str) -> String {
        run(&format!(
            "return (struct.pack({arguments}):gsub('.', function(c) return ('%02x'):format(c:byte()) end))"
        ))
    }

    #[test]
    fn values_are_laid_out_as_in_c() {
        for (arguments, expected) in [
            ("'b', -1", "ff"),
            ("'>H', 258", "0102"),
            ("'<H', 258", "0201"),
            ("'i3', -2", "feffff"),
            ("'>l', 1", "0000000000000001"),
            ("'f', 1", "0000803f"),
            ("'>d', 1", "3ff0000000000000"),
            ("'s', 'ab'", "616200"),
            ("'c2', 'abc'", "6162"),
            ("'c0', 'abc'", "616263"),
            ("'bxb', 1, 2", "010002"),
            ("'!4bi', 1, 2", "0100000002000000"),
            ("'n', 1", "bad argument #1 to 'pack' (invalid format option 'n')"),
            ("'c5', 'abc'", "bad argument #2 to 'pack' (string too short)"),
            ("'i33', 1", "integral size 33 is larger than limit of 32"),
            ("'!3b', 1", "alignment 3 is not a power of 2"),
        ] {
            let found = packed(arguments);
            assert_eq!(found, expected, "{arguments}");
        }
    }

    #[test]
    fn what_was_laid_out_is_read_back() {
        for (code, expected) in [
            ("return (struct.unpack('b', '\\255'))", "-1"),
            ("return (struct.unpack('>H', '\\1\\2'))", "258"),
            ("return (struct.unpack('i3', '\\254\\255\\255'))", "-2"),
            ("return (struct.unpack('s', 'ab\\0c'))", "ab"),
            ("return (struct.unpack('bc0', '\\2abc'))", "ab"),
            ("return select(2, struct.unpack('b', '\\1\\2'))", "2"),
            ("return (struct.unpack('b', '\\1\\2', 2))", "2"),
            ("return struct.unpack('i', 'ab')", "bad argument #2 to 'unpack' (data string too short)"),
            (
                "return struct.unpack('b', 'ab', 0)",
                "bad argument #3 to 'unpack' (offset must be 1 or greater)",
            ),
            ("return struct.unpack('b', 'ab', -5)", "bad argument #2 to 'unpack' (data string too short)"),
            ("return struct.unpack('s', 'ab')", "unfinished string in data"),
            ("return struct.unpack('c0', 'ab')", "format 'c0' needs a previous size"),
            ("return struct.size('!8bd')", "16"),
            ("return struct.size('s')", "bad argument #1 to 'size' (option 's' has no fixed size)"),
        ] {
            assert_eq!(run(code), expected, "{code}");
        }
    }

    proptest! {
        #[test]
        fn no_format_and_no_data_do_harm(format in "[bBhHlLTiIfdscx<>! 0-9]{0,12}", data: Vec<u8>, place in -3..20i32) {
            let lua = mlua::Lua::new();
            super::super::install(&lua, &lua.globals()).unwrap();
            let unpack: mlua::Function = lua.load("return struct.unpack").eval().unwrap();
            let _ = unpack.call::<mlua::MultiValue>((format.as_str(), lua.create_string(&data).unwrap(), place));
            let size: mlua::Function = lua.load("return struct.size").eval().unwrap();
            let _ = size.call::<mlua::MultiValue>(format);
        }
    }
}
