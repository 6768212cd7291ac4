//! Record values: parses the text format of zone files. One function per kind of field, no file syntax.

use crate::spec::Kind;
use hickory_proto::rr::{
    Name, RData, RecordType,
    rdata::{A, AAAA, CNAME, MX, NS, NULL, PTR, SOA, SRV, TXT},
};

/// Parses one value; the error names the expected format.
pub(crate) fn parse(kind: Kind, text: &str) -> Result<RData, String> {
    if kind == Kind::TXT {
        return strings(text).map(|s| RData::TXT(TXT::from_bytes(s.iter().map(Vec::as_slice).collect())));
    }
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    Ok(match (kind, fields.as_slice()) {
        (Kind::A, [v]) => RData::A(A(v.parse().map_err(|_| "an IPv4 address is expected")?)),
        (Kind::AAAA, [v]) => RData::AAAA(AAAA(v.parse().map_err(|_| "an IPv6 address is expected")?)),
        (Kind::CNAME, [v]) => RData::CNAME(CNAME(name(v)?)),
        (Kind::NS, [v]) => RData::NS(NS(name(v)?)),
        (Kind::PTR, [v]) => RData::PTR(PTR(name(v)?)),
        (Kind::MX, [preference, host]) => RData::MX(MX::new(number(preference)?, name(host)?)),
        (Kind::SRV, [priority, weight, port, target]) => {
            RData::SRV(SRV::new(number(priority)?, number(weight)?, number(port)?, name(target)?))
        }
        (Kind::SOA, [primary, mailbox, serial, refresh, retry, expire, minimum]) => RData::SOA(SOA::new(
            name(primary)?,
            name(mailbox)?,
            number(serial)?,
            number(refresh)?,
            number(retry)?,
            number(expire)?,
            number(minimum)?,
        )),
        (Kind::CAA, [flags, tag, ..]) => caa(number(flags)?, tag, text)?,
        _ => return Err(format!("{} is expected", form(kind))),
    })
}

/// The value in the format of zone files.
pub(crate) fn text(data: &RData) -> String {
    let quoted = |bytes: &[u8]| {
        let escape = |b: &u8| match b {
            b'"' | b'\\' => format!("\\{}", char::from(*b)),
            b' '..=b'~' => char::from(*b).to_string(),
            _ => format!("\\{b:03}"),
        };
        format!("\"{}\"", bytes.iter().map(escape).collect::<String>())
    };
    match data {
        RData::TXT(txt) => txt.iter().map(|s| quoted(s)).collect::<Vec<_>>().join(" "),
        RData::Unknown { code: RecordType::CAA, rdata } => {
            let bytes = rdata.anything();
            let (head, rest) = bytes.split_at(bytes.len().min(2));
            let (tag, value) = rest.split_at(rest.len().min(head.get(1).map_or(0, |n| usize::from(*n))));
            format!("{} {} {}", head.first().unwrap_or(&0), String::from_utf8_lossy(tag), quoted(value))
        }
        other => other.to_string(),
    }
}

/// The expected format of a value of this kind.
fn form(kind: Kind) -> &'static str {
    match kind {
        Kind::A => "an IPv4 address",
        Kind::AAAA => "an IPv6 address",
        Kind::CNAME | Kind::NS | Kind::PTR => "one name",
        Kind::MX => "'preference name'",
        Kind::SRV => "'priority weight port name'",
        Kind::SOA => "'primary mailbox serial refresh retry expire minimum'",
        Kind::CAA => "'flags tag \"value\"'",
        Kind::TXT => "'\"text\" \"text\"'",
    }
}

/// A full name; the final dot may be missing.
pub(crate) fn name(text: &str) -> Result<Name, String> {
    let mut name = Name::from_ascii(text).map_err(|e| format!("'{text}' is not a domain name ({e})"))?;
    if text.is_empty() {
        return Err("a domain name is empty".to_owned());
    }
    name.set_fqdn(true);
    Ok(name)
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("'{text}' is not a number within the range of this field"))
}

/// RFC 8659: the value is kept byte for byte, so that an answer equals the configured value.
fn caa(flags: u8, tag: &str, text: &str) -> Result<RData, String> {
    let at = text.find(tag).map_or(text.len(), |at| at + tag.len());
    let value = strings(&text[at..])?;
    let [value] = value.as_slice() else { return Err(format!("{} is expected", form(Kind::CAA))) };
    if tag.is_empty() || tag.len() > 15 || !tag.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(format!("'{tag}' is not a CAA tag: use 1 to 15 letters and digits"));
    }
    let mut bytes = vec![flags, tag.len() as u8];
    bytes.extend_from_slice(tag.as_bytes());
    bytes.extend_from_slice(value);
    Ok(RData::Unknown { code: RecordType::CAA, rdata: NULL::with(bytes) })
}

/// `"one" two "thr\"ee"`: strings of up to 255 bytes; `\DDD` is a byte in decimal (RFC 1035 section 5.1).
fn strings(text: &str) -> Result<Vec<Vec<u8>>, String> {
    let (mut found, mut bytes) = (Vec::new(), text.bytes().peekable());
    loop {
        while bytes.next_if(u8::is_ascii_whitespace).is_some() {}
        let quoted = bytes.next_if_eq(&b'"').is_some();
        if !quoted && bytes.peek().is_none() {
            break;
        }
        let mut string = Vec::new();
        loop {
            match bytes.next() {
                Some(b'"') if quoted => break,
                None if quoted => return Err("a quotation mark is not closed".to_owned()),
                None => break,
                Some(b'"') => return Err("a quotation mark inside a word must be written as \\\"".to_owned()),
                Some(b) if !quoted && b.is_ascii_whitespace() => break,
                Some(b'\\') => string.push(escaped(&mut bytes)?),
                Some(b) => string.push(b),
            }
        }
        if string.len() > 255 {
            return Err(format!(
                "a string has {} bytes and the limit is 255: split it into several quoted strings",
                string.len()
            ));
        }
        found.push(string);
    }
    if found.is_empty() { Err("a string is expected".to_owned()) } else { Ok(found) }
}

fn escaped(bytes: &mut impl Iterator<Item = u8>) -> Result<u8, String> {
    let bad = || "an escape is a backslash and a character, or three decimal digits up to 255".to_owned();
    let first = bytes.next().ok_or_else(bad)?;
    if !first.is_ascii_digit() {
        return Ok(first);
    }
    let mut value = u16::from(first - b'0');
    for _ in 0..2 {
        let digit = bytes.next().filter(u8::is_ascii_digit).ok_or_else(bad)?;
        value = value * 10 + u16::from(digit - b'0');
    }
    u8::try_from(value).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(kind: Kind, text: &str, expected: Expect) {
        let shown = match parse(kind, text) {
            Ok(data) => super::text(&data),
            Err(error) => format!("error: {error}"),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn values() {
        check(Kind::A, "10.0.0.1", expect!["10.0.0.1"]);
        check(Kind::A, "10.0.0", expect!["error: an IPv4 address is expected"]);
        check(Kind::AAAA, "2001:db8::1", expect!["2001:db8::1"]);
        check(Kind::MX, "10 mail.example.com", expect!["10 mail.example.com."]);
        check(Kind::MX, "mail.example.com", expect!["error: 'preference name' is expected"]);
        check(Kind::MX, "70000 m.", expect!["error: '70000' is not a number within the range of this field"]);
        check(Kind::SRV, "1 2 443 a.b", expect!["1 2 443 a.b."]);
        check(Kind::CNAME, "a..b", expect!["error: 'a..b' is not a domain name (Malformed label: )"]);
        check(Kind::TXT, r#""a b" c "d\"\065""#, expect![[r#""a b" "c" "d\"A""#]]);
        check(Kind::TXT, r#""a"#, expect!["error: a quotation mark is not closed"]);
        check(Kind::TXT, "", expect!["error: a string is expected"]);
        check(
            Kind::TXT,
            &"x".repeat(256),
            expect![
                "error: a string has 256 bytes and the limit is 255: split it into several quoted strings"
            ],
        );
        check(Kind::CAA, r#"0 issue "ca.example.net""#, expect![[r#"0 issue "ca.example.net""#]]);
        check(Kind::CAA, "0 issue", expect!["error: a string is expected"]);
    }
}
