//! `cargo xtask audit`: what cargo-deny finds out about the dependencies. It needs the network for the database of vulnerabilities, so it is no
//! part of the tests.

use crate::{
    run::{root, run_command},
    tools::tool,
};
use anyhow::{Context, Result};
use std::process::Command;

/// Pinned, because an update may read deny.toml differently.
const VERSION: &str = "0.20.2";

pub(crate) fn audit() -> Result<()> {
    let program = tool("cargo-deny", VERSION)?;
    let deny = |what: &[&str]| {
        let mut command = Command::new(&program);
        run_command(
            command
                .args(["--log-level", "error", "check", "--hide-inclusion-graph"])
                .args(what)
                .current_dir(root()),
        )
    };
    deny(&["licenses", "bans", "sources"])?;
    deny(&["advisories"]).context(
        "known vulnerabilities: see above. If the database could not be fetched, run this where github.com can be reached",
    )
}
