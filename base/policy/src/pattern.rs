//! Patterns: `*` matches any characters, `?` matches one, `${key}` is replaced by the context's value of a key.

use crate::context::{self, Context};
use escale_base::glob::{self, Piece};

/// Whether `text` matches `pattern`. Without a `context` there are no variables (documents of version 2008-10-17). A
/// variable without a value matches nothing, and a `*` inside of a value is literal.
pub(crate) fn matches(pattern: &str, text: &str, context: Option<&Context>) -> bool {
    pieces(pattern, context).is_some_and(|p| glob::fits(p.iter().copied(), text.bytes(), |a, b| a == b))
}

/// `pattern` with its variables replaced, for places where wildcards are literal.
pub(crate) fn fill(pattern: &str, context: Option<&Context>) -> Option<String> {
    let bytes = pieces(pattern, context)?.into_iter().map(|p| match p {
        Piece::Just(b) => b,
        Piece::One => b'?',
        Piece::Any => b'*',
    });
    String::from_utf8(bytes.collect()).ok()
}

/// The first variable that is not supported.
pub(crate) fn unknown_variable(pattern: &str) -> Option<&str> {
    let mut rest = pattern;
    while let Some(at) = rest.find("${") {
        let (name, after) = rest[at + 2..].split_once('}').unwrap_or((&rest[at + 2..], ""));
        if !["*", "?", "$"].contains(&name) && !context::is_known(name) {
            return Some(name);
        }
        rest = after;
    }
    None
}

fn pieces(pattern: &str, context: Option<&Context>) -> Option<Vec<Piece<u8>>> {
    let mut found = Vec::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(first) = rest.bytes().next() {
        let variable = context.zip(rest.strip_prefix("${").and_then(|r| r.split_once('}')));
        if let Some((context, (name, after))) = variable {
            match name {
                "*" | "?" | "$" => found.extend(name.bytes().map(Piece::Just)),
                key => found.extend(context.value(key)?.bytes().map(Piece::Just)),
            }
            rest = after;
            continue;
        }
        found.push(match first {
            b'*' => Piece::Any,
            b'?' => Piece::One,
            byte => Piece::Just(byte),
        });
        if first.is_ascii() {
            rest = &rest[1..];
        } else {
            let width = rest.chars().next().map_or(1, char::len_utf8);
            found.extend(rest.bytes().take(width).skip(1).map(Piece::Just));
            rest = &rest[width..];
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Who;

    #[test]
    fn wildcards_match_any_characters() {
        for (pattern, text, hit) in [
            ("*", "", true),
            ("s3:*", "s3:GetObject", true),
            ("s3:Get*", "s3:PutObject", false),
            ("arn:aws:s3:::media/*", "arn:aws:s3:::media/a/b", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b", "xaxbxb", true),
            ("ö*", "öl", true),
            ("${aws:username}", "${aws:username}", true),
        ] {
            assert_eq!(matches(pattern, text, None), hit, "{pattern} on {text}");
        }
    }

    #[test]
    fn replaces_policy_variables() {
        let context = Context {
            who: Who::user("000000000000", "/", "a*b", "AIDA1"),
            tags: vec![escale_base::Tag::new("team", "shop")],
            account: "000000000000".into(),
            region: "eu-west-3".into(),
            now: escale_base::Timestamp(0),
            source_ip: None,
            secure_transport: None,
            given: Vec::new(),
        };
        for (pattern, text, hit) in [
            ("home/${aws:username}/*", "home/a*b/x", true),
            ("home/${aws:username}/*", "home/axb/x", false),
            ("${aws:PrincipalTag/team}-*", "shop-1", true),
            ("${aws:PrincipalTag/other}", "", false),
            ("${*}", "*", true),
            ("${*}", "x", false),
        ] {
            assert_eq!(matches(pattern, text, Some(&context)), hit, "{pattern} on {text}");
        }
        assert_eq!(unknown_variable("a/${aws:username}/${saml:sub}"), Some("saml:sub"));
        assert_eq!(unknown_variable("a/${aws:username, 'x'}"), Some("aws:username, 'x'"));
        assert_eq!(unknown_variable("a/${$}{b}"), None);
    }
}
