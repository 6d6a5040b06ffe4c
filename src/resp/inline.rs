//! Inline commands: `SET key "a value"` and a line end, as a person types them into telnet.
//!
//! The words are unquoted (see [`crate::base::bytes`]) into the batch's own buffer: a quoted word differs from
//! the bytes that were read, so a range into the read buffer could not stand for it.

use super::parser::ProtocolError;
use super::request::Span;
use crate::base::bytes::split_args_with;

/// What the start of a buffer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// The line's length without its line feed.
    Complete(usize),
    /// No line feed yet; that many bytes need not be looked at again.
    Partial(usize),
}

/// Looks for the end of the line in `rest`, of which the first `seen` bytes are known to hold none.
pub(super) fn find(rest: &[u8], seen: usize, inline_max: usize) -> Result<Line, ProtocolError> {
    let unseen = rest.get(seen..).unwrap_or_default();
    let (line, length) = match memchr::memchr(b'\n', unseen) {
        Some(at) => (Line::Complete(seen + at), seen + at),
        None => (Line::Partial(rest.len()), rest.len()),
    };
    // The same limit whether or not the end has been read: what is accepted must not depend on how the bytes came in.
    if length > inline_max { Err(ProtocolError::InlineTooBig) } else { Ok(line) }
}

/// Unquotes a line into `text` and notes where its words lie there.
pub(super) fn split(line: &[u8], text: &mut Vec<u8>, spans: &mut Vec<Span>) -> Result<(), ProtocolError> {
    split_args_with(line, text, |start, end| spans.push(Span::new(start, end)))
        .map_err(|_| ProtocolError::UnbalancedQuotes)
}
