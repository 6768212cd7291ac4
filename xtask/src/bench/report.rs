//! docs/benchmarks.md: what was measured, beside what is wished.

use crate::run::{output, root};
use anyhow::{Context, Result};
use std::fs;

const FILE: &str = "docs/benchmarks.md";

#[derive(Default)]
pub(super) struct Rows(Vec<String>);

impl Rows {
    pub(super) fn add(&mut self, what: &str, value: String, wish: &str) {
        self.0.push(format!("| {what} | {value} | {wish} |"));
    }
}

pub(super) fn write(rows: &Rows) -> Result<()> {
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let commit = output("git", &["rev-parse", "--short", "HEAD"]).unwrap_or_default();
    let text = format!(
        "# Benchmarks\n\nWritten by `cargo xtask bench up`: one run of a release build on {processors} processors, at {}. Compare ratios: another \
         machine has other times.\n\n| what | measured | wish |\n| --- | --- | --- |\n{}\n",
        commit.trim(),
        rows.0.join("\n")
    );
    print!("\n{text}");
    fs::write(root().join(FILE), text).context(FILE)
}
