//! REPLCONF option value … — what a replica says of itself, before PSYNC and after.
//!
//! ```text
//! listening-port p, ip-address a   how it is reached, for INFO and ROLE
//! capa eof | psync2 | …            what it understands
//! rdb-only 0 | 1                   it wants a snapshot and nothing more
//! ack offset                       it has the stream up to there; not answered
//! getack *                         a question to a replica, which this server is not; not answered
//! ```

use crate::base::number;
use crate::base::refusal::Refusal;
use crate::exec::{Args, Context, Effect, Group, Run, Session, Spec, flag};
use crate::resp::reply::Reply;

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "replconf",
    arity: -1,
    flags: flag::ADMIN | flag::NOSCRIPT | flag::LOADING | flag::STALE | flag::ALLOW_BUSY,
    since: "3.0.0",
    group: Group::Server,
    summary: "Tells what a replica is, and how far.",
    syntax: "[option value [option value ...]]",
    run: Run::Host(replconf),
    ..Spec::DEFAULT
}];

/// The longest address that a replica may give, as in Redis.
const IP_BYTES_MAX: usize = 255;

fn replconf(
    args: &mut Args<'_>,
    ctx: &Context,
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    if !args.left().is_multiple_of(2) {
        return Err(Refusal::Syntax);
    }
    let (replicas, client) = (&ctx.replicas, &session.client);
    while let Some(option) = args.next() {
        match option.to_ascii_lowercase().as_slice() {
            b"listening-port" => {
                let port = u16::try_from(args.int()?).map_err(|_| Refusal::NotInteger)?;
                replicas.set_port(client, port);
            }
            b"ip-address" => {
                let ip = args.word()?;
                if ip.len() > IP_BYTES_MAX {
                    let line = format!(
                        "REPLCONF ip-address provided by replica instance is too long: {} bytes",
                        ip.len()
                    );
                    return Err(Refusal::err(line));
                }
                replicas.set_ip(client, String::from_utf8_lossy(ip).into_owned());
            }
            b"capa" => {
                if args.word()?.eq_ignore_ascii_case(b"psync2") {
                    replicas.set_psync2(client);
                }
            }
            b"ack" => {
                // A replica is never answered, whatever it sends.
                if let Some(offset) =
                    number::parse_i64(args.word()?).and_then(|offset| u64::try_from(offset).ok())
                {
                    replicas.acknowledge(client, offset, args.now());
                }
                return Ok(Effect::None);
            }
            b"getack" => return Ok(Effect::None),
            b"rdb-only" => {
                let on = args.int_within(0..=1, "value is out of range, must be between 0 and 1")?;
                replicas.set_rdb_only(client, on == 1);
            }
            b"rdb-filter-only" => {
                let parts = String::from_utf8_lossy(args.word()?);
                if let Some(part) = parts.split_whitespace().next() {
                    return Err(Refusal::err(format!("Unsupported rdb-filter-only option: {part}")));
                }
            }
            _ => {
                let name = String::from_utf8_lossy(option);
                return Err(Refusal::err(format!("Unrecognized REPLCONF option: {name}")));
            }
        }
    }
    reply.ok();
    Ok(Effect::None)
}
