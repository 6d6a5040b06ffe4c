//! CLIENT GETNAME, CLIENT SETNAME name, CLIENT SETINFO LIB-NAME|LIB-VER value — what a client calls itself.

use super::SUBCOMMAND;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Context, Effect, Run, Session, Spec};
use crate::resp::reply::Reply;

pub(super) const GETNAME: Spec = Spec {
    name: "getname",
    since: "2.6.9",
    summary: "Returns the name of the connection.",
    run: Run::Host(getname),
    ..SUBCOMMAND
};

pub(super) const SETNAME: Spec = Spec {
    name: "setname",
    arity: 3,
    since: "2.6.9",
    summary: "Gives the connection a name.",
    syntax: "connection-name",
    run: Run::Host(setname),
    ..SUBCOMMAND
};

pub(super) const SETINFO: Spec = Spec {
    name: "setinfo",
    arity: 4,
    since: "7.2.0",
    summary: "Tells the name or the version of the client library.",
    syntax: "<LIB-NAME libname | LIB-VER libver>",
    run: Run::Host(setinfo),
    ..SUBCOMMAND
};

/// The refusal of a name for a connection.
pub(in crate::command::connection) const NAME_REFUSED: &str =
    "Client names cannot contain spaces, newlines or special characters.";

fn getname(
    _: &mut Args<'_>,
    _: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    match session.client.names().name.as_bytes() {
        [] => reply.null(),
        name => reply.bulk(name),
    }
    Ok(Effect::None)
}

fn setname(
    args: &mut Args<'_>,
    _: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let name = checked(args.word()?, NAME_REFUSED)?;
    session.client.rename(|names| names.name = name);
    reply.ok();
    Ok(Effect::None)
}

fn setinfo(
    args: &mut Args<'_>,
    _: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let option = args.word()?;
    let value = args.word()?;
    if option.eq_ignore_ascii_case(b"lib-name") {
        let value = checked(value, "lib-name cannot contain spaces, newlines or special characters.")?;
        session.client.rename(|names| names.library = value);
    } else if option.eq_ignore_ascii_case(b"lib-ver") {
        let value = checked(value, "lib-ver cannot contain spaces, newlines or special characters.")?;
        session.client.rename(|names| names.version = value);
    } else {
        return Err(Refusal::err(format!("Unrecognized option '{}'", String::from_utf8_lossy(option))));
    }
    reply.ok();
    Ok(Effect::None)
}

/// A name that does not break the line of CLIENT LIST, or the refusal with this text. It may be empty: no name.
pub(in crate::command::connection) fn checked(name: &[u8], refused: &str) -> Result<String, Refusal> {
    if name.iter().all(u8::is_ascii_graphic) {
        return Ok(String::from_utf8_lossy(name).into_owned());
    }
    Err(Refusal::err(refused))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_printable_and_has_no_blank() {
        assert_eq!(checked(b"", "no").unwrap(), "");
        assert_eq!(checked(b"a-B_9!~", "no").unwrap(), "a-B_9!~");
        for bad in [b"a b".as_slice(), b"a\n", b"\x7f", b"\xc3\xa9", b"\0"] {
            assert_eq!(checked(bad, "no").unwrap_err().text(), "ERR no", "{bad:?}");
        }
    }
}
