//! The program: it turns arguments into settings, boots, and turns the outcome into an exit code.

use std::process::ExitCode;
use std::sync::Arc;

use pinstripe::boot::{self, HostFiles};
use pinstripe::cli::{self, Action};
use pinstripe::log::storage::RealStorage;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
        Action::Run(request) => match boot::run(&request) {
            Ok(code) => return ExitCode::from(code),
            Err(failure) => {
                eprintln!("pinstripe: {}", failure.line);
                return ExitCode::from(failure.code);
            }
        },
    }
    ExitCode::SUCCESS
}
