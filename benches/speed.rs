//! The inner loops, each alone: what `cargo bench` times, and what `scripts/instructions` counts.
//!
//! A case makes its own state and runs a handful of operations on it at a time, so that the clock's own cost and the call
//! do not matter. Keys, their order and the table's seed are fixed: the same program executes nearly the same
//! instructions each time, on any machine, which no timing does.
//!
//! ```text
//! cargo bench [-- FILTER]                   time, by criterion
//! speed --cases                             the names
//! speed --run NAME                          one case some times, for callgrind, which counts inside of `counted`
//! ```

#[path = "speed/cases.rs"]
mod cases;
#[path = "speed/codec.rs"]
mod codec;
#[path = "speed/log.rs"]
mod log;
#[path = "speed/reply.rs"]
mod reply;
#[path = "speed/table.rs"]
mod table;
#[path = "speed/values.rs"]
mod values;

use std::cell::RefCell;
use std::process::ExitCode;

use cases::{Case, Named, counted};
use criterion::{BatchSize, Criterion, Throughput};
use pinstripe::base::allocator::Allocator;

// The server's allocator: the cases are to cost here what they cost there.
#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// Keys in the table: when timed, more than a processor's caches hold; when counted, as many as valgrind fills in a second.
const KEYS_TIMED: usize = 1_000_000;
const KEYS_COUNTED: usize = 50_000;

fn all() -> Vec<Named> {
    [codec::CASES, table::CASES, log::CASES, reply::CASES, values::CASES].concat()
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench speaks to whoever started it")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--cases", ..] => all().iter().for_each(|case| println!("{}\t{}", case.name, case.operations)),
        ["--run", name, ..] => {
            let Some(found) = all().into_iter().find(|case| case.name == name) else {
                eprintln!("there is no case {name}");
                return ExitCode::FAILURE;
            };
            count(&mut *(found.make)(KEYS_COUNTED));
        }
        _ => time(),
    }
    ExitCode::SUCCESS
}

/// Runs a case as often as it is counted. The first runs are not: they make what is kept from then on.
fn count(case: &mut dyn Case) {
    for _ in 0..cases::WARM_UPS {
        case.prepare();
        case.run();
    }
    for _ in 0..cases::RUNS {
        case.prepare();
        counted(case);
    }
}

fn time() {
    let mut criterion = Criterion::default().configure_from_args();
    for named in all() {
        let Some((group, name)) = named.name.split_once('/') else { continue };
        let mut group = criterion.benchmark_group(group);
        group.throughput(Throughput::Elements(named.operations));
        // Made inside, so that a filter spares the making of what it leaves out.
        group.bench_function(name, |bencher| {
            let case = RefCell::new((named.make)(KEYS_TIMED));
            bencher.iter_batched(
                || case.borrow_mut().prepare(),
                |()| case.borrow_mut().run(),
                BatchSize::PerIteration,
            );
        });
        group.finish();
    }
    criterion.final_summary();
}
