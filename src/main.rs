//! The program: `authql serve | migrate | keys | mail | users | schema`.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
