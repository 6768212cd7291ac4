//! The files for the machine: a tar archive as its second disk, because ssh would have to encrypt on an emulated processor.

use crate::{
    run::{root, run_command},
    test,
};
use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Packs the program, which may be a Debian package, the shop with its compiled servers, and the application of the memory check.
pub(super) fn pack(escale: &Path, shop: &Path) -> Result<PathBuf> {
    let folder = test::target().join("vm/payload");
    let archive = test::target().join("vm/payload.tar");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder.join("shop"))?;
    if escale.extension().is_some_and(|extension| extension == "deb") {
        // Without its version, which the command that installs it does not know.
        fs::copy(escale, folder.join("escale.deb"))
            .with_context(|| format!("cannot copy {}", escale.display()))?;
    } else {
        // Symbols are four fifths of the program.
        run_command(Command::new("strip").arg("-o").arg(folder.join("escale")).arg(escale))?;
    }
    for name in ["escale.yaml", "frontend", "backend"] {
        copy(&shop.join(name), &folder.join("shop"))?;
    }
    copy(&root().join("xtask/src/vm/guest/eater"), &folder)?;
    let mut tar = Command::new("tar");
    tar.args(["--owner=0", "--group=0", "-cf"]).arg(&archive).arg("-C").arg(&folder).arg(".");
    run_command(&mut tar)?;
    Ok(archive)
}

fn copy(what: &Path, into: &Path) -> Result<()> {
    run_command(Command::new("cp").arg("-a").arg(what).arg(into))
}
