//! `escale`: the one binary. It is the command line, as `escale daemon` the cloud, and as `escale plane` the data plane.
//!
//! Where to start: `cli/` parses the command line and talks to the daemon as any AWS client does; `daemon.rs` runs the
//! cloud; `planes.rs` and `cloud.rs` open the planes, and the crate in `app/wiring` connects every service to them. `plane.rs` runs
//! the data plane's process.

mod api_certificate;
mod cli;
mod cloud;
mod daemon;
mod edge_cache;
mod home;
mod inner_certificates;
mod internet;
mod lock;
mod memory;
mod origins;
mod path;
mod plane;
mod planes;
mod process;
mod root_key;
mod settings;
mod unit;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    // The shim that supervises a container is this same program. It runs before anything else, because it must be the only
    // thing in its process.
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|w| w == "shim") {
        return escale_containers::shim_main(words);
    }
    let arguments = cli::Arguments::parse();
    let json = arguments.json;
    // The home holds keys, passwords and user data. With this umask every file in it, whichever library creates it, is
    // accessible to its owner only. Code that creates something for other users (parent folders of databases, files of
    // images) sets the mode explicitly. The aws CLI writes files for the user and so keeps the user's own umask.
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
