//! docs/benchmarks.md: what was measured, beside what is wished.

use crate::run::{output, root};
use anyhow::{Context, Result};
use std::fs;

const FILE: &str = "docs/benchmarks.md";

const TITLE: &str = "# Benchmarks\n\nEach table is one run of a release build. Compare ratios: another machine has other times.\n";

/// The rows of a table, the names of its columns first.
pub(super) struct Rows(Vec<String>);

impl Rows {
    pub(super) fn new(columns: &[&str]) -> Rows {
        let rule = vec!["---"; columns.len()];
        let line = |cells: &[&str]| format!("| {} |", cells.join(" | "));
        Rows(vec![line(columns), line(&rule)])
    }

    pub(super) fn add(&mut self, cells: &[String]) {
        self.0.push(format!("| {} |", cells.join(" | ")));
    }
}

/// Replaces the section of one measurement.
pub(super) fn write(name: &str, how: &str, rows: &Rows) -> Result<()> {
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let commit = output("git", &["rev-parse", "--short", "HEAD"]).unwrap_or_default();
    let heading = format!("## `cargo xtask bench {name}`\n");
    let section = format!(
        "{heading}\nOn {processors} processors, at {}. {how}\n\n{}\n",
        commit.trim(),
        rows.0.join("\n")
    );
    print!("\n{section}");
    let before = fs::read_to_string(root().join(FILE)).unwrap_or_default();
    let others = before.split("\n## ").skip(1).map(|other| format!("## {}\n", other.trim_end()));
    let mut sections: Vec<String> = others.filter(|other| !other.starts_with(&heading)).collect();
    sections.push(section);
    sections.sort();
    fs::write(root().join(FILE), format!("{TITLE}\n{}", sections.join("\n"))).context(FILE)
}
