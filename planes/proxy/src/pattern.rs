//! Wildcard patterns of conditions.

/// Whether the whole of `text` matches `pattern`: `*` is any run of characters (also none), `?` is exactly
/// one, a backslash makes the next character literal. Linear in practice, at worst pattern × text: it
/// remembers only the last star.
pub fn matches(pattern: &str, text: &str, ignore_case: bool) -> bool {
    let (p, t) = (pattern.as_bytes(), text.as_bytes());
    let (mut pi, mut ti) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while ti < t.len() {
        match p.get(pi) {
            Some(b'*') => {
                star = Some((pi + 1, ti));
                pi += 1;
                continue;
            }
            Some(b'?') => {
                pi += 1;
                ti += char_len(t[ti]);
                continue;
            }
            Some(&byte) => {
                let (literal, width) = match p.get(pi + 1) {
                    Some(&next) if byte == b'\\' => (next, 2),
                    _ => (byte, 1),
                };
                if literal == t[ti] || (ignore_case && literal.eq_ignore_ascii_case(&t[ti])) {
                    pi += width;
                    ti += 1;
                    continue;
                }
            }
            None => {}
        }
        // No way on from here: let the last star take one character more.
        let Some((after, from)) = star else { return false };
        let next = from + char_len(t[from]);
        star = Some((after, next));
        pi = after;
        ti = next;
    }
    p[pi..].iter().all(|&b| b == b'*')
}

/// Bytes of the UTF-8 character that starts with `first`, so that `?` takes a character and not a byte.
fn char_len(first: u8) -> usize {
    match first {
        0xc0..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0.. => 4,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use proptest::prelude::*;

    #[test]
    fn table() {
        let cases = [
            ("/img/*", "/img/a/b.png"),
            ("/img/*", "/img/"),
            ("/img/*", "/img"),
            ("/img/*", "/IMG/a"),
            ("/img", "/img"),
            ("/img", "/img/"),
            ("/img/*/pics", "/img/x/y/pics"),
            ("/img/?.png", "/img/a.png"),
            ("/img/?.png", "/img/é.png"),
            ("/img/?.png", "/img/.png"),
            ("*", ""),
            ("", ""),
            ("", "x"),
            ("?", ""),
            (r"/a\*", "/a*"),
            (r"/a\*", "/ab"),
            (r"/a\?b", "/a?b"),
            ("*.example.com", "www.example.com"),
            ("*.example.com", "example.com"),
            ("**a*?", "xxab"),
        ];
        let shown: String = cases
            .iter()
            .map(|(p, t)| format!("{p:16} {t:18} {:5} {}\n", matches(p, t, false), matches(p, t, true)))
            .collect();
        expect![[r#"
            /img/*           /img/a/b.png       true  true
            /img/*           /img/              true  true
            /img/*           /img               false false
            /img/*           /IMG/a             false true
            /img             /img               true  true
            /img             /img/              false false
            /img/*/pics      /img/x/y/pics      true  true
            /img/?.png       /img/a.png         true  true
            /img/?.png       /img/é.png         true  true
            /img/?.png       /img/.png          false false
            *                                   true  true
                                                true  true
                             x                  false false
            ?                                   false false
            /a\*             /a*                true  true
            /a\*             /ab                false false
            /a\?b            /a?b               true  true
            *.example.com    www.example.com    true  true
            *.example.com    example.com        false false
            **a*?            xxab               true  true
        "#]]
        .assert_eq(&shown);
    }

    /// The definition, by recursion over every possible split.
    fn naive(p: &[char], t: &[char]) -> bool {
        match p {
            [] => t.is_empty(),
            ['*', rest @ ..] => (0..=t.len()).any(|i| naive(rest, &t[i..])),
            ['?', rest @ ..] => !t.is_empty() && naive(rest, &t[1..]),
            ['\\', c, rest @ ..] => t.first() == Some(c) && naive(rest, &t[1..]),
            [c, rest @ ..] => t.first() == Some(c) && naive(rest, &t[1..]),
        }
    }

    proptest! {
        #[test]
        fn as_defined(p in r"[ab*?\\é]{0,8}", t in r"[ab*?\\é]{0,10}") {
            let (pc, tc): (Vec<char>, Vec<char>) = (p.chars().collect(), t.chars().collect());
            prop_assert_eq!(matches(&p, &t, false), naive(&pc, &tc), "{} {}", p, t);
        }

        #[test]
        fn never_panics(p in ".*", t in ".*") {
            matches(&p, &t, true);
        }
    }
}
