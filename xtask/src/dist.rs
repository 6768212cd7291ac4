//! `cargo xtask dist`: what users install, below `target/dist`: a Debian package and a tarball, with manual pages, completions and a systemd
//! unit. `ESCALE=target/dist/….deb cargo xtask vm` installs the package on a real Debian and runs the shop.

use crate::{
    run::{root, run, run_command},
    test,
    tidy::ratchet,
    tools::tool,
};
use anyhow::{Context, Result};
use std::{fs, process::Command};

/// Pinned, because the package's contents follow from it.
const CARGO_DEB: &str = "3.8.0";

pub(crate) fn dist() -> Result<()> {
    let escale = test::release()?;
    ratchet::check_release(&escale)?;
    let dist = root().join("target/dist");
    if dist.exists() {
        fs::remove_dir_all(&dist).with_context(|| format!("cannot remove {}", dist.display()))?;
    }
    let name = format!("escale-{}-{}-linux", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    let folder = dist.join(&name);
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    run_command(Command::new(&escale).arg("package").arg(&folder))?;
    let cargo_deb = tool("cargo-deb", CARGO_DEB)?;
    // Its assets (`[package.metadata.deb]` in app/Cargo.toml) are the binary and the files above, at a path without the version.
    let staged = dist.join("package");
    std::os::unix::fs::symlink(&name, &staged).context("cannot link the package's folder")?;
    let mut deb = Command::new(cargo_deb);
    deb.args(["--package", "escale", "--no-build", "--no-strip", "--output"]).arg(&dist);
    run_command(deb.current_dir(root()))?;
    for file in ["README.md", "CHANGELOG.md", "LICENSE", "NOTICE"] {
        fs::copy(root().join(file), folder.join(file)).with_context(|| format!("cannot copy {file}"))?;
    }
    fs::copy(&escale, folder.join("escale")).context("cannot copy the program")?;
    fs::remove_file(&staged).context("cannot remove the link to the package's folder")?;
    let archive = dist.join(format!("{name}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.args(["--owner=0", "--group=0", "-czf"]).arg(&archive).arg("-C").arg(&dist).arg(&name);
    run_command(&mut tar)?;
    run("ls", &["-l", "target/dist"])
}
