//! `cmsgpack`: MessagePack, as Redis's scripts know it.
//!
//! ```text
//! whole number      the shortest integer             nil, function, 17th table within table   nil
//! other number      float if exact, else double      array (keys 1 to n) or empty             array
//! string            str of 8, 16 or 32 bits          other table                              map
//! ```

use mlua::{Error, Lua, MultiValue, Result, Table, Value};

use super::argument::Arguments;

/// Tables in tables that are packed.
const PACK_DEPTH_MAX: usize = 16;
/// Arrays and maps in each other that are unpacked.
const UNPACK_DEPTH_MAX: usize = 200;
/// Values that one call may return.
const RESULTS_MAX: usize = 7_990;

pub(super) fn table(lua: &Lua) -> Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("pack", lua.create_function(pack)?)?;
    table.raw_set(
        "unpack",
        lua.create_function(|lua, values: MultiValue| {
            let arguments = Arguments::new(lua, "unpack", &values);
            unpack(lua, &arguments.text(1)?.as_bytes(), None, 0)
        })?,
    )?;
    table.raw_set(
        "unpack_one",
        lua.create_function(|lua, values: MultiValue| {
            let arguments = Arguments::new(lua, "unpack_one", &values);
            let offset = if arguments.len() > 1 { arguments.int(2)? } else { 0 };
            unpack(lua, &arguments.text(1)?.as_bytes(), Some(1), offset)
        })?,
    )?;
    table.raw_set(
        "unpack_limit",
        lua.create_function(|lua, values: MultiValue| {
            let arguments = Arguments::new(lua, "unpack_limit", &values);
            let offset = if arguments.len() > 2 { arguments.int(3)? } else { 0 };
            let limit = arguments.int(2)?;
            unpack(lua, &arguments.text(1)?.as_bytes(), Some(limit), offset)
        })?,
    )?;
    table.raw_set("_NAME", "cmsgpack")?;
    table.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    table.raw_set("_DESCRIPTION", "MessagePack C implementation for Lua")?;
    Ok(table)
}

fn pack(lua: &Lua, values: MultiValue) -> Result<mlua::LuaString> {
    if values.is_empty() {
        return Err(refused("bad argument #0 to 'pack' (MessagePack pack needs input.)"));
    }
    let mut out = Vec::new();
    for value in &values {
        pack_value(value, 0, &mut out)?;
    }
    lua.create_string(out)
}

fn pack_value(value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<()> {
    match value {
        Value::Boolean(truth) => out.push(if *truth { 0xc3 } else { 0xc2 }),
        Value::Integer(number) => pack_integer(*number, out),
        Value::Number(number) => pack_number(*number, out),
        Value::String(text) => pack_text(&text.as_bytes(), out),
        Value::Table(table) if depth < PACK_DEPTH_MAX => pack_table(table, depth, out)?,
        _ => out.push(0xc0),
    }
    Ok(())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the ranges are checked")]
fn pack_integer(number: i64, out: &mut Vec<u8>) {
    let bytes = number.to_be_bytes();
    match number {
        -32..=127 => out.push(number as u8),
        128..=0xff => out.extend_from_slice(&[0xcc, bytes[7]]),
        0x100..=0xffff => tagged(0xcd, &bytes[6..], out),
        0x1_0000..=0xffff_ffff => tagged(0xce, &bytes[4..], out),
        0x1_0000_0000.. => tagged(0xcf, &bytes, out),
        -0x80..=-33 => out.extend_from_slice(&[0xd0, bytes[7]]),
        -0x8000..=-0x81 => tagged(0xd1, &bytes[6..], out),
        -0x8000_0000..=-0x8001 => tagged(0xd2, &bytes[4..], out),
        _ => tagged(0xd3, &bytes, out),
    }
}

fn pack_number(number: f64, out: &mut Vec<u8>) {
    /// 2^63: from here on a number is no 64-bit integer.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a whole number within 64 bits; or tried whether it is exact"
    )]
    if number.fract() == 0.0 && (-LIMIT..LIMIT).contains(&number) {
        pack_integer(number as i64, out);
    } else if f64::from(number as f32).to_bits() == number.to_bits() {
        tagged(0xca, &(number as f32).to_be_bytes(), out);
    } else {
        tagged(0xcb, &number.to_be_bytes(), out);
    }
}

fn pack_text(text: &[u8], out: &mut Vec<u8>) {
    let length = (text.len() as u64).to_be_bytes();
    match text.len() {
        0..=31 => out.push(0xa0 | length[7]),
        32..=0xff => tagged(0xd9, &length[7..], out),
        0x100..=0xffff => tagged(0xda, &length[6..], out),
        _ => tagged(0xdb, &length[4..], out),
    }
    out.extend_from_slice(text);
}

fn pack_table(table: &Table, depth: usize, out: &mut Vec<u8>) -> Result<()> {
    let (mut pairs, mut last, mut has_others) = (0usize, 0, false);
    for pair in table.pairs::<Value, Value>() {
        pairs += 1;
        match pair?.0 {
            Value::Integer(index) if index > 0 => last = last.max(index as usize),
            _ => has_others = true,
        }
    }
    // Keys are never the same twice: if none is above the count, all from 1 to it are there.
    let is_array = !has_others && last == pairs;
    let count = (pairs as u64).to_be_bytes();
    let (short, long) = if is_array { (0x90, 0xdc) } else { (0x80, 0xde) };
    match pairs {
        0..=15 => out.push(short | count[7]),
        16..=0xffff => tagged(long, &count[6..], out),
        _ => tagged(long + 1, &count[4..], out),
    }
    if is_array {
        for index in 1..=pairs {
            pack_value(&table.raw_get(index)?, depth + 1, out)?;
        }
    } else {
        for pair in table.pairs::<Value, Value>() {
            let (key, value) = pair?;
            pack_value(&key, depth + 1, out)?;
            pack_value(&value, depth + 1, out)?;
        }
    }
    Ok(())
}

fn tagged(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    out.extend_from_slice(bytes);
}

/// Values from `offset` on: all without a limit, else the next offset (-1 at the end) and so many.
fn unpack(lua: &Lua, text: &[u8], limit: Option<i32>, offset: i32) -> Result<MultiValue> {
    let (length, count) = (text.len(), limit.unwrap_or(0));
    if offset < 0 || count < 0 {
        let text = format!("Invalid request to unpack with offset of {offset} and limit of {length}.");
        return Err(refused(&text));
    }
    let start = offset as usize;
    if start > length {
        return Err(refused(&format!("Start offset {offset} greater than input length {length}.")));
    }
    let takes_all = limit.is_none() || (count == 0 && start == 0);
    let mut reader = Reader { lua, text, at: start };
    let mut values = Vec::new();
    while reader.at < length && (takes_all || values.len() < count as usize) {
        if values.len() >= RESULTS_MAX {
            return Err(refused(
                "stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)",
            ));
        }
        values.push(reader.value(0)?);
    }
    if !takes_all {
        let next = if reader.at < length { reader.at as i64 } else { -1 };
        values.insert(0, Value::Number(next as f64));
    }
    Ok(values.into_iter().collect())
}

struct Reader<'t> {
    lua: &'t Lua,
    text: &'t [u8],
    at: usize,
}

impl<'t> Reader<'t> {
    fn take(&mut self, count: usize) -> Result<&'t [u8]> {
        let end = self.at.checked_add(count);
        let bytes = end.and_then(|end| self.text.get(self.at..end)).ok_or_else(|| refused(CUT))?;
        self.at += count;
        Ok(bytes)
    }

    /// An unsigned number of so many bytes.
    fn unsigned(&mut self, count: usize) -> Result<u64> {
        Ok(self.take(count)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// A signed one.
    fn signed(&mut self, count: usize) -> Result<f64> {
        let shift = 64 - 8 * count as u32;
        Ok(((self.unsigned(count)? << shift).cast_signed() >> shift) as f64)
    }

    fn size(&mut self, count: usize) -> Result<usize> {
        usize::try_from(self.unsigned(count)?).map_err(|_| refused(CUT))
    }

    fn value(&mut self, depth: usize) -> Result<Value> {
        let tag = self.take(1)?[0];
        Ok(match tag {
            0..=0x7f => Value::Number(f64::from(tag)),
            0xe0.. => Value::Number(f64::from(tag.cast_signed())),
            0x80..=0x8f => self.map(usize::from(tag & 15), depth)?,
            0x90..=0x9f => self.array(usize::from(tag & 15), depth)?,
            0xa0..=0xbf => self.string(usize::from(tag & 31))?,
            0xc0 => Value::Nil,
            0xc2 => Value::Boolean(false),
            0xc3 => Value::Boolean(true),
            0xca => {
                let bits = self.unsigned(4)? as u32;
                Value::Number(f64::from(f32::from_bits(bits)))
            }
            0xcb => Value::Number(f64::from_bits(self.unsigned(8)?)),
            0xcc..=0xcf => Value::Number(self.unsigned(1 << (tag - 0xcc))? as f64),
            0xd0..=0xd3 => Value::Number(self.signed(1 << (tag - 0xd0))?),
            0xd9..=0xdb => {
                let length = self.size(1 << (tag - 0xd9))?;
                self.string(length)?
            }
            0xdc | 0xdd => {
                let count = self.size(2 << (tag - 0xdc))?;
                self.array(count, depth)?
            }
            0xde | 0xdf => {
                let count = self.size(2 << (tag - 0xde))?;
                self.map(count, depth)?
            }
            _ => return Err(refused("Bad data format in input.")),
        })
    }

    fn string(&mut self, length: usize) -> Result<Value> {
        Ok(Value::String(self.lua.create_string(self.take(length)?)?))
    }

    fn array(&mut self, count: usize, depth: usize) -> Result<Value> {
        check_depth(depth, "array")?;
        let table = self.lua.create_table()?;
        for index in 1..=count {
            table.raw_set(index, self.value(depth + 1)?)?;
        }
        Ok(Value::Table(table))
    }

    fn map(&mut self, count: usize, depth: usize) -> Result<Value> {
        check_depth(depth, "hash")?;
        let table = self.lua.create_table()?;
        for _ in 0..count {
            let key = self.value(depth + 1)?;
            let value = self.value(depth + 1)?;
            match &key {
                Value::Nil => return Err(refused("table index is nil")),
                Value::Number(number) if number.is_nan() => return Err(refused("table index is NaN")),
                _ => table.raw_set(key, value)?,
            }
        }
        Ok(Value::Table(table))
    }
}

const CUT: &str = "Missing bytes in input.";

fn check_depth(depth: usize, kind: &str) -> Result<()> {
    match depth < UNPACK_DEPTH_MAX {
        true => Ok(()),
        false => Err(refused(&format!("stack overflow (in function mp_decode_to_lua_{kind})"))),
    }
}

fn refused(text: &str) -> Error {
    Error::RuntimeError(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::tests::run;
    use mlua::Lua;
    use proptest::prelude::*;

    /// A snippet's bytes in hexadecimal.
    fn packed(code: &str) -> String {
        run(&format!(
            "return (cmsgpack.pack({code}):gsub('.', function(c) return ('%02x'):format(c:byte()) end))"
        ))
    }

    #[test]
    fn values_are_packed_in_their_shortest_form() {
        for (code, expected) in [
            ("0", "00"),
            ("127", "7f"),
            ("128", "cc80"),
            ("65536", "ce00010000"),
            ("2^40", "cf0000010000000000"),
            ("-1", "ff"),
            ("-33", "d0df"),
            ("-32769", "d2ffff7fff"),
            ("0.5", "ca3f000000"),
            ("0.1", "cb3fb999999999999a"),
            ("2^63", "ca5f000000"),
            ("'abc'", "a3616263"),
            ("true, nil, false", "c3c0c2"),
            ("{}", "90"),
            ("{1, 2}", "920102"),
            ("{a = 1}", "81a16101"),
            ("{[2] = 1}", "810201"),
            ("print", "c0"),
        ] {
            assert_eq!(packed(code), expected, "{code}");
        }
    }

    #[test]
    fn what_was_packed_is_unpacked() {
        for (code, expected) in [
            ("local t = cmsgpack.unpack(cmsgpack.pack({1, {a = 'b'}})) return t[2].a", "b"),
            ("return select('#', cmsgpack.unpack(cmsgpack.pack(1, 2, 3)))", "3"),
            ("return (cmsgpack.unpack_one(cmsgpack.pack(1, 2)))", "1"),
            ("return select(2, cmsgpack.unpack_one(cmsgpack.pack(1, 2), 1))", "2"),
            ("return (cmsgpack.unpack_limit(cmsgpack.pack(1, 2), 2))", "-1"),
            ("return cmsgpack.unpack('\\193')", "Bad data format in input."),
            ("return cmsgpack.unpack('\\163a')", "Missing bytes in input."),
            ("return cmsgpack.unpack_one('a', 5)", "Start offset 5 greater than input length 1."),
            (
                "return cmsgpack.unpack_limit('a', -1)",
                "Invalid request to unpack with offset of 0 and limit of 1.",
            ),
            (
                "return cmsgpack.unpack(('\\145'):rep(100000))",
                "stack overflow (in function mp_decode_to_lua_array)",
            ),
            ("local t = {} t[1] = t return #cmsgpack.pack(t)", "17"),
        ] {
            assert_eq!(run(code), expected, "{code}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_do_harm(bytes: Vec<u8>) {
            let _ = super::unpack(&Lua::new(), &bytes, None, 0);
        }

        #[test]
        fn numbers_come_back(number: f64, whole: i32) {
            for number in [number, f64::from(whole)] {
                let mut out = Vec::new();
                super::pack_number(number, &mut out);
                let values = super::unpack(&Lua::new(), &out, None, 0).unwrap();
                prop_assert!(values[0].as_number().is_some_and(|back| back == number || number.is_nan()));
            }
        }
    }
}
