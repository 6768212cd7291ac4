//! Errors in a manifest: the place, the cause, and a hint how to fix it, such as the nearest known word.

pub use escale_tree::Place;
use std::{fmt, sync::Arc};

/// A manifest's text, and its name in errors.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub file: String,
    pub text: String,
}

/// One error. `Display` shows the line with the error underlined, and the hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub place: Place,
    pub message: String,
    /// How to fix it, if known.
    pub hint: Option<String>,
    source: Arc<Source>,
}

impl Problem {
    pub(crate) fn new(source: &Arc<Source>, place: Place, message: impl Into<String>) -> Problem {
        Problem { place, message: message.into(), hint: None, source: source.clone() }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Problem {
        self.hint = Some(hint.into());
        self
    }

    pub fn file(&self) -> &str {
        &self.source.file
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { line, column, length } = self.place;
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        writeln!(f, "{}", self.message)?;
        writeln!(f, "{margin}--> {}:{line}:{column}", self.source.file)?;
        if let Some(text) = self.source.text.lines().nth(line.saturating_sub(1)) {
            let before: String = text
                .chars()
                .take(column.saturating_sub(1))
                .map(|c| if c == '\t' { c } else { ' ' })
                .collect();
            let rest = text.chars().count().saturating_sub(column.saturating_sub(1)).max(1);
            writeln!(f, "{margin} |")?;
            writeln!(f, "{number} | {text}")?;
            writeln!(f, "{margin} | {before}{}", "^".repeat(length.clamp(1, rest)))?;
        }
        if let Some(hint) = &self.hint {
            writeln!(f, "{margin} = {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

/// The known word that `word` probably means: at most a third of its letters differ.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let (distance, best) = known.into_iter().map(|k| (distance(word, k), k)).min_by_key(|(d, _)| *d)?;
    (distance <= (word.chars().count() / 3).max(1)).then_some(best)
}

/// Edits (insert, delete, replace, swap of neighbours) from one word to another.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let mut best = replace.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(rows[i - 2][j - 2] + 1);
                }
                best
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_the_nearest_known_word() {
        let known = ["services", "database", "buckets"];
        assert_eq!(nearest("servces", known), Some("services"));
        assert_eq!(nearest("serivces", known), Some("services"));
        assert_eq!(nearest("bucket", known), Some("buckets"));
        assert_eq!(nearest("queue", known), None);
    }
}
