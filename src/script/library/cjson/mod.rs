//! `cjson`: JSON. Each instance has settings of its own, which last as long as the interpreter.

mod decode;
mod encode;
mod settings;

use std::sync::Arc;

use mlua::{Function, LightUserData, Lua, MultiValue, Result, Table, Value};
use parking_lot::Mutex;

use super::argument::Arguments;
use settings::Settings;

/// JSON's null: no Lua value that a script could make.
const NULL: Value = Value::LightUserData(LightUserData(std::ptr::null_mut()));

/// The library with the settings that it begins with.
pub(super) fn table(lua: &Lua) -> Result<Table> {
    let table = lua.create_table()?;
    let shared = Arc::new(Mutex::new(Settings::default()));
    settings::add(lua, &table, &shared)?;
    let (own, next) = (shared.clone(), lua.globals().raw_get::<Function>("next")?);
    table.raw_set(
        "encode",
        lua.create_function(move |lua, values: MultiValue| {
            let arguments = Arguments::new(lua, "encode", &values);
            let value = only(&arguments)?;
            let settings = own.lock().clone();
            lua.create_string(encode::encode(value, &settings, &next)?)
        })?,
    )?;
    table.raw_set(
        "decode",
        lua.create_function(move |lua, values: MultiValue| {
            let arguments = Arguments::new(lua, "decode", &values);
            only(&arguments)?;
            let text = arguments.text(1)?;
            let settings = shared.lock().clone();
            decode::decode(lua, &text.as_bytes(), &settings)
        })?,
    )?;
    table.raw_set("new", lua.create_function(|lua, ()| self::table(lua))?)?;
    table.raw_set("null", NULL)?;
    table.raw_set("_NAME", "cjson")?;
    table.raw_set("_VERSION", "2.1.0")?;
    Ok(table)
}

fn only<'a>(arguments: &Arguments<'a>) -> Result<&'a Value> {
    match arguments.value(1) {
        Some(value) if arguments.len() == 1 => Ok(value),
        _ => Err(arguments.bad(1, "expected 1 argument")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::run;
    use mlua::Lua;
    use proptest::prelude::*;

    /// Each expected result is redis-server's.
    #[test]
    fn values_are_encoded_as_redis_does() {
        for (code, expected) in [
            ("cjson.encode({1, 2, 3})", "[1,2,3]"),
            ("cjson.encode({})", "{}"),
            ("cjson.encode({a = 1})", r#"{"a":1}"#),
            ("cjson.encode({[1] = 1, [2] = 2, [4] = 4})", "[1,2,null,4]"),
            ("cjson.encode('a/b\\n\\1\\127\"')", r#""a\/b\n\u0001\u007f\"""#),
            ("cjson.encode(0.1)", "0.1"),
            ("cjson.encode(1e15)", "1e+15"),
            ("cjson.encode(123456789012)", "123456789012"),
            ("cjson.encode(true)", "true"),
            ("cjson.encode(nil)", "null"),
            ("cjson.encode(cjson.null)", "null"),
            ("cjson.encode({[1.5] = 1})", r#"{"1.5":1}"#),
            ("cjson.encode({[1] = 1, [100] = 2})", "Cannot serialise table: excessively sparse array"),
            ("cjson.encode(print)", "Cannot serialise function: type not supported"),
            ("cjson.encode({[true] = 1})", "Cannot serialise boolean: table key must be a number or string"),
            ("cjson.encode(1/0)", "Cannot serialise number: must not be NaN or Inf"),
            ("cjson.encode()", "bad argument #1 to 'encode' (expected 1 argument)"),
            ("local t = {} t[1] = t return cjson.encode(t)", "Cannot serialise, excessive nesting (1001)"),
        ] {
            let code = if code.contains("return") { code.to_owned() } else { format!("return {code}") };
            assert_eq!(run(&code), expected, "{code}");
        }
    }

    #[test]
    fn text_is_decoded_as_redis_does() {
        for (code, expected) in [
            ("cjson.decode('[1,2,[3]]')[3][1]", "3"),
            ("cjson.decode('{\"a\":{\"b\":\"c\"}}').a.b", "c"),
            ("cjson.decode('\"\\\\u00e9\\\\ud83d\\\\ude00\\\\n\"')", "é😀\n"),
            ("cjson.decode('-1.5e2')", "-150"),
            ("cjson.decode(' true ')", "true"),
            ("cjson.decode('null') == cjson.null", "true"),
            ("#cjson.decode('[]')", "0"),
            ("cjson.decode('0x10')", "16"),
            ("cjson.decode('')", "Expected value but found T_END at character 1"),
            ("cjson.decode('{')", "Expected object key string but found T_END at character 2"),
            ("cjson.decode('[1')", "Expected comma or array end but found T_END at character 3"),
            ("cjson.decode('[1,]')", "Expected value but found T_ARR_END at character 4"),
            ("cjson.decode('{\"a\" 1}')", "Expected colon but found T_NUMBER at character 6"),
            ("cjson.decode('{\"a\":1 2}')", "Expected comma or object end but found T_NUMBER at character 8"),
            ("cjson.decode('1 2')", "Expected the end but found T_NUMBER at character 3"),
            ("cjson.decode('x')", "Expected value but found invalid token at character 1"),
            ("cjson.decode('\"a')", "Expected value but found unexpected end of string at character 3"),
            ("cjson.decode('\"\\\\x\"')", "Expected value but found invalid escape code at character 2"),
            (
                "cjson.decode('\"\\\\u12\"')",
                "Expected value but found invalid unicode escape code at character 2",
            ),
            ("cjson.decode({})", "bad argument #1 to 'decode' (string expected, got table)"),
            (
                "cjson.decode(('['):rep(1001))",
                "Found too many nested data structures (1001) at character 1001",
            ),
        ] {
            assert_eq!(run(&format!("return {code}")), expected, "{code}");
        }
    }

    #[test]
    fn settings_are_read_changed_and_refused() {
        for (code, expected) in [
            ("return cjson.encode_max_depth()", "1000"),
            (
                "cjson.encode_max_depth(1) return cjson.encode({{}})",
                "Cannot serialise, excessive nesting (2)",
            ),
            (
                "return cjson.decode_max_depth(0)",
                "bad argument #1 to 'decode_max_depth' (expected integer between 1 and 2147483647)",
            ),
            ("cjson.encode_number_precision(3) return cjson.encode(1.23456)", "1.23"),
            ("cjson.encode_sparse_array(true, 0, 0) return #cjson.encode({[100] = 1})", "498"),
            // Not in Redis, which would take minutes.
            (
                "cjson.encode_sparse_array(true, 0, 0) return cjson.encode({[2147483647] = 1})",
                r#"{"2147483647":1}"#,
            ),
            (
                "cjson.encode_sparse_array(false, 2, 2147483647) return cjson.encode({[2147483647] = 1})",
                "Cannot serialise table: excessively sparse array",
            ),
            ("cjson.encode_sparse_array(true) return cjson.encode({[100] = 1})", r#"{"100":1}"#),
            ("cjson.encode_invalid_numbers('null') return cjson.encode(1/0)", "null"),
            ("cjson.encode_invalid_numbers(true) return cjson.encode(-1/0)", "-inf"),
            (
                "return cjson.encode_keep_buffer('x')",
                "bad argument #1 to 'encode_keep_buffer' (invalid option 'x')",
            ),
            (
                "cjson.decode_invalid_numbers(false) return cjson.decode('0x10')",
                "Expected value but found invalid number at character 1",
            ),
            ("cjson.new().encode_max_depth(5) return cjson.encode_max_depth()", "1000"),
        ] {
            assert_eq!(run(code), expected, "{code}");
        }
    }

    #[test]
    fn depth_without_a_limit_is_refused_and_does_not_overflow_the_stack() {
        let deep = "cjson.decode_max_depth(2147483647) return cjson.decode(('['):rep(1000000))";
        assert!(run(deep).contains("too many nested data structures"), "{}", run(deep));
        let deep = "cjson.encode_max_depth(2147483647) local t = {} t[1] = t return cjson.encode(t)";
        assert!(run(deep).contains("excessive nesting"), "{}", run(deep));
    }

    #[test]
    fn many_values_at_once_are_no_matter() {
        let many = "local t = {} for i = 1, 200000 do t['key' .. i] = 'v' .. i end ";
        assert_eq!(run(&format!("{many} return cjson.decode(cjson.encode(t)).key777")), "v777");
        assert_eq!(run(&format!("{many} return cmsgpack.unpack(cmsgpack.pack(t)).key777")), "v777");
    }

    proptest! {
        #[test]
        fn no_text_does_harm(text: Vec<u8>) {
            let lua = Lua::new();
            let settings = super::Settings::default();
            let _ = super::decode::decode(&lua, &text, &settings);
        }

        #[test]
        fn what_is_encoded_is_decoded_to_the_same(words in prop::collection::vec(any::<String>(), 0..5), number in -1_000_000..1_000_000) {
            let lua = Lua::new();
            let settings = super::Settings::default();
            let table = lua.create_table().unwrap();
            table.set("n", number).unwrap();
            table.set("words", words.clone()).unwrap();
            let text = super::encode::encode(&mlua::Value::Table(table), &settings, &lua.globals().get("next").unwrap()).unwrap();
            let back = super::decode::decode(&lua, &text, &settings).unwrap();
            let back = back.as_table().unwrap();
            prop_assert_eq!(back.get::<i64>("n").unwrap(), i64::from(number));
            prop_assert_eq!(back.get::<Vec<String>>("words").unwrap(), words);
        }
    }
}
