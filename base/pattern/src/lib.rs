//! `AllowedPattern` of AWS's services, which is a regular expression in Java's dialect. It only compiles patterns; start at [`compile`].

pub use fancy_regex::Regex;

/// Boxed, because it is larger than what a success returns.
pub type Error = Box<fancy_regex::Error>;

/// Compiles a pattern that must match the whole value, as on AWS.
pub fn compile(pattern: &str) -> Result<Regex, Error> {
    // `fancy_regex`, because AWS's patterns may contain look-ahead, which the crate `regex` does not support.
    let pattern = in_rusts_dialect(pattern);
    // Compiled without the anchors first, so that positions in the error message refer to the pattern as written.
    Regex::new(&pattern).map_err(Box::new)?;
    Regex::new(&format!("^(?:{pattern})$")).map_err(Box::new)
}

/// Java's names of POSIX classes, which Rust writes in another form.
const POSIX: &[&str] = &[
    "Lower", "Upper", "ASCII", "Alpha", "Digit", "Alnum", "Punct", "Graph", "Print", "Blank", "Cntrl",
    "XDigit", "Space",
];

/// Java reads the hyphen in `[\w-.]` as a literal, and knows `\p{Alnum}`.
fn in_rusts_dialect(pattern: &str) -> String {
    let (mut out, mut rest, mut classes) = (String::with_capacity(pattern.len()), pattern, 0_usize);
    // Whether a class such as `\w` ends here: a range cannot begin with it.
    let mut after_class = false;
    while let Some(c) = rest.chars().next() {
        let posix = POSIX
            .iter()
            .find_map(|name| Some((name, rest.strip_prefix(r"\p{")?.strip_prefix(name)?.strip_prefix('}')?)));
        if let Some((name, after)) = posix {
            out.push_str(&format!("[[:{}:]]", name.to_ascii_lowercase()));
            (rest, after_class) = (after, true);
            continue;
        }
        if c == '\\' {
            let length = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
            let (escape, after) = rest.split_at(length);
            out.push_str(escape);
            (rest, after_class) = (after, is_class(escape));
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match c {
            '-' if classes > 0 && (after_class || rest.get(..2).is_some_and(is_class)) => out.push('\\'),
            '[' => classes += 1,
            ']' => classes = classes.saturating_sub(1),
            _ => {}
        }
        out.push(c);
        after_class = false;
    }
    out
}

fn is_class(escape: &str) -> bool {
    matches!(escape, r"\w" | r"\W" | r"\d" | r"\D" | r"\s" | r"\S")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_mean_what_they_mean_in_java() {
        for (pattern, value, matches) in [
            (r"^[\w-\+]+(\.[\w]+)*@[\w-]+(\.[a-z]{2,})$|^$", "a-b+c@x-y.org", true),
            (r"^[\w-\+]+(\.[\w]+)*@[\w-]+(\.[a-z]{2,})$|^$", "", true),
            (r"[\w-.]*", "a-b.c", true),
            (r"[.-\w]*", "a-b.c", true),
            (r"[a-c]*", "a-c", false),
            (r"[a-c\d-]*", "a-1", true),
            (r"\p{Alnum}+[\p{Punct}x]", "aB9!", true),
            (r"\p{Alnum}+", "é", false),
            (r"\d-\d", "1-2", true),
            (r"(?=.*[A-Z])[A-Za-z]+", "abC", true),
            (r"(?=.*[A-Z])[A-Za-z]+", "abc", false),
            (r"\\d", r"\d", true),
        ] {
            let compiled = compile(pattern).unwrap_or_else(|e| panic!("{pattern}: {e}"));
            assert_eq!(compiled.is_match(value).unwrap(), matches, "{pattern} {value}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(pattern in r"[-a-z\[\]\\{}wdsé()*p]{0,20}") {
            let _ = compile(&pattern);
        }

        #[test]
        fn ordinary_patterns_stay(pattern in "[a-z0-9.*+?()|^$]{0,20}") {
            prop_assert_eq!(in_rusts_dialect(&pattern), pattern);
        }
    }
}
