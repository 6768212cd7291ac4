//! Filter patterns: terms and quoted phrases.
//!
//! Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>

use crate::Error;
use escale_logstore::Pattern;

/// `ERROR "out of memory" -retry ?a ?b`: all plain terms, at least one of those with `?`, none of those with `-`.
pub(crate) fn parse(text: &str) -> Result<Pattern, Error> {
    let mut pattern = Pattern::default();
    let mut rest = text.trim_start();
    let kinds = [('{', "JSON"), ('[', "space-delimited"), ('%', "regular expression")];
    for (sign, kind) in kinds {
        if rest.starts_with(sign) {
            return Err(Error::NotSupported(format!("The {kind} filter pattern {text}")));
        }
    }
    while !rest.is_empty() {
        let (list, body) = match rest.as_bytes()[0] {
            b'?' => (&mut pattern.any, &rest[1..]),
            b'-' => (&mut pattern.none, &rest[1..]),
            _ => (&mut pattern.all, rest),
        };
        let (term, tail) = match body.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').ok_or_else(|| invalid(text))?,
            None => body.split_at(body.find(char::is_whitespace).unwrap_or(body.len())),
        };
        if term.is_empty() || (!body.starts_with('"') && term.contains(['{', '}', '[', ']', '%', '"'])) {
            return Err(invalid(text));
        }
        list.push(term.to_owned());
        rest = tail.trim_start();
    }
    Ok(pattern)
}

fn invalid(text: &str) -> Error {
    Error::Invalid(format!(
        "Invalid filter pattern '{text}'. Terms are words or \"quoted phrases\", with the prefix ? (any of) or - (none of)"
    ))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn parses_and_matches_patterns() {
        for (pattern, text, hit) in [
            ("", "anything", true),
            ("ERROR", "an ERROR here", true),
            ("ERROR", "an error here", false),
            ("ERROR disk", "disk ERROR", true),
            ("ERROR disk", "ERROR", false),
            ("\"out of memory\"", "it is out of memory", true),
            ("\"out of memory\"", "memory out of", false),
            ("?a ?b", "xbx", true),
            ("?a ?b", "xyz", false),
            ("GET -health", "GET /health", false),
            ("GET -health", "GET /", true),
        ] {
            assert_eq!(parse(pattern).unwrap().matches(text), hit, "{pattern} on {text}");
        }
        for bad in ["{ $.a = 1 }", "[ip, user]", "%a.b%", "\"open", "a{b"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
