//! The program: `authql serve | migrate | keys | events | mail | templates | users | schema`.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
