//! Every dependency is used, and has a licence that `deny.toml` allows.

use crate::run::{cargo, output, root};
use anyhow::{Context, Result};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Packages whose library has another name.
const LIBRARIES: &[(&str, &str)] = &[("md-5", "md5")];

pub(crate) fn check() -> Result<Vec<String>> {
    // Without the filter, cargo would download crates for other systems.
    let arguments = ["metadata", "--format-version", "1", "--locked", "--filter-platform", TARGET];
    let text = output(&cargo(), &arguments).context("cargo metadata failed")?;
    let metadata: Value = serde_json::from_str(&text)?;
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut faults = unused(packages)?;
    faults.extend(licences(packages)?);
    Ok(faults)
}

/// Dependencies that no line of their crate names, and those of the workspace that no crate has.
fn unused(packages: &[Value]) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    let mut wanted = BTreeSet::new();
    for package in packages.iter().filter(|p| p["source"].is_null()) {
        let manifest = Path::new(package["manifest_path"].as_str().unwrap_or_default());
        let folder = manifest.parent().context("a manifest has a folder")?;
        let code = code_below(folder)?;
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let name = dependency["name"].as_str().unwrap_or_default();
            wanted.insert(name);
            let library = LIBRARIES.iter().find(|(package, _)| *package == name);
            let library =
                library.map_or_else(|| name.replace('-', "_"), |(_, library)| (*library).to_owned());
            if !names(&code, &library) {
                faults.push(format!("{}: the dependency {name} is not used", shown(manifest)));
            }
        }
    }
    let manifest = fs::read_to_string(root().join("Cargo.toml"))?;
    let listed = manifest.split("[workspace.dependencies]").nth(1).unwrap_or_default();
    let lines = listed.lines().take_while(|line| !line.starts_with('['));
    let of_workspace = lines.filter_map(|line| Some(line.split_once(" =")?.0));
    let idle = of_workspace.filter(|name| !name.starts_with('#') && !wanted.contains(name));
    faults.extend(idle.map(|name| format!("Cargo.toml: no crate has the workspace dependency {name}")));
    Ok(faults)
}

/// All Rust code of a crate, without that of crates in folders below it.
fn code_below(folder: &Path) -> Result<String> {
    let mut code = String::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path: PathBuf = entry?.path();
            if path.is_dir() && !path.join("Cargo.toml").exists() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                code += &fs::read_to_string(&path)?;
            }
        }
    }
    Ok(code)
}

/// Whether the code has the word, not only as a part of a longer one.
fn names(code: &str, word: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    code.match_indices(word).any(|(at, _)| {
        !is_part(code[..at].chars().next_back()) && !is_part(code[at + word.len()..].chars().next())
    })
}

/// The list is that of cargo-deny, so that both read one file.
fn licences(packages: &[Value]) -> Result<Vec<String>> {
    let deny = fs::read_to_string(root().join("deny.toml")).context("deny.toml")?;
    let allowed: BTreeSet<&str> = deny
        .split("allow = [")
        .nth(1)
        .and_then(|rest| rest.split(']').next())
        .context("deny.toml has no list `allow = […]`")?
        .split(',')
        .map(|word| word.trim().trim_matches('"'))
        .collect();
    let refused = packages.iter().filter(|p| !p["source"].is_null()).filter_map(|p| {
        let licence = p["license"].as_str().unwrap_or("none");
        let (name, version) = (p["name"].as_str()?, p["version"].as_str()?);
        let text = || format!("{name} {version}: its licence '{licence}' is not in deny.toml");
        (!is_allowed(licence, &allowed)).then(text)
    });
    Ok(refused.collect())
}

/// An SPDX expression: one side of an OR is enough, of an AND both are needed.
fn is_allowed(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    let plain = expression.replace('/', " OR ").replace(['(', ')'], " ");
    plain.split(" AND ").all(|all| {
        all.split(" OR ").any(|one| {
            // "Or any later version": what the version itself allows is enough.
            allowed.contains(one.trim().trim_end_matches('+'))
        })
    })
}

fn shown(manifest: &Path) -> String {
    manifest.strip_prefix(root()).unwrap_or(manifest).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_alone_only() {
        assert!(names("use libc::c_int;", "libc"));
        assert!(!names("use mylibc::x; let libc_like = 1;", "libc"));
    }

    #[test]
    fn an_expression_is_allowed_by_its_parts() {
        let allowed = BTreeSet::from(["MIT", "Apache-2.0", "Unicode-3.0"]);
        for (expression, expected) in [
            ("MIT", true),
            ("MIT/Apache-2.0", true),
            ("GPL-3.0 OR MIT", true),
            ("Apache-2.0+", true),
            ("GPL-3.0+", false),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
            ("(MIT OR Apache-2.0) AND GPL-3.0", false),
            ("AGPL-3.0", false),
        ] {
            assert_eq!(is_allowed(expression, &allowed), expected, "{expression}");
        }
    }
}
