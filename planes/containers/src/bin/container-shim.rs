//! The shim as a program of its own: what this crate's tests start. A daemon calls `shim_main` itself.

use std::process::ExitCode;

fn main() -> ExitCode {
    escale_containers::shim_main(std::env::args_os().skip(1))
}
