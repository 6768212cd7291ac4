//! Shared by the real store and the fake: pure checks and arithmetic, no listing.

use crate::digest::{self, Hasher};
use crate::{Algorithm, Checksum};
use crate::{
    BUCKET_NAME_BYTES, ByteRange, ChecksumKind, Checksums, Complete, Condition, Entry, Error, KEY_BYTES,
    Limits, PARTS, Part, Result,
};
use std::{collections::BTreeMap, ops::Range};

pub(crate) fn check_bucket_name(name: &str) -> Result<()> {
    match name.len() {
        1..=BUCKET_NAME_BYTES => Ok(()),
        n => Err(Error::BadBucketName(n)),
    }
}

pub(crate) fn check_key(key: &str) -> Result<()> {
    match key.len() {
        1..=KEY_BYTES => Ok(()),
        n => Err(Error::BadKey(n)),
    }
}

pub(crate) fn check_part_number(number: u32) -> Result<()> {
    if (1..=PARTS).contains(&number) { Ok(()) } else { Err(Error::BadPartNumber(number)) }
}

/// `current` is the key's current object, unless that is a delete marker.
pub(crate) fn check_condition(
    condition: &Condition,
    (bucket, key): (&str, &str),
    current: Option<&Entry>,
) -> Result<()> {
    let failed = |why: String| {
        Err(Error::PreconditionFailed { key: key.to_owned(), condition: condition.clone(), why })
    };
    match (condition, current) {
        (Condition::None, _) | (Condition::Absent, None) | (Condition::Present, Some(_)) => Ok(()),
        (Condition::Absent, Some(_)) => failed("the object exists".into()),
        (Condition::Etag(_) | Condition::Present, None) => {
            Err(Error::NoSuchKey { bucket: bucket.to_owned(), key: key.to_owned(), marker: None })
        }
        (Condition::Etag(etag), Some(entry)) if *etag == entry.etag => Ok(()),
        (Condition::Etag(_), Some(entry)) => failed(format!("its etag is {}", entry.etag)),
    }
}

/// The bytes of a requested range (RFC 9110, 14.1.2): cut at the end of the object, refused when it starts after it.
pub(crate) fn resolve_range(range: Option<ByteRange>, size_bytes: u64) -> Result<Range<u64>> {
    let unsatisfiable = Err(Error::RangeNotSatisfiable { size_bytes });
    match range {
        None => Ok(0..size_bytes),
        Some(ByteRange::From(first)) if first < size_bytes => Ok(first..size_bytes),
        Some(ByteRange::Between(first, last)) if first < size_bytes && first <= last => {
            Ok(first..last.saturating_add(1).min(size_bytes))
        }
        Some(ByteRange::Last(n)) if n > 0 && size_bytes > 0 => Ok(size_bytes.saturating_sub(n)..size_bytes),
        Some(_) => unsatisfiable,
    }
}

/// The bytes of one part of an object; a single put is its own part 1.
pub(crate) fn part_range(asked: u32, sizes: &[u64]) -> Result<Range<u64>> {
    let have = sizes.len() as u32;
    let index = asked.checked_sub(1).filter(|i| *i < have).ok_or(Error::NoSuchPart { asked, have })? as usize;
    let start: u64 = sizes[..index].iter().sum();
    Ok(start..start + sizes[index])
}

/// The common prefix that `key` is listed under: up to and including the first delimiter after the prefix.
pub(crate) fn rolled_up<'a>(key: &'a str, prefix: &str, delimiter: Option<&str>) -> Option<&'a str> {
    let delimiter = delimiter.filter(|d| !d.is_empty())?;
    let rest = key.strip_prefix(prefix)?;
    let end = rest.find(delimiter)? + delimiter.len();
    Some(&key[..prefix.len() + end])
}

/// The smallest text above every text that starts with `prefix`; UTF-8 sorts as its code points do.
pub(crate) fn successor(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        let next = match last {
            // The surrogates between them are no characters.
            '\u{d7ff}' => Some('\u{e000}'),
            c => char::from_u32(c as u32 + 1),
        };
        if let Some(next) = next {
            text.push(next);
            return Some(text);
        }
    }
    None
}

/// The object that an upload's parts become.
pub(crate) struct Assembled {
    pub(crate) numbers: Vec<u32>,
    pub(crate) size_bytes: u64,
    pub(crate) etag: String,
    pub(crate) checksums: Checksums,
}

/// Checks the parts listed in `spec` against the uploaded ones. Source of the rules:
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>
pub(crate) fn assemble(
    uploaded: &BTreeMap<u32, Part>,
    checksum: Option<(Algorithm, ChecksumKind)>,
    spec: &Complete,
    limits: &Limits,
) -> Result<Assembled> {
    if spec.parts.is_empty() {
        return Err(Error::NoParts);
    }
    let mut numbers: Vec<u32> = Vec::with_capacity(spec.parts.len());
    let (mut size_bytes, mut md5s, mut sums) = (0u64, Hasher::new([]), Vec::new());
    for (i, named) in spec.parts.iter().enumerate() {
        if let Some(before) = numbers.last().filter(|before| **before >= named.number) {
            return Err(Error::PartOrder(named.number, *before));
        }
        let part = uploaded.get(&named.number).filter(|part| part.etag == named.etag);
        let part = part.ok_or(Error::InvalidPart(named.number))?;
        let has = |(a, value): &(Algorithm, Vec<u8>)| {
            part.checksums.get(a).is_some_and(|have: &Checksum| have.value == *value)
        };
        if !named.expect.iter().all(has) {
            return Err(Error::InvalidPart(named.number));
        }
        // The last part may be short: it is the rest of the object.
        if part.size_bytes < limits.part_min_bytes && i + 1 < spec.parts.len() {
            return Err(Error::PartTooSmall {
                number: named.number,
                size_bytes: part.size_bytes,
                min_bytes: limits.part_min_bytes,
                etag: part.etag.clone(),
            });
        }
        // The etag of an object made of parts is the MD5 of the parts' binary MD5s.
        md5s.update(&hex::decode(&part.etag).map_err(|_| Error::InvalidPart(named.number))?);
        if let Some((algorithm, _)) = checksum {
            let sum = part.checksums.get(&algorithm).ok_or(Error::InvalidPart(named.number))?;
            sums.push((sum.value.clone(), part.size_bytes));
        }
        size_bytes += part.size_bytes;
        numbers.push(named.number);
    }
    if size_bytes > limits.object_bytes {
        return Err(Error::TooLarge { size_bytes, limit_bytes: limits.object_bytes });
    }
    let mut checksums = Checksums::new();
    if let Some((algorithm, kind)) = checksum {
        checksums.insert(algorithm, digest::of_parts(algorithm, kind, &sums)?);
    }
    if let Some((algorithm, expected)) = &spec.expect {
        let computed = &checksums.get(algorithm).ok_or(Error::NotComputed(*algorithm))?.value;
        if computed != expected {
            return Err(digest::mismatch(*algorithm, expected, computed));
        }
    }
    let etag = format!("{}-{}", md5s.finish().etag(), numbers.len());
    Ok(Assembled { numbers, size_bytes, etag, checksums })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_first_key_after_a_prefix() {
        assert_eq!(successor("a/"), Some("a0".into()));
        assert_eq!(successor("a\u{10ffff}"), Some("b".into()));
        assert_eq!(successor("\u{d7ff}"), Some("\u{e000}".into()));
        assert_eq!(successor("\u{10ffff}"), None);
    }

    #[test]
    fn resolves_byte_ranges() {
        let of = |r, size| resolve_range(Some(r), size).ok();
        assert_eq!(of(ByteRange::From(3), 10), Some(3..10));
        assert_eq!(of(ByteRange::From(10), 10), None);
        assert_eq!(of(ByteRange::Between(3, 99), 10), Some(3..10));
        assert_eq!(of(ByteRange::Between(3, 3), 10), Some(3..4));
        assert_eq!(of(ByteRange::Between(4, 3), 10), None);
        assert_eq!(of(ByteRange::Last(99), 10), Some(0..10));
        assert_eq!(of(ByteRange::Last(0), 10), None);
        assert_eq!(of(ByteRange::Last(1), 0), None);
    }
}
