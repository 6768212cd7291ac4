//! `escale completions SHELL`, and what a package of a distribution has beside the program.

use super::{Arguments, print};
use crate::unit;
use anyhow::{Context, Result};
use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};
use std::{fs, path::Path, path::PathBuf};

#[derive(Args)]
pub(crate) struct Completions {
    /// The shell to write them for.
    shell: Shell,
}

#[derive(Args)]
pub(crate) struct Package {
    /// The folder to write to.
    folder: PathBuf,
}

/// Where a package installs the program.
const PROGRAM: &str = "/usr/bin/escale";

/// The home of a daemon that systemd starts. The specifier is the home of the user whom the service manager runs as (systemd.unit(5)); the
/// writer of units would escape it, so that it is put in for a path of the same shape.
const HOME: &str = "%h/.local/share/escale";
const HOME_FOR_WRITER: &str = "/var/lib/escale/home";

/// The settings of a packaged service. The hyphen: the file may be absent (systemd.exec(5)).
const ENVIRONMENT: &str = "-/etc/default/escale";

/// Prints the completions, for `source <(escale completions bash)` and the like.
pub(crate) fn run(args: &Completions) {
    // Not to the standard output itself: the generator panics if the reader has closed it.
    let mut text = Vec::new();
    generate(args.shell, &mut Arguments::command(), "escale", &mut text);
    print(&String::from_utf8_lossy(&text));
}

/// Writes manual pages, completions and the systemd unit, for `cargo xtask dist`.
pub(crate) fn package(args: &Package) -> Result<()> {
    let folder = |name: &str| -> Result<PathBuf> {
        let path = args.folder.join(name);
        fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(path)
    };
    let manual = folder("man")?;
    clap_mangen::generate_to(Arguments::command(), &manual)
        .with_context(|| format!("cannot write to {}", manual.display()))?;
    let completions = folder("completions")?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut Arguments::command(), "escale", &completions)
            .with_context(|| format!("cannot write to {}", completions.display()))?;
    }
    let unit = unit::text(&unit::Unit {
        program: Path::new(PROGRAM),
        home: Path::new(HOME_FOR_WRITER),
        environment: Path::new(ENVIRONMENT),
    })?;
    let unit = unit.replace(HOME_FOR_WRITER, HOME);
    let unit = unit.replace(
        unit::INSTALLED_BY,
        "# From the package; `escale service install` writes one that takes precedence.",
    );
    let path = folder("systemd")?.join("escale.service");
    fs::write(&path, unit).with_context(|| format!("cannot write {}", path.display()))
}
