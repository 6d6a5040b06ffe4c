//! Requests: commands as clients send them.
//!
//! ```text
//! *2\r\n$3\r\nGET\r\n$3\r\nkey\r\n        an array of bulk strings, or
//! GET key\r\n                            a line (see `inline`)
//! ```
//!
//! A command is a view: the buffer that was read, and where in it the arguments lie. All complete commands of a
//! buffer become one [`Batch`], in vectors that are used again for the next one, so no command costs an
//! allocation. [`RequestParser`] fills it.

pub use super::parser::{DecodeError, Limits, Parsed, ProtocolError, RequestCodec, RequestParser};
use std::fmt;

/// A byte range in the buffer that a command lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where the range starts.
    pub start: u32,
    /// Where it ends, exclusive.
    pub end: u32,
}

impl Span {
    /// The caller has made sure that the positions lie below [`BUFFER_MAX`].
    #[expect(clippy::cast_possible_truncation, reason = "no buffer position exceeds BUFFER_MAX = u32::MAX")]
    #[inline]
    pub(super) fn new(start: usize, end: usize) -> Span {
        debug_assert!(start <= end && end <= BUFFER_MAX);
        Span { start: start as u32, end: end as u32 }
    }

    /// The bytes of `buf` in this range; empty if it does not lie in `buf`.
    #[inline]
    #[must_use]
    pub fn of(self, buf: &[u8]) -> &[u8] {
        buf.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// Bytes that one command may take, all its arguments together: what a [`Span`] can address.
pub const BUFFER_MAX: usize = u32::MAX as usize;

/// One command as a view. Argument 0 is the command's name.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    buf: &'a [u8],
    spans: &'a [Span],
    raw: Option<Span>,
}

impl<'a> Request<'a> {
    /// Number of arguments, the name included: at least 1 for a command that was read from a client.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is not even a name.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Argument `i`; empty if there is none.
    #[inline]
    #[must_use]
    pub fn arg(&self, i: usize) -> &'a [u8] {
        self.get(i).unwrap_or_default()
    }

    /// Argument `i`.
    #[inline]
    #[must_use]
    pub fn get(&self, i: usize) -> Option<&'a [u8]> {
        Some(self.spans.get(i)?.of(self.buf))
    }

    /// The command's name as the client wrote it.
    #[inline]
    #[must_use]
    pub fn name(&self) -> &'a [u8] {
        self.arg(0)
    }

    /// All arguments, the name first.
    #[inline]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + DoubleEndedIterator + Clone + use<'a> {
        let buf = self.buf;
        self.spans.iter().map(move |span| span.of(buf))
    }

    /// The command's own bytes, if it came as a well-formed array of bulk strings: fit to be copied to a log.
    #[inline]
    #[must_use]
    pub fn raw(&self) -> Option<&'a [u8]> {
        Some(self.raw?.of(self.buf))
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|arg| arg.escape_ascii().to_string())).finish()
    }
}

/// One command that owns its bytes: queued by MULTI, read from a log, or an effect to be written to it.
#[derive(Clone, Debug, Default)]
pub struct OwnedRequest {
    text: Vec<u8>,
    spans: Vec<Span>,
}

impl OwnedRequest {
    /// A copy of `request`.
    #[must_use]
    pub fn from_request(request: &Request<'_>) -> OwnedRequest {
        let bytes = request.iter().map(<[u8]>::len).sum();
        let mut owned =
            OwnedRequest { text: Vec::with_capacity(bytes), spans: Vec::with_capacity(request.len()) };
        request.iter().for_each(|arg| owned.push(arg));
        owned
    }

    /// A command from its arguments, the name first.
    pub fn from_args<A: AsRef<[u8]>>(args: impl IntoIterator<Item = A>) -> OwnedRequest {
        let args = args.into_iter();
        let mut owned = OwnedRequest { text: Vec::new(), spans: Vec::with_capacity(args.size_hint().0) };
        args.for_each(|arg| owned.push(arg.as_ref()));
        owned
    }

    /// Takes another command's arguments, and keeps its own room for them.
    pub fn refill(&mut self, args: &[&[u8]]) {
        self.text.clear();
        self.spans.clear();
        args.iter().for_each(|arg| self.push(arg));
    }

    /// Adds one argument at the end, unless the command would exceed [`BUFFER_MAX`] bytes.
    pub fn push(&mut self, arg: &[u8]) {
        let start = self.text.len();
        if arg.len() <= BUFFER_MAX - start {
            self.text.extend_from_slice(arg);
            self.spans.push(Span::new(start, self.text.len()));
        }
    }

    /// Bytes that it takes in memory.
    pub fn held_bytes(&self) -> usize {
        size_of::<Self>() + self.text.capacity() + self.spans.capacity() * size_of::<Span>()
    }

    /// The command as a view.
    #[inline]
    #[must_use]
    pub fn as_request(&self) -> Request<'_> {
        Request { buf: &self.text, spans: &self.spans, raw: None }
    }
}

impl PartialEq for OwnedRequest {
    fn eq(&self, other: &OwnedRequest) -> bool {
        self.as_request().iter().eq(other.as_request().iter())
    }
}

impl Eq for OwnedRequest {}

/// The complete commands of a buffer.
#[derive(Debug, Default)]
pub struct Batch {
    commands: Vec<Command>,
    pub(super) spans: Vec<Span>,
    /// The unquoted words of inline commands.
    pub(super) text: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Command {
    /// Range of its arguments in `Batch::spans`.
    first: u32,
    last: u32,
    /// Where it lies in the read buffer.
    frame: Span,
    shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A well-formed array.
    Array,
    /// An array with something else than CR LF somewhere: must not be copied on as it is.
    SloppyArray,
    Inline,
}

impl Batch {
    /// Memory kept from one batch to the next, in arguments and in bytes of inline commands: one huge command must not
    /// occupy memory for as long as its connection lives.
    pub(super) const KEPT_MAX: usize = 16 * 1024;

    /// An empty batch.
    #[must_use]
    pub fn new() -> Batch {
        Batch::default()
    }

    /// Forgets all commands; keeps the memory, unless it is much.
    pub fn clear(&mut self) {
        self.commands.clear();
        self.spans.clear();
        self.text.clear();
        if self.commands.capacity().max(self.spans.capacity()).max(self.text.capacity()) > Batch::KEPT_MAX {
            self.commands.shrink_to(Batch::KEPT_MAX);
            self.spans.shrink_to(Batch::KEPT_MAX);
            self.text.shrink_to(Batch::KEPT_MAX);
        }
    }

    /// Number of commands.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// Whether there is no command.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Command `i`; `buf` is the buffer that was parsed, before anything is taken from its front. Without any
    /// arguments if there is no such command.
    #[inline]
    #[must_use]
    pub fn get<'a>(&'a self, i: usize, buf: &'a [u8]) -> Request<'a> {
        let Some(command) = self.commands.get(i) else {
            return Request { buf, spans: &[], raw: None };
        };
        let spans = self.spans.get(command.first as usize..command.last as usize).unwrap_or_default();
        match command.shape {
            Shape::Array => Request { buf, spans, raw: Some(command.frame) },
            Shape::SloppyArray => Request { buf, spans, raw: None },
            Shape::Inline => Request { buf: &self.text, spans, raw: None },
        }
    }

    /// Where in the buffer command `i` ends: the bytes that it and everything before it took; 0 if there is none.
    #[must_use]
    pub fn end(&self, i: usize) -> usize {
        self.commands.get(i).map_or(0, |command| command.frame.end as usize)
    }

    /// Bytes that command `i` took, from its own start to its end.
    #[must_use]
    pub fn bytes(&self, i: usize) -> usize {
        self.commands.get(i).map_or(0, |command| (command.frame.end - command.frame.start) as usize)
    }

    /// Makes a command of the arguments from `first` on.
    pub(super) fn finish(&mut self, first: usize, start: usize, end: usize, shape: Shape) {
        // The number of arguments is bounded by the bytes that were read, so it fits wherever a position does.
        let Span { start: first, end: last } = Span::new(first, self.spans.len());
        self.commands.push(Command { first, last, frame: Span::new(start, end), shape });
    }
}
