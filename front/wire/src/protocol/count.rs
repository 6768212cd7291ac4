//! Counts the values of a body before it is parsed, since the parsed tree takes many times the bytes of its text.

use crate::fault::Malformed;
use escale_base::limits::request as limits;

fn too_many(what: &str, most: usize) -> Malformed {
    Malformed::Body(format!("the body has more than {most} {what}"))
}

pub(super) fn form(body: &str) -> Result<(), Malformed> {
    let fields = body.bytes().filter(|b| *b == b'&').count() + 1;
    if fields > limits::FORM_FIELDS { Err(too_many("parameters", limits::FORM_FIELDS)) } else { Ok(()) }
}

/// Counts opening brackets, commas and colons outside of strings: a value follows each. Invalid JSON is left to the parser.
pub(super) fn json(body: &[u8]) -> Result<(), Malformed> {
    // No value is shorter than two bytes, its comma included.
    if body.len() / 2 < limits::VALUES {
        return Ok(());
    }
    let (mut values, mut in_text, mut escaped) = (1, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' | b',' | b':' if !in_text => values += 1,
            _ => {}
        }
    }
    if values > limits::VALUES { Err(too_many("values", limits::VALUES)) } else { Ok(()) }
}

/// Counts items. Each begins with a head that has its length or the number of items in it (RFC 8949, section 3). Invalid
/// CBOR is left to the parser.
pub(super) fn cbor(body: &[u8]) -> Result<(), Malformed> {
    let (mut rest, mut values) = (body, 0);
    // Goes from head to head without a stack: an array's items follow its head, so they are counted one after the other.
    while let Some((first, after)) = rest.split_first() {
        values += 1;
        if values > limits::VALUES {
            return Err(too_many("values", limits::VALUES));
        }
        let size = match first & 0x1f {
            low @ 24..=27 => 1 << (low - 24),
            _ => 0,
        };
        let Some((argument, after)) = after.split_at_checked(size) else { return Ok(()) };
        // Only strings have content to skip; 31 marks an indefinite length, whose chunks are items with heads of their own.
        let text = matches!(first >> 5, 2 | 3) && first & 0x1f != 31;
        let length = if text { cbor_length(first & 0x1f, argument) } else { 0 };
        let Some(after) = after.get(length..) else { return Ok(()) };
        rest = after;
    }
    Ok(())
}

fn cbor_length(low: u8, argument: &[u8]) -> usize {
    let length = argument.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let length = if argument.is_empty() { u64::from(low) } else { length };
    usize::try_from(length).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_values_but_not_the_content_of_strings() {
        let most = limits::VALUES;
        let list = |n: usize| format!("[{}1]", "1,".repeat(n)).into_bytes();
        assert!(json(&list(most - 2)).is_ok());
        assert!(json(&list(most)).is_err());
        assert!(json(format!("[\"{}\"]", ",[{:".repeat(most)).as_bytes()).is_ok(), "marks within a text");
        assert!(json(format!("[\"\\\"{}\"]", ",".repeat(2 * most)).as_bytes()).is_ok(), "an escaped quote");

        let mut array = vec![0x9f];
        array.extend(std::iter::repeat_n(0x01, most - 2));
        array.push(0xff);
        assert!(cbor(&array).is_ok());
        array.splice(1..1, [0x01]);
        assert!(cbor(&array).is_err());
        let mut text = vec![0x7a, 0, 0x10, 0, 0];
        text.extend(std::iter::repeat_n(b'a', 0x10_0000));
        assert!(cbor(&text).is_ok(), "the bytes of a string are not values");
        assert!(cbor(&[0x7b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]).is_ok(), "left to the parser");

        assert!(form(&"a&".repeat(limits::FORM_FIELDS - 1)).is_ok());
        assert!(form(&"a&".repeat(limits::FORM_FIELDS)).is_err());
    }
}
