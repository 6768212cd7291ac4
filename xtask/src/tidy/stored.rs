//! Stored text: what is a choice, an id or a number has its own type.

use crate::run::{output, root};
use anyhow::{Context, Result};

/// The highest percentage of stored fields that may be text: free text, documents and ids of external systems. This limit is
/// only ever lowered.
const MAX_TEXT_PERCENT: usize = 18;

pub(crate) fn check() -> Result<Vec<String>> {
    let list = output("git", &["ls-files", "state/tables/src/*.rs"]).context("git ls-files failed")?;
    let (mut all, mut text, mut faults) = (0, 0, Vec::new());
    for name in list.lines() {
        let Ok(file) = std::fs::read_to_string(root().join(name)) else { continue };
        let aliases = file.lines().filter(|line| is_alias_of_text(line));
        faults.extend(
            aliases.map(|line| format!("{name}: `{line}` is still text: declare the type with name!")),
        );
        for kind in file.lines().filter_map(field_type) {
            all += 1;
            text += usize::from(is_text(kind));
        }
    }
    anyhow::ensure!(all > 0, "state/tables/src has no stored fields");
    faults.extend(fault(text, all));
    Ok(faults)
}

fn fault(text: usize, all: usize) -> Option<String> {
    (text * 100 > all * MAX_TEXT_PERCENT).then(|| {
        format!(
            "state/tables: {text} of {all} stored fields are String (at most {MAX_TEXT_PERCENT} %): give choices an enum \
             (choice!) and names and ids a type (name!, id!)"
        )
    })
}

/// An alias would look like a type, but mixing up two of them would still compile.
fn is_alias_of_text(line: &str) -> bool {
    line.strip_prefix("pub type ").is_some_and(|alias| alias.ends_with(" = String;"))
}

/// The type of a public field on a line of its own, as rustfmt writes it.
fn field_type(line: &str) -> Option<&str> {
    let (name, kind) = line.strip_prefix("    ")?.trim_start().strip_prefix("pub ")?.split_once(": ")?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_#".contains(c));
    is_name.then(|| kind.trim_end_matches(','))
}

/// Text, or a list of it.
fn is_text(kind: &str) -> bool {
    const AROUND: [&str; 3] = ["Option<", "Vec<", "BTreeSet<"];
    match AROUND.iter().find_map(|outer| kind.strip_prefix(outer)) {
        Some(inner) => is_text(inner.trim_end_matches('>')),
        None => kind == "String",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_found_below_lists_and_options() {
        for (line, expected) in [
            ("    pub name: String,", Some(true)),
            ("    pub r#type: Option<Vec<String>>,", Some(true)),
            ("            pub policy_id: Option<String>,", Some(true)),
            ("    pub id: TaskId,", Some(false)),
            ("    pub secret: Secret<String>,", Some(false)),
            ("    pub labels: BTreeMap<String, String>,", Some(false)),
            ("    pub fn name(&self) -> String {", None),
            ("pub struct Row {", None),
        ] {
            assert_eq!(field_type(line).map(is_text), expected, "{line}");
        }
    }

    #[test]
    fn alias_of_text_is_found() {
        assert!(is_alias_of_text("pub type ChangeId = String;"));
        assert!(!is_alias_of_text("pub type Tag = escale_base::Tag;"));
    }

    #[test]
    fn more_text_than_allowed_is_a_fault() {
        assert_eq!(fault(MAX_TEXT_PERCENT, 100), None);
        assert!(fault(MAX_TEXT_PERCENT + 1, 100).is_some());
    }
}
