//! Reads files of `NAME=value` lines, which `env_file` of a service names.
//!
//! The form is what dotenv files have in common: comments, `export`, single and double quotes. Nothing is substituted, so a
//! reference to another variable is refused instead of becoming a literal `$NAME`.

use super::reader::is_variable_name;
use crate::problem::{Place, Problem, Source};
use std::{collections::BTreeMap, sync::Arc};

/// A variable's value, and the place that gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) value: String,
    pub(crate) place: Place,
    pub(crate) source: Arc<Source>,
}

pub(crate) fn read(text: &str, file: &str) -> Result<BTreeMap<String, Given>, Vec<Problem>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // Errors quote the line. A value may be secret, so only names are quoted.
    let shown = text.lines().map(|line| line.split_once('=').map_or(line, |(name, _)| name));
    let source = Arc::new(Source { file: file.to_owned(), text: shown.collect::<Vec<_>>().join("\n") });
    let (mut given, mut problems) = (BTreeMap::<String, Given>::new(), Vec::new());
    for (at, line) in text.lines().enumerate() {
        let indent = line.chars().take_while(|c| c.is_whitespace()).count();
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let length = content.split('=').next().unwrap_or_default().trim_end().chars().count().max(1);
        let place = Place { line: at + 1, column: indent + 1, length };
        let fault = |(message, hint): Fault| Problem::new(&source, place, message).hint(hint);
        match variable(content) {
            Err(why) => problems.push(fault(why)),
            Ok((name, _)) if given.contains_key(&name) => {
                problems.push(fault((format!("`{name}` is in this file twice"), "keep one of the lines")));
            }
            Ok((name, value)) => {
                given.insert(name, Given { value, place, source: source.clone() });
            }
        }
    }
    if problems.is_empty() { Ok(given) } else { Err(problems) }
}

/// A message and a hint.
type Fault = (String, &'static str);

fn variable(line: &str) -> Result<(String, String), Fault> {
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    let Some((name, value)) = line.split_once('=') else {
        return Err(("this line has no `=`".into(), "write NAME=value, or begin a comment with `#`"));
    };
    let name = name.trim_end();
    if !is_variable_name(name) {
        let message = format!("`{name}` is not the name of an environment variable");
        return Err((message, "use letters, digits and underscores, like `LOG_LEVEL`"));
    }
    let value = value.trim_start();
    let value = match value.chars().next() {
        Some(quote @ ('\'' | '"')) => quoted(name, &value[1..], quote)?,
        _ => {
            let end = [" #", "\t#"].iter().filter_map(|mark| value.find(mark)).min();
            let value =
                if value.starts_with('#') { "" } else { value[..end.unwrap_or(value.len())].trim_end() };
            literal(name, value)?
        }
    };
    Ok((name.to_owned(), value))
}

/// The value between quotes, and nothing but a comment behind it.
fn quoted(name: &str, text: &str, quote: char) -> Result<String, Fault> {
    let (mut value, mut letters) = (String::new(), text.chars());
    loop {
        match letters.next() {
            None => {
                let message = format!("the quote of `{name}` is not closed on its line");
                return Err((message, "close it; in double quotes `\\n` is a new line"));
            }
            Some(letter) if letter == quote => break,
            Some('\\') if quote == '"' => match letters.next() {
                Some('n') => value.push('\n'),
                Some('r') => value.push('\r'),
                Some('t') => value.push('\t'),
                Some(letter @ ('"' | '\\' | '$')) => value.push(letter),
                _ => {
                    let message =
                        format!("the value of `{name}` has a `\\` before a letter without a meaning");
                    return Err((message, "use one of \\n, \\r, \\t, \\\", \\\\, \\$, or single quotes"));
                }
            },
            Some('$') if quote == '"' => {
                refuse_reference(name, letters.as_str()).map(|()| value.push('$'))?
            }
            Some(letter) => value.push(letter),
        }
    }
    let rest = letters.as_str().trim_start();
    if rest.is_empty() || rest.starts_with('#') {
        return Ok(value);
    }
    Err((format!("the value of `{name}` continues behind its quote"), "put the whole value into quotes"))
}

fn literal(name: &str, value: &str) -> Result<String, Fault> {
    for (at, _) in value.match_indices('$') {
        refuse_reference(name, &value[at + 1..])?;
    }
    Ok(value.to_owned())
}

/// Refuses a `$` that other readers of such files replace.
fn refuse_reference(name: &str, behind: &str) -> Result<(), Fault> {
    if behind.starts_with(|c: char| c == '{' || c == '(' || c == '_' || c.is_ascii_alphabetic()) {
        let message = format!("the value of `{name}` refers to another variable, which is not supported");
        return Err((message, "write the value itself, or put a literal `$` into single quotes"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn reads_common_forms() {
        let text = "\u{feff}# comment\n\nA=1\nexport B = two words # comment\r\nC='a # \\n $X'\nD=\"a\\n\\\"b\\\" \\$x\" # c\nE=\nF=a#b\nG=# c\nH=5$\n";
        let read: Vec<(String, String)> =
            read(text, ".env").unwrap().into_iter().map(|(name, given)| (name, given.value)).collect();
        let expected = [
            ("A", "1"),
            ("B", "two words"),
            ("C", "a # \\n $X"),
            ("D", "a\n\"b\" $x"),
            ("E", ""),
            ("F", "a#b"),
            ("G", ""),
            ("H", "5$"),
        ];
        assert_eq!(read, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn names_the_line_and_hides_the_value() {
        let text =
            "A=1\n  no equals\nB-C=secret\nA=secret\nD='secret\nE=\"x\\q\"\nF=\"x\" y\nG=a${B}\nH=\"$B\"\n";
        let problems = read(text, ".env").unwrap_err();
        let lines: Vec<usize> = problems.iter().map(|p| p.place.line).collect();
        assert_eq!(lines, [2, 3, 4, 5, 6, 7, 8, 9]);
        for problem in problems {
            assert!(!problem.to_string().contains("secret") && problem.hint.is_some(), "{problem}");
        }
    }
}
