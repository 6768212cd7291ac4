//! `escale`: the one binary. It is the command line, and, as `escale daemon`, the cloud.
//!
//! The road: `cli/` reads what the user wants and talks to the daemon as any AWS client does; `daemon.rs` runs the
//! cloud; `planes.rs` and `cloud.rs` open the planes, and the crate in `app/wiring` puts every service on them.

mod cli;
mod cloud;
mod daemon;
mod home;
mod lock;
mod memory;
mod path;
mod planes;
mod root_key;
mod settings;
mod unit;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    // A container's keeper is this same program; it must be alone in its process.
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|w| w == "shim") {
        return escale_containers::shim_main(words);
    }
    let arguments = cli::Arguments::parse();
    let json = arguments.json;
    // The home holds keys, passwords, and what users stored. Whatever is made below it, by whichever library, is its owner's
    // alone; what others must enter (folders on the way to databases, files of images) is given its mode by who makes it.
    // The aws CLI writes files for the user: it keeps the user's own.
    if !arguments.runs_another_program() {
        nix::sys::stat::umask(nix::sys::stat::Mode::S_IRWXG | nix::sys::stat::Mode::S_IRWXO);
    }
    match path::complete().and_then(|()| cli::run(arguments)) {
        Ok(code) => code,
        Err(error) => {
            cli::report(&error, json);
            ExitCode::FAILURE
        }
    }
}
