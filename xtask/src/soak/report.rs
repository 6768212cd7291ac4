//! docs/reliability.md: a section for each part, written anew by it alone.

use super::Finding;
use crate::run::{output, root};
use anyhow::{Context, Result};
use std::fs;

const FILE: &str = "docs/reliability.md";

const HEAD: &str = "# Reliability\n\nResults of the last `cargo xtask soak`. Each part of it writes its own section and takes minutes to an hour; \
                    `cargo xtask soak PART` repeats one. QEMU emulates the processor of the virtual machines, so their times are long.\n";

/// Replaces the section, or adds it. `command` of xtask repeats it.
pub(crate) fn write(command: &str, title: &str, shows: &str, finding: &Finding) -> Result<()> {
    let path = root().join(FILE);
    let before = fs::read_to_string(&path).unwrap_or_else(|_| HEAD.to_owned());
    let date = output("date", &["-u", "+%Y-%m-%d"]).context("date does not answer")?;
    let commit = output("git", &["rev-parse", "--short", "HEAD"]).unwrap_or_default();
    let word = if finding.passed { "passed" } else { "**failed**" };
    let body = format!(
        "{shows}\n\n{word} on {} at {}; repeat it by `cargo xtask {command}`.\n\n{}\n",
        date.trim(),
        commit.trim(),
        finding.text.trim()
    );
    fs::write(&path, replaced(&before, title, &body)).with_context(|| format!("cannot write {FILE}"))
}

/// `text` with the section under `title` replaced by `body`, or added at the end.
fn replaced(text: &str, title: &str, body: &str) -> String {
    let section = format!("## {title}\n\n{body}");
    let start = format!("## {title}\n");
    let Some(from) = text.find(&start) else {
        return format!("{}\n\n{section}", text.trim_end());
    };
    let rest = text.get(from + start.len()..).unwrap_or_default();
    let after = rest.find("\n## ").and_then(|at| rest.get(at + 1..));
    let before = text.get(..from).unwrap_or_default();
    match after {
        Some(after) => format!("{before}{section}\n{after}"),
        None => format!("{before}{section}"),
    }
}

#[cfg(test)]
mod tests {
    use super::replaced;

    #[test]
    fn a_section_is_replaced_and_the_others_stay() {
        let one = replaced("# R\n\nhead\n", "A", "first\n");
        assert_eq!(one, "# R\n\nhead\n\n## A\n\nfirst\n");
        let two = replaced(&one, "B", "second\n");
        assert_eq!(two, "# R\n\nhead\n\n## A\n\nfirst\n\n## B\n\nsecond\n");
        let again = replaced(&two, "A", "new\n");
        assert_eq!(again, "# R\n\nhead\n\n## A\n\nnew\n\n## B\n\nsecond\n");
        assert_eq!(replaced(&again, "B", "second\n"), again);
    }
}
