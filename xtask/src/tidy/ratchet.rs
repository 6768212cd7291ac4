//! Figures that may only improve: `xtask/ratchet.txt` has the limit of each. `cargo xtask ratchet` lowers the limits to the
//! measured values; raising one needs a record in docs/decisions.

use super::files;
use crate::run::{output, root};
use anyhow::{Context, Result, bail};
use std::{collections::BTreeMap, fs, path::Path};

const FILE: &str = "xtask/ratchet.txt";

/// Words that docs/glossary.md replaces, by the figure that counts them.
const WORDS: &[(&str, &[&str])] = &[
    ("words.told", &["told", "mend", "mended"]),
    ("words.tell", &["tell", "tells"]),
    ("words.road", &["road", "roads"]),
    ("words.stands", &["stands", "stood"]),
    ("words.hands", &["hands"]),
    ("words.trouble", &["trouble"]),
    ("words.sight", &["sight", "autopsy", "door"]),
];

/// The lines from which a file or a function counts as long. The limits in `files` are higher and fail at once.
const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 70;

/// Bytes of the release binary, in units of 1,000. Whoever builds it measures it: [`check_release`].
const RELEASE: &str = "release.kilobytes";

/// Fails if the release binary is larger than allowed.
pub(crate) fn check_release(binary: &Path) -> Result<()> {
    let bytes = fs::metadata(binary).with_context(|| format!("cannot read {}", binary.display()))?.len();
    let most = *read()?.get(RELEASE).with_context(|| format!("{FILE}: the figure {RELEASE} is missing"))?;
    let kilobytes = bytes.div_ceil(1000);
    if kilobytes > most as u64 {
        bail!(
            "{} has {kilobytes} kB; {FILE} allows {most}. Undo what made it larger, or raise it with a decision record",
            binary.display()
        );
    }
    println!("the release binary has {kilobytes} kB, of at most {most}");
    Ok(())
}

pub(crate) fn check() -> Result<Vec<String>> {
    let (allowed, measured) = (read()?, measure()?);
    let mut faults = Vec::new();
    for (name, figure) in &measured {
        match allowed.get(name) {
            None => faults.push(format!("{FILE}: the figure {name} is missing (it is {figure})")),
            Some(most) if figure > most => faults.push(format!(
                "{name} is {figure}; {FILE} allows {most}. Undo what made it worse, or raise it with a decision record"
            )),
            Some(_) => {}
        }
    }
    let unknown = allowed.keys().filter(|name| !measured.contains_key(*name) && *name != RELEASE);
    faults.extend(unknown.map(|name| format!("{FILE}: nothing measures {name}")));
    Ok(faults)
}

/// Lowers limits to the measured values.
pub(crate) fn lower() -> Result<()> {
    let allowed = read()?;
    let mut text = String::new();
    let mut measured = measure()?;
    measured.extend(allowed.get_key_value(RELEASE).map(|(name, most)| (name.clone(), *most)));
    for (name, figure) in measured {
        let figure = allowed.get(&name).map_or(figure, |most| figure.min(*most));
        text += &format!("{name} {figure}\n");
    }
    fs::write(root().join(FILE), text).with_context(|| format!("cannot write {FILE}"))
}

fn read() -> Result<BTreeMap<String, usize>> {
    let text = fs::read_to_string(root().join(FILE)).with_context(|| format!("cannot read {FILE}"))?;
    let figure = |line: &str| {
        let (name, figure) =
            line.split_once(' ').with_context(|| format!("{FILE}: '{line}' has no figure"))?;
        Ok((name.to_owned(), figure.parse().with_context(|| format!("{FILE}: '{line}' has no figure"))?))
    };
    text.lines().map(figure).collect()
}

fn measure() -> Result<BTreeMap<String, usize>> {
    let mut figures = BTreeMap::new();
    // What a newcomer's first build compiles beside this repository's own packages, which have no source.
    let lock = fs::read_to_string(root().join("Cargo.lock")).context("cannot read Cargo.lock")?;
    figures.insert("build.packages".to_owned(), lock.matches("\nsource = ").count());
    let listed =
        output("git", &["ls-files", "*.rs", "*.md", "*.py", "*.sh"]).context("git ls-files failed")?;
    // These two files name the words in order to replace them.
    let is_about_words = |name: &str| name == file!() || name == "docs/glossary.md";
    for name in listed.lines().filter(|name| !is_about_words(name)) {
        let Ok(text) = fs::read_to_string(root().join(name)) else { continue };
        for word in text.split(|c: char| !c.is_alphanumeric() && c != '_') {
            let word = word.to_ascii_lowercase();
            for (figure, words) in WORDS {
                *figures.entry((*figure).to_owned()).or_default() +=
                    usize::from(words.contains(&word.as_str()));
            }
        }
        if !name.ends_with(".rs") {
            continue;
        }
        let lines: Vec<&str> = text.lines().collect();
        let long = files::functions(&lines).filter(|(_, length)| *length > FUNCTION_LINES).count();
        *figures.entry("shape.long_functions".to_owned()).or_default() += long;
        *figures.entry("shape.long_files".to_owned()).or_default() += usize::from(lines.len() > FILE_LINES);
        let on_bool = lines.iter().filter(|line| line.trim_start().starts_with("true =>")).count();
        *figures.entry("shape.match_on_bool".to_owned()).or_default() += on_bool;
        if name.starts_with("services/") && !name.ends_with("/error.rs") {
            let made = text.matches("AwsError::new(").count();
            *figures.entry("errors.made_outside_of_error_rs".to_owned()).or_default() += made;
        }
    }
    Ok(figures)
}
