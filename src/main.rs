//! The program: `authql serve | migrate | schema`.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
