//! CLIENT — what the server knows of its connections, and what can be done to them.

mod kill;
mod list;
pub(super) mod name;
mod pause;
mod toggle;
mod tracking;
mod unblock;

use crate::base::refusal::Refusal;
use crate::clients::{Client, flag as bit};
use crate::command::help;
use crate::exec::{Args, Context, Effect, Group, Run, Session, Spec, acl, flag};
use crate::resp::reply::Reply;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "client",
    arity: -2,
    since: "2.4.0",
    group: Group::Connection,
    summary: "Holds the commands about connections.",
    complexity: "Depends on subcommand.",
    subcommands: &[
        list::ID,
        list::INFO,
        list::LIST,
        kill::KILL,
        name::GETNAME,
        name::SETNAME,
        name::SETINFO,
        toggle::NO_EVICT,
        toggle::NO_TOUCH,
        toggle::REPLY,
        pause::PAUSE,
        pause::UNPAUSE,
        unblock::UNBLOCK,
        tracking::CACHING,
        tracking::GETREDIR,
        tracking::TRACKING,
        tracking::TRACKINGINFO,
        HELP,
    ],
    run: Run::Container,
    ..Spec::DEFAULT
}];

/// What the subcommands have in common.
const SUBCOMMAND: Spec = Spec {
    arity: 2,
    flags: flag::NOSCRIPT | flag::LOADING | flag::STALE,
    acl: acl::CONNECTION,
    group: Group::Connection,
    ..Spec::DEFAULT
};

const HELP: Spec =
    Spec { acl: acl::CONNECTION, group: Group::Connection, run: Run::Host(helped), ..help::HELP };

const HELP_LINES: &[&str] = &[
    "CACHING (YES|NO)",
    "    Whether the next command's keys will be cached; with tracking OPTIN or OPTOUT.",
    "GETNAME",
    "    The name of this connection.",
    "GETREDIR",
    "    The number of the connection that is told in place of this one.",
    "ID",
    "    The number of this connection.",
    "INFO",
    "    What is known of this connection.",
    "KILL <ip:port>",
    "    End the connection that comes from <ip:port>.",
    "KILL <option> <value> [<option> <value> [...]]",
    "    End all connections to which all options apply:",
    "    * ADDR (<ip:port>|<unixsocket>:0)",
    "      It comes from this address.",
    "    * ID <client-id>",
    "      It has this number.",
    "    * LADDR (<ip:port>|<unixsocket>:0)",
    "      It was made to this address.",
    "    * MAXAGE <seconds>",
    "      It is at least so old.",
    "    * SKIPME (YES|NO)",
    "      Whether this connection is spared (default: yes).",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      It is of this type.",
    "    * USER <username>",
    "      It belongs to this user.",
    "LIST [options ...]",
    "    What is known of all connections, one a line. Options:",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Only those of this type.",
    "    * ID <client-id> [<client-id> ...]",
    "      Only those with these numbers.",
    "NO-EVICT (ON|OFF)",
    "    Protect this connection from being ended for lack of memory.",
    "NO-TOUCH (ON|OFF)",
    "    Do not count this connection's commands as use of keys.",
    "PAUSE <timeout> [WRITE|ALL]",
    "    Hold all commands, or only writing ones, for <timeout> milliseconds.",
    "REPLY (ON|OFF|SKIP)",
    "    Choose whether this connection gets replies.",
    "SETINFO (LIB-NAME|LIB-VER) <value>",
    "    Tell the name or the version of the client library.",
    "SETNAME <name>",
    "    Give this connection a name.",
    "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
    "         [OPTIN] [OPTOUT] [NOLOOP]",
    "    Whether this connection is told what it must forget of its cache.",
    "TRACKINGINFO",
    "    What this connection has chosen for its cache.",
    "UNBLOCK <clientid> [TIMEOUT|ERROR]",
    "    Wake a connection that waits.",
    "UNPAUSE",
    "    End a pause.",
];

fn helped(_: &mut Args<'_>, _: &Context, _: &mut Session, reply: &mut Reply<'_>) -> Result<Effect, Refusal> {
    help::write("CLIENT", HELP_LINES, reply);
    Ok(Effect::None)
}

/// The refusal of a subcommand with more words than it takes, where the table cannot tell: it takes one or two.
fn too_many(args: &Args<'_>) -> Refusal {
    let name = String::from_utf8_lossy(args.request().get(1).unwrap_or_default());
    Refusal::err(format!("unknown subcommand or wrong number of arguments for '{name}'. Try CLIENT HELP."))
}

/// The type of a connection, as LIST and KILL pick by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Normal,
    Pubsub,
    /// It follows this server.
    Replica,
    /// This server follows it: there is none.
    Master,
}

impl Class {
    fn parse(word: &[u8]) -> Result<Class, Refusal> {
        match word.to_ascii_lowercase().as_slice() {
            b"normal" => Ok(Class::Normal),
            b"pubsub" => Ok(Class::Pubsub),
            b"replica" | b"slave" => Ok(Class::Replica),
            b"master" => Ok(Class::Master),
            _ => Err(Refusal::err(format!("Unknown client type '{}'", String::from_utf8_lossy(word)))),
        }
    }

    fn of(client: &Client) -> Class {
        if client.has_flag(bit::REPLICA) {
            Class::Replica
        } else if client.has_flag(bit::PUBSUB) {
            Class::Pubsub
        } else {
            Class::Normal
        }
    }
}
