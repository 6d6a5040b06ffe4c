//! The program: it turns arguments into settings, boots, and turns the outcome into an exit code.

use std::process::ExitCode;
use std::sync::Arc;

use pinstripe::base::allocator::Allocator;
use pinstripe::boot::{self, HostFiles};
use pinstripe::cli::{self, Action};
use pinstripe::log::storage::RealStorage;
use pinstripe::port;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this is where the program speaks to its user")]
fn main() -> ExitCode {
    let action = match cli::parse(std::env::args_os().skip(1)) {
        Ok(action) => action,
        Err(error) => {
            eprintln!("pinstripe: {error}");
            return ExitCode::from(cli::EXIT_CONFIG);
        }
    };
    match action {
        Action::Help => print!("{}", cli::help()),
        Action::Version => print!("{}", cli::version()),
        Action::CheckConfig(request) => match request.load(&HostFiles::new(Arc::new(RealStorage))) {
            Ok(loaded) => print!("{}", cli::check_report(&loaded)),
            Err(error) => {
                eprintln!("pinstripe: {error}");
                return ExitCode::from(cli::EXIT_CONFIG);
            }
        },
        Action::Explain(text) => print!("{text}"),
        Action::Misused(text) => {
            eprint!("{text}");
            return ExitCode::from(cli::EXIT_CONFIG);
        }
        Action::Offline(task) => {
            return ended(boot::offline::run(&task).map(|(report, code)| {
                print!("{report}");
                code
            }));
        }
        Action::Run(request) => return ended(boot::run(&request)),
        Action::Import(request) => return ended(port::import(&request).map(|()| cli::EXIT_OK)),
        Action::Export(request) => return ended(port::export(&request).map(|()| cli::EXIT_OK)),
    }
    ExitCode::SUCCESS
}

#[expect(clippy::print_stderr, reason = "this is where the program speaks to its user")]
fn ended(outcome: Result<u8, boot::Failure>) -> ExitCode {
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            eprintln!("pinstripe: {}", failure.line);
            ExitCode::from(failure.code)
        }
    }
}
