//! DEBUG PROTOCOL type — a value of each type that the protocol has, for tests of client libraries. The values are
//! Redis's, because those tests know them.

use crate::base::refusal::Refusal;
use crate::exec::Args;
use crate::resp::reply::{Proto, Reply};

const UNKNOWN: Refusal = Refusal::line(
    "ERR Wrong protocol type name. Please use one of the following: \
     string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
);

pub(super) fn protocol(args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
    match args.word()?.to_ascii_lowercase().as_slice() {
        b"string" => reply.bulk(b"Hello World"),
        b"integer" => reply.int(12345),
        // 3.141, as a quotient because the literal would pass for a bad pi.
        b"double" => reply.double(3141.0 / 1000.0),
        b"bignum" => reply.big_number("1234567999999999999999999999999999999"),
        b"null" => reply.null(),
        b"array" => {
            reply.array(3);
            (0..3).for_each(|number| reply.int(number));
        }
        b"set" => {
            reply.set(3);
            (0..3).for_each(|number| reply.int(number));
        }
        b"map" => {
            reply.map(3);
            for number in 0..3 {
                reply.int(number);
                reply.bool(number == 1);
            }
        }
        b"attrib" => attributed(reply),
        b"push" => pushed(reply)?,
        b"verbatim" => reply.verbatim(b"txt", b"This is a verbatim\nstring"),
        b"true" => reply.bool(true),
        b"false" => reply.bool(false),
        _ => return Err(UNKNOWN),
    }
    Ok(())
}

/// An attribute stands before the value that it belongs to; RESP2 has none.
fn attributed(reply: &mut Reply<'_>) {
    if reply.proto() == Proto::Resp3 {
        reply.raw(b"|1\r\n");
        reply.bulk(b"key-popularity");
        reply.array(2);
        reply.bulk(b"key:123");
        reply.int(90);
    }
    reply.bulk(b"Some real reply following the attribute");
}

/// A push is no reply, so one follows.
fn pushed(reply: &mut Reply<'_>) -> Result<(), Refusal> {
    if reply.proto() == Proto::Resp2 {
        return Err(Refusal::err("RESP2 is not supported by this command"));
    }
    reply.push(2);
    reply.bulk(b"server-cpu-usage");
    reply.int(42);
    reply.bulk(b"Some real reply following the push reply");
    Ok(())
}
