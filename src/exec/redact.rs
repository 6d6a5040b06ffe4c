//! The words of a request as others may see them: those who watch (MONITOR) and those who look later (SLOWLOG).
//!
//! Redis puts `(redacted)` where a password stands: behind AUTH, also that of HELLO, and for the values of sensitive settings
//! in CONFIG SET. It does so while it obeys the request, so one that it refuses for its form shows what it holds: `AUTH my long
//! password`, `HELLO 3 AUTH password`, CONFIG SET with a value too many. Here such a request hides its words as well, because
//! whoever mistypes a command gives the password away all the same. For all others no word is looked at.

use smallvec::SmallVec;

use super::registry::Command;
use crate::config;
use crate::resp::request::Request;

const REDACTED: &[u8] = b"(redacted)";

/// Words of a request; most have few.
pub(super) type Words<'r> = SmallVec<[&'r [u8]; 8]>;

/// All words of a request, with others in place of its secrets.
pub(super) fn words<'r>(command: &Command, request: &'r Request<'_>) -> Words<'r> {
    let mut words: Words<'r> = request.iter().collect();
    hide_secrets(&command.full_name, &mut words);
    words
}

/// By the command's own name, whatever `rename-command` calls it.
fn hide_secrets(name: &str, words: &mut [&[u8]]) {
    match name {
        "auth" => words.iter_mut().skip(1).for_each(hide),
        "hello" => hide_in_hello(words),
        "config|set" => hide_in_settings(words),
        _ => {}
    }
}

fn hide(word: &mut &[u8]) {
    *word = REDACTED;
}

/// `HELLO version [AUTH user password] [SETNAME name]`
fn hide_in_hello(words: &mut [&[u8]]) {
    let mut at = 1;
    while let Some(option) = words.get(at) {
        at += match option {
            option if option.eq_ignore_ascii_case(b"auth") => {
                words.iter_mut().skip(at + 1).take(2).for_each(hide);
                3
            }
            option if option.eq_ignore_ascii_case(b"setname") => 2,
            _ => 1,
        };
    }
}

/// `CONFIG SET name value [name value ...]`
fn hide_in_settings(words: &mut [&[u8]]) {
    // With a word too many nobody can tell which is a value.
    let is_whole = words.len().is_multiple_of(2);
    let mut is_hiding = false;
    for (place, word) in words.iter_mut().skip(2).enumerate() {
        match place.is_multiple_of(2) {
            true if is_whole || !is_hiding => is_hiding = config::is_secret(word),
            _ if is_hiding => hide(word),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str, line: &str) -> String {
        let mut words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        hide_secrets(name, &mut words);
        String::from_utf8(words.join(&b' ')).unwrap().replace("(redacted)", "*")
    }

    #[test]
    fn passwords_are_hidden_and_nothing_else_is() {
        for (name, line, expected) in [
            ("auth", "AUTH", "AUTH"),
            ("auth", "Auth pw", "Auth *"),
            ("auth", "AUTH user pw", "AUTH * *"),
            ("hello", "HELLO", "HELLO"),
            ("hello", "HELLO 3 SETNAME auth", "HELLO 3 SETNAME auth"),
            ("hello", "HELLO 3 SETNAME me auth user pw", "HELLO 3 SETNAME me auth * *"),
            ("hello", "HELLO 3 AUTH auth auth SETNAME me", "HELLO 3 AUTH * * SETNAME me"),
            ("config|set", "CONFIG SET", "CONFIG SET"),
            ("config|set", "CONFIG SET maxclients 5", "CONFIG SET maxclients 5"),
            ("config|set", "CONFIG SET a b RequirePass pw port 1", "CONFIG SET a b RequirePass * port 1"),
            ("config|set", "CONFIG SET masterauth requirepass port 1", "CONFIG SET masterauth * port 1"),
            ("config|set", "CONFIG SET save requirepass port 1", "CONFIG SET save requirepass port 1"),
            ("config|set", "CONFIG SET masteruser u http-token t", "CONFIG SET masteruser * http-token *"),
            ("config|get", "CONFIG GET requirepass", "CONFIG GET requirepass"),
            ("set", "SET requirepass auth", "SET requirepass auth"),
        ] {
            assert_eq!(shown(name, line), expected);
        }
    }

    #[test]
    fn a_request_of_a_wrong_form_hides_its_password_too() {
        for (name, line, expected) in [
            ("auth", "AUTH my long password", "AUTH * * *"),
            ("hello", "HELLO AUTH user pw", "HELLO AUTH * *"),
            ("hello", "HELLO 3 AUTH pw", "HELLO 3 AUTH *"),
            ("hello", "HELLO 3 what AUTH user pw", "HELLO 3 what AUTH * *"),
            ("config|set", "CONFIG SET requirepass my pw", "CONFIG SET requirepass * *"),
            ("config|set", "CONFIG SET port 1 requirepass long pw", "CONFIG SET port 1 requirepass * *"),
        ] {
            assert_eq!(shown(name, line), expected);
        }
    }
}
