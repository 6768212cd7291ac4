//! Words as a shell would split them, and the variables in them.

/// Splits at blanks outside quotes; quotes and escapes stay in the words.
pub(super) fn split(text: &str, escape: char) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let (mut word, mut quote, mut letters) = (String::new(), None, text.chars());
    while let Some(c) = letters.next() {
        match (c, quote) {
            (c, None) if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            (c, q) if c == escape && q != Some('\'') => {
                word.push(c);
                word.extend(letters.next());
                continue;
            }
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(q)) if c == q => quote = None,
            _ => {}
        }
        word.push(c);
    }
    if quote.is_some() {
        return Err("a quotation mark is not closed".into());
    }
    words.extend(Some(word).filter(|w| !w.is_empty()));
    Ok(words)
}

/// `a=1 b="2 3"`, or the old form with one name: `a 1 2 3`.
pub(super) fn pairs(instruction: &str, text: &str, escape: char) -> Result<Vec<(String, String)>, String> {
    let words = split(text, escape)?;
    if words.first().is_some_and(|w| !w.contains('=')) {
        let (name, value) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        if value.trim().is_empty() {
            return Err(format!("{instruction} takes name=value, and `{name}` has no value"));
        }
        return Ok(vec![(name.to_owned(), value.trim().to_owned())]);
    }
    let read = |w: String| match w.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("{instruction} takes name=value, unlike `{w}`")),
    };
    words.into_iter().map(read).collect()
}

/// Removes quotes and escapes and substitutes variables: `$a`, `${a}`, `${a:-default}`, `${a:+instead}`.
pub(crate) fn expand(word: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let letters: Vec<char> = word.chars().collect();
    let (mut out, mut quote, mut i) = (String::new(), None, 0);
    while let Some(&c) = letters.get(i) {
        i += 1;
        match (c, quote) {
            ('\\', None | Some('"')) => {
                if let Some(&next) = letters.get(i) {
                    if quote.is_some() && !"\"\\$".contains(next) {
                        out.push('\\');
                    }
                    out.push(next);
                    i += 1;
                }
            }
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(q)) if c == q => quote = None,
            ('$', None | Some('"')) => i = variable(&letters, i, lookup, &mut out)?,
            _ => out.push(c),
        }
    }
    Ok(out)
}

/// Reads the variable whose `$` is before `at`; returns the position after it.
fn variable(
    letters: &[char],
    at: usize,
    lookup: &dyn Fn(&str) -> Option<String>,
    out: &mut String,
) -> Result<usize, String> {
    let part_of_name = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
    if letters.get(at) != Some(&'{') {
        let name: String = letters[at..].iter().take_while(|c| part_of_name(c)).collect();
        if name.is_empty() {
            out.push('$');
        } else {
            out.push_str(&lookup(&name).unwrap_or_default());
        }
        return Ok(at + name.len());
    }
    let mut depth = 1;
    let length = letters[at + 1..].iter().position(|c| {
        depth += match c {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        depth == 0
    });
    let end = at + 1 + length.ok_or("a `${` is not closed")?;
    let inner: String = letters[at + 1..end].iter().collect();
    let name: String = inner.chars().take_while(|c| part_of_name(c)).collect();
    let value = lookup(&name);
    let set = value.clone().filter(|v| !v.is_empty());
    match &inner[name.len()..] {
        "" => out.push_str(&value.unwrap_or_default()),
        rest if rest.starts_with(":-") => match set {
            Some(value) => out.push_str(&value),
            None => out.push_str(&expand(&rest[2..], lookup)?),
        },
        rest if rest.starts_with(":+") => {
            if set.is_some() {
                out.push_str(&expand(&rest[2..], lookup)?);
            }
        }
        _ => return Err(format!("`${{{inner}}}` is not supported: use ${{a}}, ${{a:-b}} or ${{a:+b}}")),
    }
    Ok(end + 1)
}

/// Go's durations: `1m30s`, `500ms`; in nanoseconds.
pub(super) fn duration_ns(text: &str) -> Option<u64> {
    let (mut rest, mut total) = (text, 0_u64);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, unit) = rest.split_at(digits);
        let letters = unit.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(unit.len());
        let factor = match &unit[..letters] {
            "ns" => 1.0,
            "us" | "µs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            _ => return None,
        };
        total = total.checked_add((number.parse::<f64>().ok()? * factor) as u64)?;
        rest = &unit[letters..];
    }
    Some(total)
}
