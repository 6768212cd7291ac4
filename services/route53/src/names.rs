//! Domain names in Route 53's form: lower case, a final dot, every byte except `a-z 0-9 - _` as a backslash and three
//! octal digits. A wildcard is `\052.example.com.`
//!
//! <https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html>

use escale_tables::route53::CanonicalName;

/// The canonical form, or the reason why the name is invalid.
pub(crate) fn canonical(text: &str) -> Result<CanonicalName, String> {
    let bytes = unescape(text)?;
    let mut name = String::with_capacity(bytes.len() + 1);
    for byte in &bytes {
        match byte {
            Byte::Plain(b'.') => name.push('.'),
            Byte::Plain(b) | Byte::Escaped(b) => match b.to_ascii_lowercase() {
                b @ (b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_') => name.push(char::from(b)),
                b => name.push_str(&format!("\\{b:03o}")),
            },
        }
    }
    if !name.ends_with('.') {
        name.push('.');
    }
    // On the wire each label has a length byte, and the root label ends the name.
    let wire: usize = 1 + name.trim_end_matches('.').split('.').map(|l| 1 + label_bytes(l)).sum::<usize>();
    if name == "." {
        return Err("it is empty".to_owned());
    }
    if name[..name.len() - 1].split('.').any(str::is_empty) {
        return Err("it has an empty label".to_owned());
    }
    if let Some(long) = name.split('.').find(|l| label_bytes(l) > 63) {
        return Err(format!("its label '{long}' is longer than 63 bytes"));
    }
    if wire > 255 {
        return Err("it is longer than 255 bytes".to_owned());
    }
    Ok(CanonicalName(name))
}

/// The name in the DNS plane's form: a wildcard has its asterisk; other escapes are octal there, too.
pub(crate) fn for_plane(name: &str) -> String {
    match name.strip_prefix("\\052.") {
        Some(rest) => format!("*.{rest}"),
        None => name.to_owned(),
    }
}

/// Converts octal escapes in a value to the decimal escapes of zone files (RFC 1035 section 5.1).
pub(crate) fn value_for_plane(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if rest.starts_with(|c: char| c.is_ascii_digit()) {
            let byte = rest.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
            let byte = byte.ok_or("a backslash must be followed by three octal digits up to 377")?;
            out.push_str(&format!("\\{byte:03}"));
            rest = &rest[3..];
        } else {
            out.push('\\');
            let mut letters = rest.chars();
            out.extend(letters.next());
            rest = letters.as_str();
        }
    }
    Ok(out + rest)
}

/// Whether `name` is `zone` or below it. Both must be canonical.
pub(crate) fn within(name: &str, zone: &str) -> bool {
    name == zone || name.strip_suffix(zone).is_some_and(|head| head.ends_with('.'))
}

enum Byte {
    Plain(u8),
    Escaped(u8),
}

fn unescape(text: &str) -> Result<Vec<Byte>, String> {
    let bytes = text.as_bytes();
    let (mut out, mut i) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(i) {
        if *byte != b'\\' {
            out.push(Byte::Plain(*byte));
            i += 1;
            continue;
        }
        let digits = bytes.get(i + 1..i + 4).and_then(|d| std::str::from_utf8(d).ok());
        let value = digits.and_then(|d| u8::from_str_radix(d, 8).ok());
        out.push(Byte::Escaped(value.ok_or("a backslash must be followed by three octal digits up to 377")?));
        i += 4;
    }
    Ok(out)
}

/// The label's length on the wire, where an escape is one byte.
fn label_bytes(label: &str) -> usize {
    label.len() - 3 * label.matches('\\').count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(name: &str, expected: Expect) {
        expected.assert_eq(&canonical(name).map_or_else(|e| format!("error: {e}"), CanonicalName::into));
    }

    #[test]
    fn normalizes_names_and_refuses_invalid_ones() {
        check("Example.COM", expect!["example.com."]);
        check("*.example.com.", expect![[r"\052.example.com."]]);
        check(r"\052.example.com", expect![[r"\052.example.com."]]);
        check("_sip._tcp.a.b", expect!["_sip._tcp.a.b."]);
        check(r"a\056b.com", expect![[r"a\056b.com."]]);
        check("a..b", expect!["error: it has an empty label"]);
        check("", expect!["error: it is empty"]);
        check(r"a\9.com", expect!["error: a backslash must be followed by three octal digits up to 377"]);
    }

    #[test]
    fn converts_escapes_in_values() {
        assert_eq!(value_for_plane(r#""a\101\"b""#).as_deref(), Ok(r#""a\065\"b""#));
        assert!(value_for_plane(r#""\999""#).is_err());
    }

    #[test]
    fn finds_names_within_zones() {
        assert!(within("a.example.com.", "example.com.") && within("example.com.", "example.com."));
        assert!(!within("badexample.com.", "example.com."));
    }
}
