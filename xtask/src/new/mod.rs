//! `cargo xtask new-service NAME` and `cargo xtask new-operation SERVICE NAME`: what a newcomer would copy by hand. They write the
//! files and the lines that register them; every place that needs a decision has a `todo!`, which `cargo xtask check` refuses.

mod operation;
mod service;

pub(crate) use operation::operation;
pub(crate) use service::service;

use crate::run::root;
use anyhow::{Context, Result, bail};
use std::{fs, path::Path};

/// Writes a new file; an existing one is an error, so that nothing is lost.
fn create(path: &str, text: &str) -> Result<()> {
    let full = root().join(path);
    if full.exists() {
        bail!("{path} exists already. Delete it, or choose another name.");
    }
    if let Some(folder) = full.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    fs::write(&full, text).with_context(|| format!("cannot write {path}"))?;
    println!("created {path}");
    Ok(())
}

fn edit(path: &str, change: impl FnOnce(&str) -> Result<String>) -> Result<()> {
    let text = read(path)?;
    fs::write(root().join(path), change(&text)?).with_context(|| format!("cannot write {path}"))?;
    println!("changed {path}");
    Ok(())
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(root().join(path)).with_context(|| format!("cannot read {path}"))
}

fn exists(path: &str) -> bool {
    root().join(Path::new(path)).exists()
}

/// Adds `line` to the lines for which `is_peer` holds, in alphabetical order.
fn add_sorted(text: &str, line: &str, is_peer: impl Fn(&str) -> bool) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let peers: Vec<usize> = (0..lines.len()).filter(|&i| is_peer(lines[i])).collect();
    let after = peers.iter().rev().find(|&&i| lines[i] < line).map(|i| i + 1);
    let at = after.or(peers.first().copied())?;
    let mut lines = lines;
    lines.insert(at, line);
    Some(lines.join("\n") + "\n")
}

/// `GetSessionToken` becomes `get_session_token`, `DBName` becomes `db_name`.
fn snake(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (i, &letter) in letters.iter().enumerate() {
        let ends_word = i > 0 && !letters[i - 1].is_uppercase();
        let begins_word =
            i > 0 && letters[i - 1].is_uppercase() && letters.get(i + 1).is_some_and(|n| n.is_lowercase());
        if letter.is_uppercase() && (ends_word || begins_word) {
            out.push('_');
        }
        out.extend(letter.to_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_modules() {
        for (name, expected) in [
            ("GetSessionToken", "get_session_token"),
            ("DBName", "db_name"),
            ("CreateDBInstance", "create_db_instance"),
            ("vpcId", "vpc_id"),
            ("ListTagsForResource", "list_tags_for_resource"),
        ] {
            assert_eq!(snake(name), expected);
        }
    }

    #[test]
    fn adds_a_line_in_order() {
        let is_peer = |line: &str| line.starts_with("    ");
        let add = |line: &str| add_sorted("a {\n    b\n    d\n}\n", line, is_peer).unwrap();
        assert_eq!(add("    a"), "a {\n    a\n    b\n    d\n}\n");
        assert_eq!(add("    c"), "a {\n    b\n    c\n    d\n}\n");
        assert_eq!(add("    e"), "a {\n    b\n    d\n    e\n}\n");
        assert_eq!(add_sorted("nothing\n", "    a", is_peer), None);
    }
}
