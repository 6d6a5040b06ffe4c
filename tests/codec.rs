//! The request parser from outside: whatever way the bytes are cut, the same commands come out, and they are those
//! that another implementation (`redis-protocol`) reads.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use bytes::{Bytes, BytesMut};
use pinstripe::resp::request::{Batch, Limits, OwnedRequest, ProtocolError, RequestCodec, RequestParser};
use proptest::prelude::*;
use redis_protocol::resp2::decode::decode_bytes;
use redis_protocol::resp2::encode::encode_bytes;
use redis_protocol::resp2::types::{BytesFrame, Resp2Frame as _};
use tokio_util::codec::Decoder as _;

type Args = Vec<Vec<u8>>;

/// A connection's side of the contract: a buffer that grows at its end and is consumed at its front.
struct Feeder {
    parser: RequestParser,
    batch: Batch,
    limits: Limits,
    buf: Vec<u8>,
    commands: Vec<Args>,
    error: Option<ProtocolError>,
    want: usize,
    commands_max: usize,
}

impl Feeder {
    fn new(limits: Limits) -> Feeder {
        Feeder {
            parser: RequestParser::new(),
            batch: Batch::new(),
            limits,
            buf: Vec::new(),
            commands: Vec::new(),
            error: None,
            want: 0,
            commands_max: usize::MAX,
        }
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.buf.extend_from_slice(bytes);
        loop {
            let parsed = self.parser.parse(&self.buf, &self.limits, &mut self.batch, self.commands_max);
            let mut end = 0;
            for i in 0..self.batch.len() {
                let request = self.batch.get(i, &self.buf);
                assert_eq!(request.len(), request.iter().len());
                assert!(self.batch.end(i) >= end + self.batch.bytes(i), "frames overlap");
                end = self.batch.end(i);
                if let Some(raw) = request.raw() {
                    assert_eq!(
                        raw,
                        encoded(&request.iter().map(<[u8]>::to_vec).collect::<Args>()),
                        "not canonical"
                    );
                }
                self.commands.push(request.iter().map(<[u8]>::to_vec).collect());
            }
            assert!(parsed.consumed >= end && parsed.consumed <= self.buf.len());
            self.buf.drain(..parsed.consumed);
            self.error = parsed.error;
            self.want = parsed.want;
            if self.batch.len() < self.commands_max {
                return;
            }
        }
    }
}

fn encoded(args: &[Vec<u8>]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        out.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
    out
}

fn args(words: &[&str]) -> Args {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

/// Streams, the commands in them, and the error that ends them: what redis-server 7.0.15 answered to.
fn streams() -> Vec<(Vec<u8>, Vec<Args>, Option<ProtocolError>)> {
    use ProtocolError::*;
    let ping = || args(&["PING"]);
    let p = "*1\r\n$4\r\nPING\r\n";
    let cases: Vec<(String, Vec<Args>, Option<ProtocolError>)> = vec![
        (p.into(), vec![ping()], None),
        (format!("{p}{p}{p}"), vec![ping(), ping(), ping()], None),
        (
            "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$13\r\n$3\r\nGET\r\n*1\r\n\r\n".into(),
            vec![args(&["SET", "k", "$3\r\nGET\r\n*1\r\n"])],
            None,
        ),
        (format!("*0\r\n{p}*-1\r\n*-99\r\n{p}"), vec![ping(), ping()], None),
        ("*-1\r\n\r\nPING\r\n".into(), vec![ping()], None),
        (format!("\r\n\n   \r\n{p}"), vec![ping()], None),
        (format!("*1\r\n$0\r\n\r\n{p}"), vec![args(&[""]), ping()], None),
        ("PING\nPING\r\nPING\r\r\n".into(), vec![ping(), ping(), ping()], None),
        (
            "SET k \"a b\\x41\"\r\nECHO 'x\\'y'\r\n".into(),
            vec![args(&["SET", "k", "a bA"]), args(&["ECHO", "x'y"])],
            None,
        ),
        ("ECHO a\0b c\r\n".into(), vec![args(&["ECHO", "a\0b", "c"])], None),
        (format!("*1\r\n$4\r\nPINGxx{p}"), vec![ping(), ping()], None),
        (format!("*1\rx$4\rxPINGyy{p}"), vec![ping(), ping()], None),
        ("*2147483647\r\n$1\r\na\r\n".into(), vec![], None),
        ("*1\r\n$536870912\r\nabc".into(), vec![], None),
        ("*1\r\nx".into(), vec![], None),
        (format!("{p}ECHO \"a\"b\r\n{p}"), vec![ping()], Some(UnbalancedQuotes)),
        ("ECHO 'a\r\n".into(), vec![], Some(UnbalancedQuotes)),
        (format!("{p}*\r\n{p}"), vec![ping()], Some(InvalidMultibulkLength)),
        (format!("*abc\r\n{p}"), vec![], Some(InvalidMultibulkLength)),
        (format!("*+1\r\n{p}"), vec![], Some(InvalidMultibulkLength)),
        (format!("*01\r\n{p}"), vec![], Some(InvalidMultibulkLength)),
        ("* 1\r\n".into(), vec![], Some(InvalidMultibulkLength)),
        ("*-0\r\n".into(), vec![], Some(InvalidMultibulkLength)),
        ("*1\n$4\r\n".into(), vec![], Some(InvalidMultibulkLength)),
        ("*2147483648\r\n".into(), vec![], Some(InvalidMultibulkLength)),
        ("*9223372036854775808\r\n".into(), vec![], Some(InvalidMultibulkLength)),
        (format!("PING\r\n{p}*1\r\nx\r\n"), vec![ping(), ping()], Some(ExpectedBulk(b'x'))),
        ("*1\r\n\r\n".into(), vec![], Some(ExpectedBulk(b'\r'))),
        ("*2\r\n$1\r\na\r\n$-1\r\n".into(), vec![], Some(InvalidBulkLength)),
        ("*1\r\n$abc\r\n".into(), vec![], Some(InvalidBulkLength)),
        ("*1\r\n$+4\r\nPING\r\n".into(), vec![], Some(InvalidBulkLength)),
        ("*1\r\n$04\r\nPING\r\n".into(), vec![], Some(InvalidBulkLength)),
        ("*1\r\n$536870913\r\n".into(), vec![], Some(InvalidBulkLength)),
        ("*1\r\n$4\nPING\r\nx\r\n".into(), vec![], Some(InvalidBulkLength)),
    ];
    cases.into_iter().map(|(text, commands, error)| (text.into_bytes(), commands, error)).collect()
}

#[test]
fn every_cut_of_a_stream_gives_the_same_commands_and_the_same_error() {
    for (stream, commands, error) in streams() {
        for cut in 0..=stream.len() {
            for commands_max in [1, 2, usize::MAX] {
                let mut feeder = Feeder { commands_max, ..Feeder::new(Limits::default()) };
                feeder.feed(&stream[..cut]);
                feeder.feed(&stream[cut..]);
                let text = stream.escape_ascii();
                assert_eq!(feeder.commands, commands, "{text} cut at {cut}, {commands_max} at once");
                assert_eq!(feeder.error, error, "{text} cut at {cut}, {commands_max} at once");
            }
        }
        let mut feeder = Feeder::new(Limits::default());
        stream.iter().for_each(|byte| feeder.feed(&[*byte]));
        assert_eq!(
            (feeder.commands, feeder.error),
            (commands, error),
            "{} byte by byte",
            stream.escape_ascii()
        );
    }
}

#[test]
fn an_error_comes_with_the_commands_before_it_and_stays() {
    let (mut parser, mut batch) = (RequestParser::new(), Batch::new());
    let buf = b"PING\r\n*x\r\nPING\r\n";
    let parsed = parser.parse(buf, &Limits::default(), &mut batch, 10);
    assert_eq!((batch.len(), parsed.consumed), (1, 6));
    assert_eq!(parsed.error, Some(ProtocolError::InvalidMultibulkLength));
    let parsed = parser.parse(&buf[6..], &Limits::default(), &mut batch, 10);
    assert_eq!((batch.len(), parsed.consumed), (0, 0));
    assert_eq!(parsed.error, Some(ProtocolError::InvalidMultibulkLength));
}

#[test]
fn errors_read_as_those_of_redis() {
    let texts = [
        (ProtocolError::InvalidMultibulkLength, "ERR Protocol error: invalid multibulk length"),
        (
            ProtocolError::UnauthenticatedMultibulkLength,
            "ERR Protocol error: unauthenticated multibulk length",
        ),
        (ProtocolError::ExpectedBulk(b'x'), "ERR Protocol error: expected '$', got 'x'"),
        (ProtocolError::InvalidBulkLength, "ERR Protocol error: invalid bulk length"),
        (ProtocolError::UnauthenticatedBulkLength, "ERR Protocol error: unauthenticated bulk length"),
        (ProtocolError::MultibulkCountTooBig, "ERR Protocol error: too big mbulk count string"),
        (ProtocolError::BulkCountTooBig, "ERR Protocol error: too big bulk count string"),
        (ProtocolError::InlineTooBig, "ERR Protocol error: too big inline request"),
        (ProtocolError::UnbalancedQuotes, "ERR Protocol error: unbalanced quotes in request"),
    ];
    for (error, text) in texts {
        assert_eq!(error.wire(), text.as_bytes());
    }
    assert_eq!(ProtocolError::ExpectedBulk(0xff).wire(), b"ERR Protocol error: expected '$', got '\xff'");
}

/// The error after a stream that is fed whole and, to another parser, in pieces.
fn error_of(stream: &[u8], limits: Limits) -> Option<ProtocolError> {
    let mut whole = Feeder::new(limits);
    whole.feed(stream);
    let mut pieces = Feeder::new(limits);
    stream.chunks(1000).for_each(|piece| pieces.feed(piece));
    assert_eq!(whole.error, pieces.error, "the error depends on the cut");
    assert_eq!(whole.commands, pieces.commands, "the commands depend on the cut");
    whole.error
}

#[test]
fn lines_are_limited_on_both_sides() {
    let limits = Limits::default();
    let x = |n: usize| "x".repeat(n);
    let max = limits.inline_max;
    assert_eq!(error_of(x(max).as_bytes(), limits), None);
    assert_eq!(error_of(format!("{}\n", x(max)).as_bytes(), limits), None);
    assert_eq!(error_of(x(max + 1).as_bytes(), limits), Some(ProtocolError::InlineTooBig));
    assert_eq!(error_of(format!("{}\n", x(max + 1)).as_bytes(), limits), Some(ProtocolError::InlineTooBig));
    let count = |n: usize| format!("*{}", "1".repeat(n - 1));
    assert_eq!(error_of(count(max).as_bytes(), limits), None);
    assert_eq!(error_of(count(max + 1).as_bytes(), limits), Some(ProtocolError::MultibulkCountTooBig));
    let bulk = |n: usize| format!("*1\r\n${}", "1".repeat(n - 1));
    assert_eq!(error_of(bulk(max).as_bytes(), limits), None);
    assert_eq!(error_of(bulk(max + 1).as_bytes(), limits), Some(ProtocolError::BulkCountTooBig));
}

#[test]
fn counts_and_lengths_are_limited_on_both_sides() {
    let limits = Limits { bulk_max: 100, multibulk_max: 20, ..Limits::default() };
    assert_eq!(error_of(b"*20\r\n", limits), None);
    assert_eq!(error_of(b"*21\r\n", limits), Some(ProtocolError::InvalidMultibulkLength));
    assert_eq!(error_of(b"*1\r\n$100\r\n", limits), None);
    assert_eq!(error_of(b"*1\r\n$101\r\n", limits), Some(ProtocolError::InvalidBulkLength));
    let stranger = Limits::stranger();
    assert_eq!(error_of(b"*10\r\n", stranger), None);
    assert_eq!(error_of(b"*11\r\n", stranger), Some(ProtocolError::UnauthenticatedMultibulkLength));
    assert_eq!(error_of(b"*2147483648\r\n", stranger), Some(ProtocolError::InvalidMultibulkLength));
    assert_eq!(error_of(b"*1\r\n$16384\r\n", stranger), None);
    assert_eq!(error_of(b"*1\r\n$16385\r\n", stranger), Some(ProtocolError::UnauthenticatedBulkLength));
    assert_eq!(error_of(b"*1\r\n$536870913\r\n", stranger), Some(ProtocolError::InvalidBulkLength));
}

#[test]
fn a_command_that_no_range_can_address_is_refused() {
    let limits = Limits { bulk_max: usize::MAX / 4, ..Limits::default() };
    assert_eq!(error_of(b"*1\r\n$4294967200\r\n", limits), None);
    assert_eq!(error_of(b"*1\r\n$4294967295\r\n", limits), Some(ProtocolError::RequestTooBig));
    assert_eq!(error_of(b"*1\r\n$1000000000000000000\r\n", limits), Some(ProtocolError::RequestTooBig));
}

#[test]
fn the_missing_bytes_of_an_argument_are_known_exactly() {
    let mut feeder = Feeder::new(Limits::default());
    let frame = encoded(&args(&["ECHO", &"x".repeat(1000)]));
    feeder.feed(&frame[..10]);
    assert_eq!(feeder.want, 4, "of ECHO CR LF, two bytes have come");
    feeder.feed(&frame[10..24]);
    feeder.feed(&frame[24..30]);
    assert_eq!(feeder.want, frame.len() - 30);
    feeder.feed(&frame[30..]);
    assert_eq!((feeder.want, feeder.commands.len()), (0, 1));
}

/// Quadratic re-reading or re-copying would take hours here, not seconds.
#[test]
fn a_million_arguments_byte_by_byte_cost_linear_time() {
    const ARGS: usize = 1_000_000;
    let (mut parser, mut batch) = (RequestParser::new(), Batch::new());
    let mut stream = format!("*{ARGS}\r\n").into_bytes();
    (0..ARGS).for_each(|_| stream.extend_from_slice(b"$1\r\na\r\n"));
    for end in 1..stream.len() {
        let parsed = parser.parse(&stream[..end], &Limits::default(), &mut batch, 16);
        assert!(parsed.consumed == 0 && parsed.error.is_none() && batch.is_empty());
    }
    assert_eq!(parser.parse(&stream, &Limits::default(), &mut batch, 16).consumed, stream.len());
    assert_eq!(batch.get(0, &stream).len(), ARGS);
    assert!(batch.get(0, &stream).iter().all(|arg| arg == b"a"));
}

#[test]
fn an_owned_request_equals_its_original() {
    let (mut parser, mut batch) = (RequestParser::new(), Batch::new());
    let buf = encoded(&args(&["SET", "k", "", "v"]));
    parser.parse(&buf, &Limits::default(), &mut batch, 1);
    let request = batch.get(0, &buf);
    assert_eq!(request.raw(), Some(&buf[..]));
    let owned = OwnedRequest::from_request(&request);
    assert_eq!(owned, OwnedRequest::from_args(["SET", "k", "", "v"]));
    let view = owned.as_request();
    assert_eq!((view.len(), view.name(), view.arg(3), view.arg(4)), (4, &b"SET"[..], &b"v"[..], &b""[..]));
    assert_eq!((view.get(2), view.get(4), view.raw()), (Some(&b""[..]), None, None));
    assert!(batch.get(1, &buf).is_empty());
}

#[test]
fn the_codec_gives_one_command_at_a_time_and_then_the_error() {
    let mut codec = RequestCodec::new(Limits::default());
    let mut src = BytesMut::from(&b"PING\r\n*1\r\n$4\r\nQUIT\r\n*x\r\n"[..]);
    assert_eq!(codec.decode(&mut src).unwrap(), Some(OwnedRequest::from_args(["PING"])));
    assert_eq!(codec.decode(&mut src).unwrap(), Some(OwnedRequest::from_args(["QUIT"])));
    assert_eq!(codec.decode(&mut src).unwrap_err().to_string(), "Protocol error: invalid multibulk length");
}

/// The commands that `redis-protocol` reads.
fn oracle(stream: &[u8]) -> Vec<Args> {
    let mut rest = Bytes::copy_from_slice(stream);
    let mut commands = Vec::new();
    while let Some((BytesFrame::Array(frames), used)) = decode_bytes(&rest).unwrap() {
        commands.push(frames.iter().map(|frame| frame.as_bytes().unwrap().to_vec()).collect());
        rest = rest.slice(used..);
    }
    commands
}

/// A stream as `redis-protocol` writes it.
fn oracle_encoded(commands: &[Args]) -> Vec<u8> {
    let mut stream = Vec::new();
    for command in commands {
        let frames = command.iter().map(|arg| BytesFrame::BulkString(Bytes::copy_from_slice(arg))).collect();
        let frame = BytesFrame::Array(frames);
        let mut one = vec![0; frame.encode_len(false)];
        let length = encode_bytes(&mut one, &frame, false).unwrap();
        stream.extend_from_slice(&one[..length]);
    }
    stream
}

fn any_command() -> impl Strategy<Value = Args> {
    let arg = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..30),
        prop::collection::vec(prop::sample::select(b"*$\r\n1-".to_vec()), 0..12),
        (90_usize..1100).prop_map(|length| vec![b'x'; length]),
    ];
    prop::collection::vec(arg, 1..12)
}

proptest! {
    #[test]
    fn random_commands_cut_at_random_read_as_the_oracle_reads_them(
        commands in prop::collection::vec(any_command(), 0..8),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        commands_max in 1_usize..5,
    ) {
        let stream = oracle_encoded(&commands);
        prop_assert_eq!(&oracle(&stream), &commands);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let mut feeder = Feeder { commands_max, ..Feeder::new(Limits::default()) };
        cuts.windows(2).for_each(|cut| feeder.feed(&stream[cut[0]..cut[1]]));
        prop_assert_eq!(feeder.error, None);
        prop_assert_eq!(feeder.commands, commands);
        prop_assert!(feeder.buf.is_empty());
    }

    #[test]
    fn garbage_neither_panics_nor_depends_on_the_cut(
        stream in prop::collection::vec(prop::sample::select(b"*$\r\n01239-x\"' \\".to_vec()), 0..60),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut whole = Feeder::new(Limits::default());
        whole.feed(&stream);
        let cut = cut.index(stream.len() + 1);
        let mut pieces = Feeder::new(Limits::default());
        pieces.feed(&stream[..cut]);
        pieces.feed(&stream[cut..]);
        prop_assert_eq!(whole.commands, pieces.commands);
        prop_assert_eq!(whole.error, pieces.error);
        prop_assert_eq!(whole.buf, pieces.buf);
    }
}
