//! A bound for the patterns of Lua.
//!
//! The matcher of Lua 5.1 calls itself for each repetition and each capture in a pattern, one inside the other, and nothing
//! stops it: a pattern of some thousands of them runs over the end of the thread's stack, which ends the process. How deep
//! it gets depends on the pattern alone; the text only decides how often. So the functions that take a pattern look at it
//! first, and refuse it in the words of later versions of Lua, which have the same limit.
//!
//! Each of them stands before the original as a function of C does, and calls it in its own place. So the original finds its
//! arguments, its caller's line and the name that it was called by where it would without us.

#![expect(unsafe_code, reason = "the interpreter's own functions are called on its stack")]

use std::ffi::c_int;

use mlua::{Function, Lua, Result, Table, ffi, lua_State};

/// How often the matcher may call itself, one call inside the other: as often as in later versions of Lua. A call takes less
/// than 200 bytes of stack.
const DEPTH_MAX: usize = 200;

/// Puts the bound before those functions of `string` that take a pattern.
pub(super) fn bound(lua: &Lua, string: &Table) -> Result<()> {
    for name in ["find", "match", "gmatch", "gfind", "gsub"] {
        let guard = if name == "find" { find } else { other };
        let original: Function = string.raw_get(name)?;
        // SAFETY: the original is on the stack alone, and the closure takes its place.
        let bounded: Function =
            unsafe { lua.exec_raw(original, |state| ffi::lua_pushcclosure(state, guard, 1))? };
        string.raw_set(name, bounded)?;
    }
    Ok(())
}

unsafe extern "C-unwind" fn find(state: *mut lua_State) -> c_int {
    // SAFETY: called by the interpreter. A fourth argument that is true says that the text to find is no pattern.
    unsafe {
        match ffi::lua_toboolean(state, 4) {
            0 => other(state),
            _ => original(state),
        }
    }
}

unsafe extern "C-unwind" fn other(state: *mut lua_State) -> c_int {
    // SAFETY: called by the interpreter. An error leaves by a jump, and nothing here needs to be dropped.
    unsafe {
        if is_too_complex(state) {
            return ffi::luaL_error(state, c"pattern too complex".as_ptr());
        }
        original(state)
    }
}

/// # Safety
/// Only for a function that the interpreter has called.
unsafe fn is_too_complex(state: *mut lua_State) -> bool {
    // SAFETY: a string stays where it is while it is an argument. Numbers are left alone: reading one would change it.
    unsafe {
        if ffi::lua_type(state, 2) != ffi::LUA_TSTRING {
            return false;
        }
        let mut length = 0;
        let text = ffi::lua_tolstring(state, 2, &raw mut length);
        // No call without a character of its own.
        length > DEPTH_MAX && depth(std::slice::from_raw_parts(text.cast(), length)) > DEPTH_MAX
    }
}

/// # Safety
/// Only for a closure made by `bound` that the interpreter has called.
unsafe fn original(state: *mut lua_State) -> c_int {
    // SAFETY: the function was put there by `bound`; it is called as the interpreter would, with the same stack.
    unsafe {
        match ffi::lua_tocfunction(state, ffi::lua_upvalueindex(1)) {
            Some(function) => function(state),
            None => 0,
        }
    }
}

/// How many calls of the matcher a pattern can have inside each other, at most.
fn depth(pattern: &[u8]) -> usize {
    // The matcher takes this character for the end.
    let pattern = pattern.split(|byte| *byte == 0).next().unwrap_or_default();
    match pattern {
        // An anchor for some of the functions, and a character to gmatch.
        [b'^', rest @ ..] => items(pattern).max(items(rest)),
        _ => items(pattern),
    }
}

/// Counts captures and repetitions. It goes through the pattern as the matcher does: what looks like a repetition may be a
/// member of a class, or a character that is repeated.
fn items(mut pattern: &[u8]) -> usize {
    let mut count = 0;
    loop {
        pattern = match pattern {
            [] => return count,
            [b'(' | b')', rest @ ..] => {
                count += 1;
                rest
            }
            [b'%', b'b', _, _, rest @ ..] | [b'%', b'0'..=b'9', rest @ ..] => rest,
            [b'%', b'f', rest @ ..] if rest.starts_with(b"[") => after_item(rest),
            _ => match after_item(pattern) {
                [b'*' | b'+' | b'?' | b'-', rest @ ..] => {
                    count += 1;
                    rest
                }
                rest => rest,
            },
        };
    }
}

/// What follows a character, an escape or a class. Nothing follows one that is cut off: there the matcher gives up.
fn after_item(pattern: &[u8]) -> &[u8] {
    match pattern {
        [b'%', _, rest @ ..] => rest,
        [b'[', b'^', rest @ ..] | [b'[', rest @ ..] => after_class(rest),
        [_, rest @ ..] => rest,
        [] => &[],
    }
}

/// What follows a class, from its first member on, which may be its closing bracket.
fn after_class(mut members: &[u8]) -> &[u8] {
    loop {
        members = match members {
            [b'%', _, rest @ ..] | [_, rest @ ..] => rest,
            [] => return &[],
        };
        if let [b']', rest @ ..] = members {
            return rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use mlua::Value;
    use proptest::prelude::*;

    use super::*;

    const COMPLEX: &str = "pattern too complex";

    fn bounded() -> Lua {
        let lua = Lua::new();
        bound(&lua, &lua.globals().raw_get("string").unwrap()).unwrap();
        lua
    }

    /// What a snippet returns, each value with its type, or the text of its error.
    fn run(lua: &Lua, code: &str) -> String {
        let shown = |value: &Value| format!("{}:{}", value.type_name(), value.to_string().unwrap());
        match lua.load(code).set_name("=script").eval::<mlua::MultiValue>() {
            Ok(values) => values.iter().map(shown).collect::<Vec<_>>().join(" "),
            // Without the trace.
            Err(error) => {
                crate::script::engine::message(&error).lines().next().unwrap_or_default().to_owned()
            }
        }
    }

    #[test]
    fn a_pattern_that_would_use_up_the_stack_is_refused() {
        let lua = bounded();
        for item in ["a*", "a+", "a?", "a-", "%a*", "[%]a]-", ".?", "\\n*", "(", ")", "()"] {
            let pattern = format!("string.rep('{item}', 50000)");
            for call in [
                format!("string.find(string.rep('a', 60000), {pattern})"),
                format!("string.match(string.rep('a', 60000), '^' .. {pattern})"),
                format!("string.gsub(string.rep('a', 60000), {pattern}, '')"),
                format!("string.gmatch(string.rep('a', 60000), {pattern})"),
                format!("string.gfind(string.rep('a', 60000), {pattern})"),
                format!("('aaa'):match({pattern} .. '\\0')"),
            ] {
                assert_eq!(run(&lua, &format!("return {call}")), format!("script:1: {COMPLEX}"), "{call}");
            }
        }
    }

    #[test]
    fn a_pattern_at_the_limit_and_a_long_text_do_no_harm_on_a_small_stack() {
        let nested = "local n = 0
            local function f()
                n = n + 1
                if n == 190 then return (string.find(string.rep('a', 100000), string.rep('a-', 200))) end
                return (string.gsub('a', 'a', f))
            end
            return f()";
        let done = std::thread::spawn(move || {
            let lua = bounded();
            let flat = "return string.find(string.rep('a', 100000), string.rep('a*', 200))";
            (run(&lua, flat), run(&lua, nested))
        });
        assert_eq!(done.join().unwrap(), ("integer:1 integer:100000".to_owned(), "string:1".to_owned()));
    }

    #[test]
    fn a_long_pattern_is_taken_when_little_in_it_repeats() {
        let lua = bounded();
        for code in [
            "return #string.match(string.rep('a', 50000), string.rep('a', 50000))",
            "return #string.match(string.rep('-', 50000), string.rep('%-', 50000))",
            "return #string.match(string.rep('a', 5000), string.rep('[a-z*+?]', 5000))",
            "return string.find(string.rep('a*', 50000), string.rep('a*', 50000), 1, true) * 50000",
            "return string.find(12345, 12345) * 50000",
        ] {
            let found = run(&lua, code);
            assert!(found.ends_with("000"), "{code}: {found}");
        }
    }

    #[test]
    fn ordinary_calls_give_what_they_gave_without_the_bound() {
        let (lua, plain) = (bounded(), Lua::new());
        for call in [
            "string.find('hello world', 'o w')",
            "string.find('hello', '(l)(l)()')",
            "string.find('a.b', '.', 1, true)",
            "string.find('a.b', '.', -1)",
            "('key=value'):match('^(%w+)=(%w*)$')",
            "string.match('  x ', '^%s*(.-)%s*$')",
            "string.match('2024-01-02', '(%d+)-(%d+)-(%d+)')",
            "string.match('f(a(b)c)d', '%b()')",
            "string.gsub('THE (quick) fox', '%f[%a]%a+', '<%0>')",
            "string.gsub('$a $b', '%$(%w+)', { a = 1, b = false })",
            "string.gsub('abc', '%w', function(c) return c == 'b' and 'X' or nil end)",
            "string.gsub('abc', '%w', '%0%0', 2)",
            "string.gsub('', '^x*', 'y')",
            "string.gmatch('k1=v1,k2=v2', '(%w+)=(%w+)')()",
            "string.gfind('abc', '.')()",
            "string.find()",
            "string.find('x')",
            "string.find('x', {})",
            "('x'):find()",
            "('x'):gsub('x')",
            "('x'):match('[')",
            "string.match('x', '(')",
            "string.match('x', '%')",
            "string.match('x', '%f')",
            "string.match('x', '%b')",
            "string.match('x', '%1')",
            "string.gmatch('x')",
            "string.gsub('x', 'x', '%2')",
            "string.gsub('x', 'x', function() error('no') end)",
            "string.match(string.rep('x', 40), string.rep('(x)', 40))",
            "(function() local f = string.find; return f('x') end)()",
        ] {
            let code = format!("local a, b, c, d = {call} return a, b, c, d");
            assert_eq!(run(&lua, &code), run(&plain, &code), "{call}");
        }
    }

    proptest! {
        #[test]
        fn repetitions_are_told_from_what_looks_like_one(
            anchored: bool,
            parts in prop::collection::vec((0..16usize, prop::option::of(0..4usize)), 0..40),
        ) {
            // One item each, and whether a repetition can follow it.
            let items = [
                ("a", true), (".", true), ("%a", true), ("%-", true), ("%*", true), ("[a-z]", true), ("[]+*]", true),
                ("[^]?]", true), ("[%]*]", true), ("[^^-]", true), ("$", true), ("%b*[", false), ("%b%-", false),
                ("%f[%w*-]", false), ("%1", false), ("()", false),
            ];
            let mut pattern = if anchored { "^a".to_owned() } else { String::new() };
            let mut expected = 0;
            for (which, repeated) in parts {
                let (item, can_repeat) = items[which];
                pattern.push_str(item);
                if item == "()" {
                    expected += 2;
                }
                if let (true, Some(sign)) = (can_repeat, repeated) {
                    pattern.push(['*', '+', '?', '-'][sign]);
                    expected += 1;
                }
            }
            prop_assert_eq!(depth(pattern.as_bytes()), expected, "{}", pattern);
        }

        #[test]
        fn any_short_pattern_gives_what_it_gave_without_the_bound(text in "[ab()%-]{0,8}", pattern in "[ab.()%*+?^$\\[\\]bf1-]{0,9}") {
            let (lua, plain) = (bounded(), Lua::new());
            let code = format!("return string.gsub([==[{text}]==], [==[\n{pattern}]==], '<%0>')");
            prop_assert_eq!(run(&lua, &code), run(&plain, &code));
        }

        #[test]
        fn no_bytes_are_too_odd_to_be_counted(pattern: Vec<u8>) {
            prop_assert!(depth(&pattern) <= pattern.len());
        }
    }
}
