//! Wildcards in text: `*` matches any run of characters, including none, `?` matches exactly one.
//!
//! The rest depends on where the pattern is from ([`Glob`]): what counts as one character, whether case matters, whether a
//! backslash escapes. File name patterns are out of scope: there `*` ends at a slash.

/// The rules of one kind of pattern.
#[derive(Clone, Copy, Debug)]
pub struct Glob {
    /// What `?` matches.
    pub one: One,
    /// ASCII letters match in both cases.
    pub ignore_case: bool,
    /// A backslash makes the next character literal; a final backslash is literal itself.
    pub escape: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum One {
    Byte,
    Character,
}

impl Glob {
    /// Whether the whole of `text` matches `pattern`.
    pub fn matches(self, pattern: &str, text: &str) -> bool {
        let Glob { ignore_case, escape, .. } = self;
        match self.one {
            One::Byte => {
                let same = |a: u8, b: u8| a == b || (ignore_case && a.eq_ignore_ascii_case(&b));
                fits(Pieces { units: pattern.bytes(), escape }, text.bytes(), same)
            }
            One::Character => {
                let same = |a: char, b: char| a == b || (ignore_case && a.eq_ignore_ascii_case(&b));
                fits(Pieces { units: pattern.chars(), escape }, text.chars(), same)
            }
        }
    }
}

/// A piece of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<T> {
    Just(T),
    One,
    Any,
}

/// Whether the whole of `text` matches a pattern that the caller has parsed. It allocates nothing and backtracks to the last
/// `*` only: an earlier one that took the shortest run leaves the later ones every choice they could need. The worst
/// case costs pattern × text steps.
pub fn fits<T: Copy>(
    pattern: impl Iterator<Item = Piece<T>> + Clone,
    text: impl Iterator<Item = T> + Clone,
    same: impl Fn(T, T) -> bool,
) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    // The pattern after the last star, and the text that the star has not taken.
    let mut star = None;
    loop {
        let rest = text.clone();
        match (pattern.next(), text.next()) {
            (None, None) => return true,
            (Some(Piece::Any), _) => {
                text = rest.clone();
                star = Some((pattern.clone(), rest));
            }
            (Some(Piece::One), Some(_)) => {}
            (Some(Piece::Just(wanted)), Some(found)) if same(wanted, found) => {}
            // Backtracking would only shorten a text that is too short already.
            (Some(_), None) => return false,
            (_, Some(_)) => {
                let Some((behind, left)) = &mut star else { return false };
                left.next();
                (pattern, text) = (behind.clone(), left.clone());
            }
        }
    }
}

/// Parses a pattern into its pieces lazily.
#[derive(Clone)]
struct Pieces<I> {
    units: I,
    escape: bool,
}

impl<T: Copy + PartialEq + From<u8>, I: Iterator<Item = T>> Iterator for Pieces<I> {
    type Item = Piece<T>;

    fn next(&mut self) -> Option<Piece<T>> {
        let unit = self.units.next()?;
        let is = |c: u8| unit == T::from(c);
        Some(match unit {
            _ if is(b'*') => Piece::Any,
            _ if is(b'?') => Piece::One,
            _ if self.escape && is(b'\\') => Piece::Just(self.units.next().unwrap_or(unit)),
            _ => Piece::Just(unit),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLAIN: Glob = Glob { one: One::Character, ignore_case: false, escape: false };

    #[test]
    fn matches_by_rule() {
        let bytes = Glob { one: One::Byte, ..PLAIN };
        let any_case = Glob { ignore_case: true, ..PLAIN };
        let escaped = Glob { escape: true, ..PLAIN };
        for (glob, pattern, text, hit) in [
            (PLAIN, "", "", true),
            (PLAIN, "", "x", false),
            (PLAIN, "*", "", true),
            (PLAIN, "?", "", false),
            (PLAIN, "a*c", "abbc", true),
            (PLAIN, "a*c", "abbcd", false),
            (PLAIN, "a?c", "abc", true),
            (PLAIN, "a?c", "ac", false),
            (PLAIN, "a*b*c", "axbxxc", true),
            (PLAIN, "a*b", "axc", false),
            (PLAIN, "**a*?", "xxab", true),
            (PLAIN, "*ab", "aab", true),
            (PLAIN, "ab", "AB", false),
            (PLAIN, "?", "é", true),
            (PLAIN, r"a\*", "a*", false),
            (PLAIN, r"a\*", r"a\b", true),
            (bytes, "?", "é", false),
            (bytes, "??", "é", true),
            (bytes, "é*", "él", true),
            (any_case, "a*É", "ABÉ", true),
            (any_case, "é", "É", false),
            (escaped, r"a\*", "a*", true),
            (escaped, r"a\*", "ab", false),
            (escaped, r"\?", "?", true),
            (escaped, r"\é", "é", true),
            (escaped, r"a\", r"a\", true),
            (escaped, r"\\*", r"\x", true),
        ] {
            assert_eq!(glob.matches(pattern, text), hit, "{glob:?} {pattern} on {text}");
        }
    }

    #[test]
    fn cost_stays_bounded_with_many_stars() {
        let (text, stars) = ("a".repeat(2000), "a*".repeat(200));
        let looks = std::cell::Cell::new(0_usize);
        let same = |a, b| {
            looks.set(looks.get() + 1);
            // An implementation that tries every split of the text would not end in a lifetime.
            assert!(looks.get() <= stars.len() * text.len());
            a == b
        };
        let hit = |end: &str| {
            fits(Pieces { units: stars.chars().chain(end.chars()), escape: false }, text.chars(), same)
        };
        assert!(hit(""));
        assert!(!hit("b"));
    }

    /// The definition, by recursion over every possible split.
    fn naive(glob: Glob, pattern: &[char], text: &[char]) -> bool {
        let one = |wanted: char, rest: &[char]| {
            let same = |t: &char| *t == wanted || (glob.ignore_case && t.eq_ignore_ascii_case(&wanted));
            text.first().is_some_and(same) && naive(glob, rest, &text[1..])
        };
        match pattern {
            [] => text.is_empty(),
            ['*', rest @ ..] => (0..=text.len()).any(|i| naive(glob, rest, &text[i..])),
            ['?', rest @ ..] => !text.is_empty() && naive(glob, rest, &text[1..]),
            ['\\', c, rest @ ..] if glob.escape => one(*c, rest),
            [c, rest @ ..] => one(*c, rest),
        }
    }

    proptest! {
        #[test]
        fn as_defined(
            pattern in r"[abA*?\\é]{0,8}", text in r"[abA*?\\é]{0,10}", ignore_case: bool, escape: bool,
        ) {
            let glob = Glob { ignore_case, escape, ..PLAIN };
            let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
            prop_assert_eq!(glob.matches(&pattern, &text), naive(glob, &p, &t), "{} {}", pattern, text);
            if text.is_ascii() {
                prop_assert_eq!(Glob { one: One::Byte, ..glob }.matches(&pattern, &text), naive(glob, &p, &t));
            }
        }

        #[test]
        fn never_panics(pattern in ".*", text in ".*", escape: bool) {
            Glob { one: One::Byte, ignore_case: true, escape }.matches(&pattern, &text);
            Glob { escape, ..PLAIN }.matches(&pattern, &text);
        }
    }
}
