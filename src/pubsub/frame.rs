//! Messages as they go over the wire. They are written as RESP3 pushes; RESP2 has the same bytes behind another mark, an
//! array's, so that one encoding serves both.
//!
//! ```text
//! >3 message   channel payload              >3 subscribe    channel  subscriptions of the client now
//! >4 pmessage  pattern channel payload      >3 unsubscribe  channel  subscriptions of the client now
//! >3 smessage  channel payload              (psubscribe, ssubscribe, punsubscribe, sunsubscribe likewise)
//! ```

use crate::resp::reply::{Proto, Reply};

/// Bytes of a frame besides its texts: headers and the name of the kind.
const OVERHEAD: usize = 64;

/// A message of a kind (`message`, `pmessage`, `smessage`), with the pattern that it fits for the second.
pub fn message(kind: &[u8], pattern: Option<&[u8]>, channel: &[u8], payload: &[u8]) -> Vec<u8> {
    let texts = pattern.map_or(0, <[u8]>::len) + channel.len() + payload.len();
    let mut frame = Vec::with_capacity(texts + OVERHEAD);
    let mut reply = Reply::new(&mut frame, Proto::Resp3);
    reply.push(3 + usize::from(pattern.is_some()));
    reply.bulk(kind);
    pattern.into_iter().for_each(|pattern| reply.bulk(pattern));
    reply.bulk(channel);
    reply.bulk(payload);
    frame
}

/// Writes what a client is told of a change of its subscriptions: the verb, the name (none where there was nothing to
/// unsubscribe from) and how many it has now.
pub fn confirmation(verb: &str, name: Option<&[u8]>, count: usize, reply: &mut Reply<'_>) {
    reply.push(3);
    reply.bulk(verb.as_bytes());
    match name {
        Some(name) => reply.bulk(name),
        None => reply.null(),
    }
    reply.int(count as i64);
}
