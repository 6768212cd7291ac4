//! Size and words of the files.

use crate::run::{output, root};
use anyhow::{Context, Result};

/// The limit of a file's lines. Aim far below: the median is near 200.
const MAX_LINES: usize = 800;
/// Longest function; `main` included.
const MAX_FUNCTION_LINES: usize = 120;

/// Words that mark unfinished work; they need an owner: `(owner)` after the word.
const UNFINISHED: &[&str] = &["TODO", "FIXME", "XXX", "HACK"];

/// Functions for simulations only, with the reason.
const SIMULATED: &[(&str, &str)] = &[("ids::seed(", "makes passwords predictable")];

/// The files that may decode percent-encoding besides `base/src/path.rs`. None of them decodes a path: two parsers that decode a
/// path differently are a vulnerability.
const DECODERS: &[(&str, &str)] = &[
    ("base/src/path.rs", "paths, in their three views"),
    ("front/wire/src/head.rs", "queries and forms"),
    ("front/wire/src/sigv4/canonical.rs", "what a signature covers"),
    ("planes/registry/src/http/mod.rs", "queries"),
    ("planes/upstream/src/proxy.rs", "the user and the password of a proxy"),
    ("services/sns/src/pages.rs", "parameters of links in messages"),
    ("services/s3/src/metadata.rs", "the header x-amz-tagging"),
];

pub(crate) fn check() -> Result<Vec<String>> {
    let list = output("git", &["ls-files", "*.rs"]).context("git ls-files failed")?;
    let mut faults = Vec::new();
    for name in list.lines().filter(|n| *n != file!()) {
        let Ok(text) = std::fs::read_to_string(root().join(name)) else { continue };
        let lines: Vec<&str> = text.lines().collect();
        if lines.len() > MAX_LINES {
            faults.push(format!("{name}: {} lines; split it (at most {MAX_LINES})", lines.len()));
        }
        for (i, line) in lines.iter().enumerate() {
            if let Some(word) = UNFINISHED.iter().find(|w| is_unowned(line, w)) {
                faults.push(format!("{name}:{}: {word} without an owner: {word}(name)", i + 1));
            }
        }
        if !name.starts_with("tests/") {
            let used = SIMULATED.iter().filter(|(call, _)| text.contains(call));
            faults.extend(used.map(|(call, why)| format!("{name}: {call}…) {why}: only tests/ may call it")));
        }
        if text.contains("percent_decode") && !DECODERS.iter().any(|(known, _)| *known == name) {
            faults.push(format!(
                "{name}: decodes percent-encoding by itself; a path is read through escale_base::path, anything else \
                 is listed in {}",
                file!()
            ));
        }
        faults.extend(long_functions(name, &lines));
        if opens_a_crate(name) && !text.starts_with("//!") {
            faults.push(format!(
                "{name}: a crate opens with //!: what it does, what it never does, where to start"
            ));
        }
    }
    Ok(faults)
}

fn is_unowned(line: &str, word: &str) -> bool {
    let Some(at) = line.find(word) else { return false };
    let before = line[..at].chars().next_back();
    let after = line[at + word.len()..].chars().next();
    let is_word = !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
        && !after.is_some_and(|c| c.is_alphanumeric() || c == '_');
    is_word && after != Some('(') && line.contains("//")
}

fn opens_a_crate(name: &str) -> bool {
    name.ends_with("src/lib.rs") || name.ends_with("src/main.rs")
}

fn long_functions(name: &str, lines: &[&str]) -> Vec<String> {
    let long = functions(lines).filter(|(_, length)| *length > MAX_FUNCTION_LINES);
    let fault = |(start, length)| {
        format!("{name}:{}: a function of {length} lines (at most {MAX_FUNCTION_LINES})", start + 1)
    };
    long.map(fault).collect()
}

/// First line and length of each function by rustfmt's own indentation: from the line with `fn` to the closing brace under its
/// first column.
pub(crate) fn functions(lines: &[&str]) -> impl Iterator<Item = (usize, usize)> {
    lines.iter().enumerate().filter_map(|(start, line)| {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        let is_fn = code.starts_with("fn ")
            || (code.contains(" fn ")
                && (code.starts_with("pub") || code.starts_with("async") || code.starts_with("const")));
        if !is_fn || code.ends_with(';') || code.ends_with('}') {
            return None;
        }
        let close = format!("{}}}", " ".repeat(indent));
        Some((start, lines[start..].iter().position(|l| **l == close)?))
    })
}
