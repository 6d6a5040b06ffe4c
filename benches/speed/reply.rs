//! Writing replies into a connection's buffer.

use std::hint::black_box;

use pinstripe::resp::reply::{Proto, Reply};

use crate::cases::{BATCH, Case, Named, Plain};

pub(crate) const CASES: &[Named] = &[
    Named {
        name: "reply/64 bulks of 32 bytes",
        operations: BATCH,
        make: |_| writing(|reply| (0..BATCH).for_each(|_| reply.bulk(black_box(&[b'x'; 32])))),
    },
    Named {
        name: "reply/64 integers",
        operations: BATCH,
        make: |_| writing(|reply| (0..BATCH).for_each(|n| reply.int(black_box(n as i64 * 7919)))),
    },
    Named {
        name: "reply/an array of 100",
        operations: 100,
        make: |_| {
            writing(|reply| {
                reply.array(100);
                (0..100).for_each(|_| reply.bulk(black_box(b"sixteen bytes it")));
            })
        },
    },
    Named {
        name: "reply/an array of 100, counted afterwards",
        operations: 100,
        make: |_| {
            writing(|reply| {
                let place = reply.defer();
                (0..100).for_each(|_| reply.bulk(black_box(b"sixteen bytes it")));
                reply.close_array(place, 100);
            })
        },
    },
];

fn writing(write: fn(&mut Reply<'_>)) -> Box<dyn Case> {
    let mut out = Vec::new();
    Box::new(Plain(move || {
        out.clear();
        write(&mut Reply::new(&mut out, Proto::Resp2));
        black_box(&out);
    }))
}
