//! `bit`: operations on the lowest 32 bits of numbers, whose results are signed.
//!
//! A number with a fraction is rounded to the nearest integer first, ties to even, and a shift's width counts modulo 32.

use mlua::{Lua, MultiValue, Result, Table, Value};

use super::argument::Arguments;

/// Digits of 32 bits in hexadecimal.
const DIGITS: u32 = 8;

/// A function of one number, and what scripts call it.
type Unary = (&'static str, fn(u32) -> u32);
/// A function of two.
type Binary = (&'static str, fn(u32, u32) -> u32);

pub(super) fn table(lua: &Lua) -> Result<Table> {
    let table = lua.create_table()?;
    let one: [Unary; 3] = [("tobit", |bits| bits), ("bnot", |bits| !bits), ("bswap", u32::swap_bytes)];
    for (name, operation) in one {
        let function = move |lua: &Lua, values: MultiValue| {
            Ok(signed(operation(bits(&Arguments::new(lua, name, &values), 1)?)))
        };
        table.raw_set(name, lua.create_function(function)?)?;
    }
    let many: [Binary; 3] = [("band", |a, b| a & b), ("bor", |a, b| a | b), ("bxor", |a, b| a ^ b)];
    for (name, operation) in many {
        let function = move |lua: &Lua, values: MultiValue| {
            let arguments = Arguments::new(lua, name, &values);
            let mut result = bits(&arguments, 1)?;
            for position in 2..=arguments.len() {
                result = operation(result, bits(&arguments, position)?);
            }
            Ok(signed(result))
        };
        table.raw_set(name, lua.create_function(function)?)?;
    }
    let shifts: [Binary; 5] = [
        ("lshift", u32::wrapping_shl),
        ("rshift", u32::wrapping_shr),
        ("arshift", |bits, width| bits.cast_signed().wrapping_shr(width).cast_unsigned()),
        ("rol", |bits, width| bits.rotate_left(width & 31)),
        ("ror", |bits, width| bits.rotate_right(width & 31)),
    ];
    for (name, operation) in shifts {
        let function = move |lua: &Lua, values: MultiValue| {
            let arguments = Arguments::new(lua, name, &values);
            let value = bits(&arguments, 1)?;
            Ok(signed(operation(value, bits(&arguments, 2)?)))
        };
        table.raw_set(name, lua.create_function(function)?)?;
    }
    table.raw_set("tohex", lua.create_function(to_hex)?)?;
    Ok(table)
}

/// Hexadecimal digits of a number: as many as the second argument says, in upper case where that is negative.
fn to_hex(lua: &Lua, values: MultiValue) -> Result<String> {
    let arguments = Arguments::new(lua, "tohex", &values);
    let value = bits(&arguments, 1)?;
    let wanted = if arguments.len() < 2 { DIGITS.cast_signed() } else { bits(&arguments, 2)?.cast_signed() };
    let count = wanted.unsigned_abs().min(DIGITS);
    let text = if wanted < 0 { format!("{value:08X}") } else { format!("{value:08x}") };
    Ok(text.chars().skip((DIGITS - count) as usize).collect())
}

fn bits(arguments: &Arguments<'_>, position: usize) -> Result<u32> {
    /// Added to a number of at most 51 bits, this leaves it as an integer in the lowest bits of the sum.
    const SHIFT: f64 = 6_755_399_441_055_744.0;
    let sum = arguments.number(position)? + SHIFT;
    #[expect(clippy::cast_possible_truncation, reason = "the lowest 32 bits are what is asked for")]
    Ok(sum.to_bits() as u32)
}

fn signed(bits: u32) -> Value {
    Value::Number(f64::from(bits.cast_signed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(code: &str) -> String {
        let lua = Lua::new();
        lua.globals().raw_set("bit", table(&lua).unwrap()).unwrap();
        match lua.load(format!("return tostring({code})")).eval::<String>() {
            Ok(text) => text,
            Err(mlua::Error::CallbackError { cause, .. }) => cause.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn results_are_those_of_redis() {
        for (code, result) in [
            ("bit.tobit(2^32)", "0"),
            ("bit.tobit(2^31)", "-2147483648"),
            ("bit.tobit(1.5)", "2"),
            ("bit.tobit(2.5)", "2"),
            ("bit.tobit(-1.5)", "-2"),
            ("bit.tobit(1e15)", "-1530494976"),
            ("bit.tobit(1e300)", "-2013235812"),
            ("bit.tobit(0/0)", "0"),
            ("bit.tobit(1/0)", "0"),
            ("bit.tobit('0x7f')", "127"),
            ("bit.tobit(' 12 ')", "12"),
            ("bit.tohex(1)", "00000001"),
            ("bit.tohex(-1, 4)", "ffff"),
            ("bit.tohex(0x87654321, 4)", "4321"),
            ("bit.tohex(255, -8)", "000000FF"),
            ("bit.tohex(255, -4)", "00FF"),
            ("bit.tohex(255, 0)", ""),
            ("bit.tohex(255, 100)", "000000ff"),
            ("bit.tohex(255, 2^31)", "000000FF"),
            ("bit.bnot(0)", "-1"),
            ("bit.bnot(1.5)", "-3"),
            ("bit.band(0xff, 0x0f, 3)", "3"),
            ("bit.band(5)", "5"),
            ("bit.bor(1, 2, 4)", "7"),
            ("bit.bxor(1, 3, 7)", "5"),
            ("bit.lshift(1, 31)", "-2147483648"),
            ("bit.lshift(1, 33)", "2"),
            ("bit.lshift(1, -1)", "-2147483648"),
            ("bit.rshift(-1, 28)", "15"),
            ("bit.arshift(-256, 4)", "-16"),
            ("bit.arshift(-1, 32)", "-1"),
            ("bit.rol(0x12345678, 12)", "1164411171"),
            ("bit.ror(0x12345678, 12)", "1736516421"),
            ("bit.bswap(0x12345678)", "2018915346"),
            ("bit.bswap(-2)", "-16777217"),
        ] {
            assert_eq!(run(code), result, "{code}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for (code, why) in [
            ("bit.band()", "bad argument #1 to 'band' (number expected, got no value)"),
            ("bit.bor(1, 2, 'x')", "bad argument #3 to 'bor' (number expected, got string)"),
            ("bit.bor(1, nil)", "bad argument #2 to 'bor' (number expected, got nil)"),
            ("bit.tobit(true)", "bad argument #1 to 'tobit' (number expected, got boolean)"),
            ("bit.lshift(1)", "bad argument #2 to 'lshift' (number expected, got no value)"),
            ("bit.lshift(1, {})", "bad argument #2 to 'lshift' (number expected, got table)"),
            ("bit.tohex(1, nil)", "bad argument #2 to 'tohex' (number expected, got nil)"),
        ] {
            assert!(run(code).ends_with(why), "{code}: {}", run(code));
        }
    }
}
