//! The program: see its commands in `cli.rs`.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
