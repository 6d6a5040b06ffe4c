//! Reading requests: a deep pipeline, a large argument, commands typed by hand.

use std::hint::black_box;

use pinstripe::resp::request::{Batch, Limits, RequestParser};

use crate::cases::{BATCH, Case, Named, Plain, key};

pub(crate) const CASES: &[Named] = &[
    Named { name: "codec/64 GETs", operations: BATCH, make: |_| parsing(gets(), BATCH as usize) },
    Named { name: "codec/64 SETs", operations: BATCH, make: |_| parsing(sets(), BATCH as usize) },
    Named { name: "codec/64 inline GETs", operations: BATCH, make: |_| parsing(inline(), BATCH as usize) },
    Named { name: "codec/SET of 64 KiB", operations: 1, make: |_| parsing(large(), 1) },
];

/// Parses the bytes as a connection does, and looks at every argument.
fn parsing(bytes: Vec<u8>, commands: usize) -> Box<dyn Case> {
    let (mut parser, mut batch, limits) = (RequestParser::new(), Batch::new(), Limits::default());
    Box::new(Plain(move || {
        let parsed = parser.parse(black_box(&bytes), &limits, &mut batch, usize::MAX);
        assert!(parsed.consumed == bytes.len() && batch.len() == commands, "the bench's own input is wrong");
        for at in 0..batch.len() {
            batch.get(at, &bytes).iter().for_each(|arg| {
                black_box(arg);
            });
        }
    }))
}

fn gets() -> Vec<u8> {
    (0..BATCH as usize)
        .flat_map(|n| [b"*2\r\n$3\r\nGET\r\n$16\r\n".as_slice(), &key(n), b"\r\n"].concat())
        .collect()
}

fn sets() -> Vec<u8> {
    let value = [b'x'; 32];
    let one =
        |n| [b"*3\r\n$3\r\nSET\r\n$16\r\n".as_slice(), &key(n), b"\r\n$32\r\n", &value, b"\r\n"].concat();
    (0..BATCH as usize).flat_map(one).collect()
}

fn inline() -> Vec<u8> {
    (0..BATCH as usize).flat_map(|n| [b"GET ".as_slice(), &key(n), b"\r\n"].concat()).collect()
}

fn large() -> Vec<u8> {
    let value = vec![b'x'; 64 * 1024];
    [b"*3\r\n$3\r\nSET\r\n$16\r\n".as_slice(), &key(1), b"\r\n$65536\r\n", &value, b"\r\n"].concat()
}
