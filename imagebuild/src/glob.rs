//! Patterns of `COPY` and `.dockerignore`: Go's `filepath.Match`, and `**` for any number of folders.

/// Whether a path (segments by `/`, relative) matches the whole pattern.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('/').collect();
    let path: Vec<&str> = path.split('/').collect();
    folders(&pattern, &path)
}

fn folders(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), _) => (0..=path.len()).any(|n| folders(rest, &path[n..])),
        (Some((p, rest)), Some((s, path))) => {
            let (p, s): (Vec<char>, Vec<char>) = (p.chars().collect(), s.chars().collect());
            segment(&p, &s) && folders(rest, path)
        }
        _ => false,
    }
}

fn segment(pattern: &[char], text: &[char]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        (['*', rest @ ..], _) => (0..=text.len()).any(|n| segment(rest, &text[n..])),
        (['?', rest @ ..], [_, text @ ..]) => segment(rest, text),
        (['\\', c, rest @ ..], [t, text @ ..]) => c == t && segment(rest, text),
        (['[', rest @ ..], [t, text @ ..]) => match class(rest, *t) {
            Some((true, rest)) => segment(rest, text),
            _ => false,
        },
        ([c, rest @ ..], [t, text @ ..]) => c == t && segment(rest, text),
        _ => false,
    }
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
}
