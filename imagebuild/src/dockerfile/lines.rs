//! Splits the text into instructions: handles parser directives, comments and continuation lines, and skips here-documents.

pub(super) struct Line {
    /// Where the instruction starts, from 1.
    pub(super) number: usize,
    pub(super) word: String,
    pub(super) rest: String,
    /// The escape character in force.
    pub(super) escape: char,
}

pub(super) fn read(text: &str) -> Result<Vec<Line>, (usize, String)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let escape = directives(text)?;
    let mut all = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, first)) = lines.next() {
        if is_comment(first) || first.trim().is_empty() {
            continue;
        }
        let mut whole = String::new();
        let mut line = first;
        // a line that ends with the escape character continues; comments and empty lines in between are skipped
        while let Some(begun) = line.trim_end().strip_suffix(escape) {
            whole.push_str(begun);
            let next = lines.by_ref().map(|(_, l)| l).find(|l| !is_comment(l) && !l.trim().is_empty());
            let Some(next) = next else {
                line = "";
                break;
            };
            line = next;
        }
        whole.push_str(line);
        let whole = whole.trim();
        let (word, rest) = whole.split_once(char::is_whitespace).unwrap_or((whole, ""));
        if ["RUN", "COPY", "ADD"].iter().any(|w| word.eq_ignore_ascii_case(w)) {
            for tag in heredocs(rest) {
                // the lines of a here-document are not instructions
                if !lines.by_ref().any(|(_, l)| l.trim_start_matches('\t').trim_end() == tag) {
                    return Err((index + 1, format!("the here-document `{tag}` is not closed")));
                }
            }
        }
        all.push(Line { number: index + 1, word: word.to_owned(), rest: rest.trim().to_owned(), escape });
    }
    Ok(all)
}

/// `# escape=` and `# syntax=` on the very first lines; returns the escape character.
fn directives(text: &str) -> Result<char, (usize, String)> {
    let mut escape = '\\';
    for (index, line) in text.lines().enumerate() {
        let Some((name, value)) = line.trim().strip_prefix('#').and_then(|c| c.split_once('=')) else {
            break;
        };
        match (name.trim().to_ascii_lowercase().as_str(), value.trim()) {
            ("escape", "\\") => escape = '\\',
            ("escape", "`") => escape = '`',
            ("escape", other) => return Err((index + 1, format!("escape must be \\ or `, not `{other}`"))),
            ("syntax" | "check", _) => {} // names a frontend or lint rules; the language is the same
            _ => break,
        }
    }
    Ok(escape)
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

fn heredocs(rest: &str) -> Vec<&str> {
    let tags = rest.split_whitespace().filter_map(|w| w.strip_prefix("<<"));
    tags.map(|t| t.trim_start_matches('-').trim_matches(['"', '\''])).filter(|t| !t.is_empty()).collect()
}
