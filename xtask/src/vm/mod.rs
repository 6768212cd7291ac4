//! `cargo xtask vm [SUITE]`: the shop on a real Debian in a virtual machine: systemd, cgroup v2 alone, the distribution's kernel.
//!
//! Most problems of a fresh machine do not occur on a developer's machine. `image` builds the disk from Debian's packages, `machine`
//! boots it with QEMU and logs in by ssh, `checks` lists the checks. QEMU emulates the processor, so that this works without KVM; times
//! are about ten times longer than on real hardware.

mod checks;
mod image;
mod machine;
mod payload;

use crate::{
    run::{root, run},
    setup,
    soak::Finding,
    test,
};
use anyhow::{Result, bail};
use checks::Outcome;
use image::Suite;
use machine::Machine;

/// The arguments of `cargo xtask vm`.
pub(crate) struct Wanted {
    suites: Vec<Suite>,
    /// Builds the disk again, although one exists.
    fresh: bool,
    /// Only the checks whose name contains this.
    only: Option<String>,
}

impl Wanted {
    /// `[debian-12|debian-13] [--fresh] [--only TEXT]`
    pub(crate) fn parse(words: &[&str]) -> Result<Wanted> {
        let mut wanted = Wanted { suites: Vec::new(), fresh: false, only: None };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match (*word, Suite::parse(word)) {
                (_, Some(suite)) => wanted.suites.push(suite),
                ("--fresh", _) => wanted.fresh = true,
                ("--only", _) => wanted.only = words.next().map(|text| (*text).to_owned()),
                _ => {
                    bail!("usage: cargo xtask vm [debian-12|debian-13] [--fresh] [--only TEXT], not '{word}'")
                }
            }
        }
        if wanted.suites.is_empty() {
            wanted.suites = Suite::ALL.to_vec();
        }
        Ok(wanted)
    }
}

/// Runs the checks on each suite, prints the tables, and fails if a check failed.
pub(crate) fn vm(words: &[&str]) -> Result<()> {
    let wanted = Wanted::parse(words)?;
    let mut failed = 0;
    for suite in &wanted.suites {
        let outcomes = run_suite(*suite, &wanted)?;
        println!("\n{}", table(*suite, &outcomes));
        failed += outcomes.iter().filter(|o| o.result.is_err()).count();
    }
    match failed {
        0 => Ok(()),
        1 => bail!("1 check failed"),
        n => bail!("{n} checks failed"),
    }
}

/// What the checks show, for docs/reliability.md.
pub(crate) const SHOWS: &str = "A fresh machine under QEMU, built from Debian's packages: systemd, cgroup v2 alone, the distribution's kernel, logins by ssh. \
                                Each row is a check of `cargo xtask vm`.";

/// All checks on one suite: for `cargo xtask soak`.
pub(crate) fn suite(name: &str) -> Result<Finding> {
    let wanted = Wanted::parse(&[name])?;
    let mut text = Vec::new();
    let mut passed = true;
    for suite in &wanted.suites {
        let outcomes = run_suite(*suite, &wanted)?;
        passed &= outcomes.iter().all(|o| o.result.is_ok());
        text.push(table(*suite, &outcomes));
    }
    Ok(Finding { text: text.join("\n"), passed })
}

fn run_suite(suite: Suite, wanted: &Wanted) -> Result<Vec<Outcome>> {
    setup::vm()?;
    let program = test::program()?;
    run("examples/shop/build", &[])?;
    let image = image::build(suite, wanted.fresh)?;
    let payload = payload::pack(&program, &root().join("examples/shop"))?;
    let mut machine = Machine::boot(&image, &payload)?;
    println!("▶ {suite} answers after {} s; log: {}", machine.booted_s(), machine.serial_log().display());
    checks::run_all(&mut machine, wanted.only.as_deref())
}

fn table(suite: Suite, outcomes: &[Outcome]) -> String {
    let mut text = format!("| {suite}: check | result | figure |\n| --- | --- | --- |\n");
    for outcome in outcomes {
        let (word, figure) = match &outcome.result {
            Ok(figure) => ("passed", figure),
            Err(reason) => ("**failed**", reason),
        };
        let figure = figure.replace(['\n', '|'], " ");
        text += &format!("| {} | {word} | {} |\n", outcome.name, figure.trim());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_or_refused() {
        let both = Wanted::parse(&[]).unwrap();
        assert_eq!(both.suites, Suite::ALL);
        let one = Wanted::parse(&["debian-13", "--fresh", "--only", "reboot"]).unwrap();
        assert_eq!(
            (one.suites.as_slice(), one.fresh, one.only.as_deref()),
            (&[Suite::Debian13][..], true, Some("reboot"))
        );
        assert!(Wanted::parse(&["debian-3"]).is_err());
    }

    #[test]
    fn a_failure_is_one_row() {
        let outcomes = [
            Outcome { name: "up", result: Ok("41 s\n".into()) },
            Outcome { name: "logout", result: Err("daemon: gone\ntasks | gone".into()) },
        ];
        let text = table(Suite::Debian12, &outcomes);
        assert!(
            text.ends_with("| up | passed | 41 s |\n| logout | **failed** | daemon: gone tasks   gone |\n"),
            "{text}"
        );
    }
}
