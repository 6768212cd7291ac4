//! Patterns of `COPY` and `.dockerignore`: Go's `filepath.Match`, and `**` for any number of folders.

/// Whether a path (segments by `/`, relative) matches the whole pattern.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('/').collect();
    let path: Vec<&str> = path.split('/').collect();
    folders(&pattern, &path) == Found::Yes
}

/// The result of matching the rest of a text against the rest of a pattern.
#[derive(PartialEq)]
enum Found {
    Yes,
    /// No match; a star before may take more and try again.
    No,
    /// No match, and an earlier star cannot help either, because the rests that it would leave were tried. Without this, each
    /// star would multiply the work of those before it.
    Never,
}

fn folders(pattern: &[&str], path: &[&str]) -> Found {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => Found::Yes,
        (Some((&"**", rest)), _) => anywhere(path, |left| folders(rest, left)),
        (Some((p, rest)), Some((s, path))) => {
            let (p, s): (Vec<char>, Vec<char>) = (p.chars().collect(), s.chars().collect());
            if segment(&p, &s) == Found::Yes { folders(rest, path) } else { Found::No }
        }
        (Some(_), None) => Found::Never,
        (None, Some(_)) => Found::No,
    }
}

fn segment(pattern: &[char], text: &[char]) -> Found {
    match (pattern, text) {
        ([], []) => Found::Yes,
        (['*', rest @ ..], _) => anywhere(text, |left| segment(rest, left)),
        ([], _) => Found::No,
        (_, []) => Found::Never,
        (['?', rest @ ..], [_, text @ ..]) => segment(rest, text),
        (['\\', c, rest @ ..], [t, text @ ..]) if c == t => segment(rest, text),
        (['\\', _, ..], _) => Found::No,
        (['[', rest @ ..], [t, text @ ..]) => match class(rest, *t) {
            Some((true, rest)) => segment(rest, text),
            _ => Found::No,
        },
        ([c, rest @ ..], [t, text @ ..]) if c == t => segment(rest, text),
        _ => Found::No,
    }
}

/// Matches a star, which takes zero or more items.
fn anywhere<T>(text: &[T], rest: impl Fn(&[T]) -> Found) -> Found {
    let tries = (0..=text.len()).map(|n| rest(&text[n..]));
    tries.into_iter().find(|found| *found != Found::No).unwrap_or(Found::Never)
}

/// A class after its `[`: whether it takes the letter, and what follows its `]`. `None` when it does not end.
fn class(pattern: &[char], letter: char) -> Option<(bool, &[char])> {
    let (negated, mut rest) = match pattern {
        ['^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let (mut found, mut first) = (false, true);
    loop {
        match rest {
            [']', after @ ..] if !first => return Some((found != negated, after)),
            ['\\', c, after @ ..] => (found, rest) = (found || *c == letter, after),
            [low, '-', high, after @ ..] if *high != ']' => {
                (found, rest) = (found || (*low..=*high).contains(&letter), after);
            }
            [c, after @ ..] => (found, rest) = (found || *c == letter, after),
            [] => return None,
        }
        first = false;
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn as_in_go() {
        for (pattern, path, expected) in [
            ("*.txt", "a.txt", true),
            ("*.txt", "b/a.txt", false),
            ("**/*.txt", "b/c/a.txt", true),
            ("**/*.txt", "a.txt", true),
            ("a/**", "a/b/c", true),
            ("a?c", "abc", true),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("[a", "a", false),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn many_stars_cost_little() {
        let (stars, letters) = ("*a".repeat(40), "a".repeat(60));
        assert!(matches(&stars, &letters));
        assert!(!matches(&format!("{stars}b"), &letters));
        let (folders, path) = ("**/a/".repeat(30), "a/".repeat(50));
        assert!(matches(&format!("{folders}*"), &format!("{path}x")));
        assert!(!matches(&format!("{folders}b"), &format!("{path}x")));
    }

    proptest::proptest! {
        #[test]
        fn as_a_plain_search(pattern in "[ab*?/]{0,8}", path in "[ab/]{0,8}") {
            fn plain(p: &[u8], t: &[u8]) -> bool {
                match (p, t) {
                    ([], []) => true,
                    ([b'*', rest @ ..], _) => {
                        let most = t.iter().position(|c| *c == b'/').unwrap_or(t.len());
                        (0..=most).any(|n| plain(rest, &t[n..]))
                    }
                    ([b'?', rest @ ..], [c, t @ ..]) => *c != b'/' && plain(rest, t),
                    ([c, rest @ ..], [d, t @ ..]) => c == d && plain(rest, t),
                    _ => false,
                }
            }
            // `**` has a meaning of its own
            proptest::prop_assume!(!pattern.contains("**"));
            proptest::prop_assert_eq!(matches(&pattern, &path), plain(pattern.as_bytes(), path.as_bytes()));
        }
    }
}
