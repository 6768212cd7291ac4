//! Random changes of an input. A stable compiler reports no coverage, so variety comes from the corpus and from tokens that
//! parsers branch on.

use rand::{Rng, rngs::StdRng, seq::IndexedRandom};

/// Tokens of the formats that the targets read.
const TOKENS: &[&str] = &[
    "\r\n",
    "\n",
    "\r\n\r\n",
    "\0",
    " ",
    "\t",
    "%",
    "%2f",
    "%00",
    "%ff",
    "..",
    "//",
    "/../",
    "?",
    "#",
    "&",
    "=",
    ";",
    ":",
    ",",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    "\\",
    "\\u0000",
    "\\ud800",
    "null",
    "true",
    "-1",
    "1e999",
    "18446744073709551616",
    "0x",
    "<",
    ">",
    "</",
    "/>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<!DOCTYPE",
    "<?xml",
    "&#0;",
    "&amp;",
    " a=\"\"",
    "xmlns=",
    "Fn::",
    "!Sub",
    "!GetAtt",
    "${",
    "${!",
    "&a",
    "*a",
    "<<:",
    "- ",
    "? ",
    "|-",
    ">+",
    "%YAML",
    "Transfer-Encoding: chunked",
    "Content-Length: 1",
    "Expect: 100-continue",
    "HTTP/1.0",
    "HTTP/9.9",
    "ffffffffffffffff",
    "AWS4-HMAC-SHA256",
    "Credential=",
    "X-Amz-Date=",
    "aws-chunked",
    "Statement",
    "NotAction",
    "StringLike",
    "*",
    "é",
    "\u{2028}",
    "\u{feff}",
    "𝕊",
];
/// The longest input: longer than every limit on heads, and short enough for a fast run.
const MOST_BYTES: usize = 96 * 1024;

/// Makes one to eight changes to `input`, some with parts of `other`.
pub(crate) fn mutate(input: &[u8], other: &[u8], random: &mut StdRng) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..random.random_range(1..=8) {
        change(&mut bytes, other, random);
    }
    bytes.truncate(MOST_BYTES);
    bytes
}

fn change(bytes: &mut Vec<u8>, other: &[u8], random: &mut StdRng) {
    let (from, to) = range(bytes.len(), random);
    match random.random_range(0..9) {
        0 if !bytes.is_empty() => {
            let at = random.random_range(0..bytes.len());
            bytes[at] ^= 1 << random.random_range(0..8);
        }
        1 if !bytes.is_empty() => {
            let at = random.random_range(0..bytes.len());
            bytes[at] = random.random();
        }
        2 => drop(bytes.drain(from..to)),
        3 => {
            let part = bytes[from..to].to_vec();
            bytes.splice(from..from, part);
        }
        4 => {
            // Long repetitions find quadratic time and unlimited nesting.
            let part = bytes[from..to.min(from + 16)].to_vec();
            let times = 1 << random.random_range(0..12);
            bytes.splice(from..from, part.repeat(times));
        }
        5 => {
            let (start, end) = range(other.len(), random);
            bytes.splice(from..to, other[start..end].iter().copied());
        }
        6 => bytes.truncate(from),
        _ => {
            let token = TOKENS.choose(random).copied().unwrap_or_default();
            let to = if random.random() { from } else { to.min(from + token.len()) };
            bytes.splice(from..to, token.bytes());
        }
    }
    bytes.truncate(MOST_BYTES);
}

fn range(length: usize, random: &mut StdRng) -> (usize, usize) {
    let from = random.random_range(0..=length);
    let most = if random.random() { 16 } else { length };
    (from, (from + random.random_range(0..=most)).min(length))
}
