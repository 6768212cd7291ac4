//! The shim as a separate program for this crate's tests. A daemon calls `shim_main` itself.

use std::process::ExitCode;

fn main() -> ExitCode {
    escale_containers::shim_main(std::env::args_os().skip(1))
}
