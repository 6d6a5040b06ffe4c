//! DEBUG subcommand … — for tests and for looking under the bonnet. Off unless `enable-debug-command` says otherwise.
//!
//! Every subcommand runs while every worker stands still: POPULATE's record then stands in the log where it happened,
//! DIGEST sees one moment, and SLEEP stops the server as its users expect. Subcommands that show structures that exist only
//! in Redis are missing, and of those that end the process all but PANIC.

mod object;
mod populate;
mod protocol;

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::base::refusal::Refusal;
use crate::base::{glob, number};
use crate::clients::{Client, flag as bit};
use crate::command::help;
use crate::config::Permit;
use crate::exec::digest::Digest;
use crate::exec::mailbox::Order;
use crate::exec::{Args, Context, Effect, Group, Run, Session, Spec, Until, Wait, Woken, flag};
use crate::resp::reply::Reply;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "debug",
    arity: -2,
    flags: flag::ADMIN | flag::NOSCRIPT | flag::LOADING | flag::STALE | flag::EVERYTHING | flag::TABLE_WIDE,
    since: "1.0.0",
    group: Group::Server,
    summary: "Holds the commands for tests of the server.",
    complexity: "Depends on subcommand.",
    syntax: "subcommand [argument ...]",
    run: Run::Host(debug),
    ..Spec::DEFAULT
}];

const HELP_LINES: &[&str] = &[
    "CHANGE-REPL-ID",
    "    Give the stream of changes another name, so that replicas that come back begin anew.",
    "DIGEST",
    "    A fingerprint of all data, 40 hexadecimal digits.",
    "DIGEST-VALUE <key> [<key> ...]",
    "    A fingerprint of the contents of each key.",
    "ERROR <string>",
    "    Answer an error with this text.",
    "JMAP",
    "    Accepted, without effect.",
    "LOADAOF",
    "    Drop all data and load the log.",
    "OBJECT <key>",
    "    How the value of a key is kept.",
    "PANIC",
    "    End the process as a mistake in it would.",
    "PAUSE-CRON <0|1>",
    "    With 1 nothing is done regularly: no expiry, no rewrite, no look at clients.",
    "POPULATE <count> [<prefix>] [<size>]",
    "    Create <count> string keys named key:<num>, or <prefix>:<num>, where there",
    "    are none. Unlike in Redis they are in the log.",
    "PROTOCOL <type>",
    "    Answer a value of this type: string, integer, double, bignum, null, array,",
    "    set, map, attrib, push, verbatim, true, false.",
    "QUICKLIST-PACKED-THRESHOLD <size>",
    "    Accepted, without effect.",
    "RELOAD [option ...]",
    "    Write a snapshot, drop all data and load the snapshot. Options:",
    "    * MERGE, NOFLUSH: accepted as long as a snapshot is written first.",
    "    * NOSAVE: load the snapshot that is there.",
    "SET-ACTIVE-EXPIRE <0|1>",
    "    With 0 expired keys are removed only when they are asked for.",
    "SLEEP <seconds>",
    "    Stop the server for <seconds>. Decimals allowed.",
    "STRINGMATCH-LEN <length> <pattern>",
    "    Whether so many times the letter a match the pattern.",
];

const NOT_ALLOWED: Refusal = Refusal::line(
    "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a local \
     connection, otherwise you need to set this option in the configuration file, and then restart the server.",
);

/// The longest text that STRINGMATCH-LEN makes, in bytes: matching it stops the server.
const MATCHED_BYTES_MAX: i64 = 1024 * 1024;
/// Bytes of a subcommand that an error repeats.
const QUOTED_MAX: usize = 128;

fn debug(
    args: &mut Args<'_>,
    ctx: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let allowed = match ctx.settings.load().access.enable_debug_command {
        Permit::Yes => true,
        Permit::Local => is_local(&session.client),
        Permit::No => false,
    };
    if !allowed {
        return Err(NOT_ALLOWED);
    }
    let word = args.word()?;
    match (word.to_ascii_lowercase().as_slice(), args.left()) {
        (b"change-repl-id", 0) => {
            ctx.replicas.rename();
            reply.ok();
        }
        (b"jmap", 0) => reply.ok(),
        (b"digest", 0) => reply.simple(Digest::of_table(&ctx.table, args.now()).to_string()),
        (b"digest-value", _) => digest_values(args, ctx, reply),
        (b"error", 1) => return Err(error(args.word()?)),
        (b"help", 0) => help::write("DEBUG", HELP_LINES, reply),
        (b"loadaof", _) => return load_log(ctx, session),
        (b"object", 1) => object::object(args, ctx, reply)?,
        (b"panic", 0) => panic(),
        (b"pause-cron", 1) => {
            ctx.cron_paused.store(is_on(args.word()?), Relaxed);
            reply.ok();
        }
        (b"populate", 1..=3) => return populate::populate(args, ctx, reply),
        (b"protocol", 1) => protocol::protocol(args, reply)?,
        (b"quicklist-packed-threshold", 1) => packed_threshold(args, reply)?,
        (b"reload", _) => return reload(args, ctx, session),
        (b"set-active-expire", 1) => {
            ctx.active_expiry.store(is_on(args.word()?), Relaxed);
            reply.ok();
        }
        (b"sleep", 1) => sleep(args, reply)?,
        (b"stringmatch-len", 2) => {
            let length = args.int_within(0..=MATCHED_BYTES_MAX, "value is out of range")?;
            let text = vec![b'a'; length as usize];
            reply.int(i64::from(glob::matches(args.word()?, &text, false)));
        }
        _ => {
            let word = String::from_utf8_lossy(word.get(..QUOTED_MAX).unwrap_or(word));
            return Err(Refusal::err(format!(
                "unknown subcommand or wrong number of arguments for '{word}'. Try DEBUG HELP."
            )));
        }
    }
    Ok(Effect::None)
}

/// As in Redis, what is no number is 0.
fn is_on(word: &[u8]) -> bool {
    number::parse_i64(word).is_some_and(|n| n != 0)
}

/// True when a client is on this machine.
fn is_local(client: &Client) -> bool {
    let address = client.address.parse::<std::net::SocketAddr>();
    client.has_flag(bit::UNIX) || address.is_ok_and(|address| address.ip().to_canonical().is_loopback())
}

fn error(text: &[u8]) -> Refusal {
    // A line end would let the client write replies of its own.
    let line = String::from_utf8_lossy(text).replace(['\r', '\n'], " ");
    Refusal::Line(line.into())
}

#[expect(clippy::panic, reason = "it is what was asked for")]
fn panic() -> ! {
    panic!("asked for by DEBUG PANIC")
}

fn digest_values(args: &Args<'_>, ctx: &Context, reply: &mut Reply<'_>) {
    reply.array(args.left());
    for key in args.rest() {
        let address = ctx.table.address(args.db(), key);
        let digest = ctx.table.peek(address, key, |slot| {
            let live = slot.entry().filter(|entry| entry.expiry() > args.now());
            live.map(Digest::of_contents).unwrap_or_default()
        });
        reply.simple(digest.to_string());
    }
}

fn packed_threshold(args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    let word = args.word()?.to_ascii_lowercase();
    let digits = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, unit) = word.split_at(digits);
    let unit: u64 = match unit {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => 0,
    };
    let size = number::parse_u64(number).and_then(|number| number.checked_mul(unit));
    if unit == 0 || size.is_none_or(|size| size > 1 << 32) {
        return Err(Refusal::err("argument must be a memory value bigger than 1 and smaller than 4gb"));
    }
    reply.ok();
    Ok(())
}

fn sleep(args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    // As in Redis, what is no length of time is none.
    let seconds = number::parse_f64(args.word()?).unwrap_or_default();
    std::thread::sleep(Duration::try_from_secs_f64(seconds).unwrap_or_default());
    reply.ok();
    Ok(())
}

fn reload(args: &mut Args<'_>, ctx: &Context, session: &Session) -> Result<Effect, Refusal> {
    let (mut save, mut adds) = (true, false);
    while let Some(option) = args.next() {
        match option.to_ascii_lowercase().as_slice() {
            b"nosave" => save = false,
            b"merge" | b"noflush" => adds = true,
            _ => {
                return Err(Refusal::err(
                    "DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.",
                ));
            }
        }
    }
    if adds && !save {
        return Err(Refusal::err(
            "DEBUG RELOAD always replaces the data here, so NOSAVE excludes MERGE and NOFLUSH",
        ));
    }
    order(
        ctx,
        session,
        |done| Order::Reload { from_log: false, save, done },
        |_, _, woken, reply| {
            tell(&woken, "ERR Error trying to load the RDB dump, check server logs", reply);
        },
    )
}

fn load_log(ctx: &Context, session: &Session) -> Result<Effect, Refusal> {
    order(
        ctx,
        session,
        |done| Order::Reload { from_log: true, save: false, done },
        |_, _, woken, reply| {
            tell(&woken, "ERR Error trying to load the AOF files, check server logs", reply);
        },
    )
}

fn order(
    ctx: &Context,
    session: &Session,
    order: impl FnOnce(crate::exec::mailbox::Done) -> Order,
    then: fn(&Context, &mut Session, Woken, &mut Reply<'_>),
) -> Result<Effect, Refusal> {
    // The rest of the transaction cannot wait for it.
    if session.in_exec {
        return Err(Refusal::err("the data cannot be loaded again inside a transaction"));
    }
    let (done, result) = oneshot::channel();
    ctx.mailbox.post(order(done));
    Ok(Wait::effect(Until::Job(result), None, then))
}

fn tell(woken: &Woken, failed: &str, reply: &mut Reply<'_>) {
    match woken {
        Woken::Done => reply.ok(),
        Woken::Failed(why) => {
            tracing::warn!(why, "DEBUG RELOAD or LOADAOF failed");
            reply.error(failed);
        }
        Woken::TimedOut => reply.error(failed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::Arrival;

    #[test]
    fn an_error_is_one_line() {
        assert_eq!(error(b"FOO a\r\nb").text(), "FOO a  b");
    }

    #[test]
    fn local_is_this_machine_only() {
        for (address, expected) in
            [("127.0.0.1:5", true), ("[::1]:5", true), ("10.0.0.1:127", false), ("[::12]:5", false)]
        {
            let client = Client::new(1, Arrival { address: address.to_owned(), ..Arrival::default() });
            assert_eq!(is_local(&client), expected, "{address}");
        }
        assert!(is_local(&Client::new(1, Arrival { is_unix: true, ..Arrival::default() })));
    }
}
