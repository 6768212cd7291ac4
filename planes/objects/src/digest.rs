//! Checksums of a body, all computed in one pass.

use crate::{ChecksumKind, Error, Expected, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use crc_fast::CrcAlgorithm;
use md5::Digest as _;
use std::{collections::BTreeMap, fmt};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    Md5,
    Sha1,
    Sha256,
    Crc32,
    Crc32c,
    Crc64nvme,
}

impl Algorithm {
    pub const ALL: [Algorithm; 6] = [
        Algorithm::Md5,
        Algorithm::Sha1,
        Algorithm::Sha256,
        Algorithm::Crc32,
        Algorithm::Crc32c,
        Algorithm::Crc64nvme,
    ];

    fn word(self) -> &'static str {
        match self {
            Algorithm::Md5 => "md5",
            Algorithm::Sha1 => "sha1",
            Algorithm::Sha256 => "sha256",
            Algorithm::Crc32 => "crc32",
            Algorithm::Crc32c => "crc32c",
            Algorithm::Crc64nvme => "crc64nvme",
        }
    }

    fn crc(self) -> Option<(CrcAlgorithm, usize)> {
        match self {
            Algorithm::Crc32 => Some((CrcAlgorithm::Crc32IsoHdlc, 4)),
            Algorithm::Crc32c => Some((CrcAlgorithm::Crc32Iscsi, 4)),
            Algorithm::Crc64nvme => Some((CrcAlgorithm::Crc64Nvme, 8)),
            _ => None,
        }
    }

    /// Whether a multipart upload can have this kind of checksum with this algorithm.
    pub(crate) fn check_kind(self, kind: ChecksumKind) -> Result<()> {
        let why = match (self, kind) {
            (Algorithm::Md5, _) => "MD5 is used for the etag only",
            (Algorithm::Crc64nvme, ChecksumKind::Composite) => "it always covers the full object",
            (Algorithm::Sha1 | Algorithm::Sha256, ChecksumKind::FullObject) => {
                "only CRCs can be combined; it is always composite"
            }
            _ => return Ok(()),
        };
        Err(Error::ChecksumKind { algorithm: self, kind, why })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksum {
    pub value: Vec<u8>,
    /// Set when it is a checksum of N parts' checksums instead of the bytes.
    pub parts: Option<u32>,
}

/// Base64, with `-N` when it covers N parts' checksums.
impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(&self.value))?;
        self.parts.map_or(Ok(()), |n| write!(f, "-{n}"))
    }
}

pub type Checksums = BTreeMap<Algorithm, Checksum>;

/// The stored format: `crc32:AAAAAA==,sha256:…-3`.
pub(crate) fn to_text(checksums: &Checksums) -> String {
    let each: Vec<String> = checksums.iter().map(|(a, c)| format!("{}:{c}", a.word())).collect();
    each.join(",")
}

pub(crate) fn from_text(text: &str) -> Checksums {
    let one = |item: &str| {
        let (word, value) = item.split_once(':')?;
        let algorithm = Algorithm::ALL.into_iter().find(|a| a.word() == word)?;
        let (value, parts) = match value.split_once('-') {
            Some((value, parts)) => (value, Some(parts.parse().ok()?)),
            None => (value, None),
        };
        Some((algorithm, Checksum { value: STANDARD.decode(value).ok()?, parts }))
    };
    text.split(',').filter_map(one).collect()
}

enum State {
    Md5(md5::Md5),
    Sha1(sha1::Sha1),
    Sha256(sha2::Sha256),
    Crc(crc_fast::Digest, usize),
}

/// MD5 always, plus the requested algorithms.
pub(crate) struct Hasher(Vec<(Algorithm, State)>);

impl Hasher {
    pub(crate) fn new(algorithms: impl IntoIterator<Item = Algorithm>) -> Hasher {
        let mut states: BTreeMap<Algorithm, State> = BTreeMap::new();
        for algorithm in [Algorithm::Md5].into_iter().chain(algorithms) {
            states.entry(algorithm).or_insert_with(|| match algorithm {
                Algorithm::Md5 => State::Md5(md5::Md5::new()),
                Algorithm::Sha1 => State::Sha1(sha1::Sha1::new()),
                Algorithm::Sha256 => State::Sha256(sha2::Sha256::new()),
                Algorithm::Crc32 => State::Crc(crc_fast::Digest::new(CrcAlgorithm::Crc32IsoHdlc), 4),
                Algorithm::Crc32c => State::Crc(crc_fast::Digest::new(CrcAlgorithm::Crc32Iscsi), 4),
                Algorithm::Crc64nvme => State::Crc(crc_fast::Digest::new(CrcAlgorithm::Crc64Nvme), 8),
            });
        }
        Hasher(states.into_iter().collect())
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        for (_, state) in &mut self.0 {
            match state {
                State::Md5(d) => d.update(bytes),
                State::Sha1(d) => d.update(bytes),
                State::Sha256(d) => d.update(bytes),
                State::Crc(d, _) => d.update(bytes),
            }
        }
    }

    pub(crate) fn finish(self) -> Sums {
        let finish = |(algorithm, state)| {
            let value = match state {
                State::Md5(d) => d.finalize().to_vec(),
                State::Sha1(d) => d.finalize().to_vec(),
                State::Sha256(d) => d.finalize().to_vec(),
                State::Crc(d, width) => crc_bytes(d.finalize(), width),
            };
            (algorithm, value)
        };
        Sums(self.0.into_iter().map(finish).collect())
    }
}

fn crc_bytes(value: u64, width: usize) -> Vec<u8> {
    value.to_be_bytes()[8 - width..].to_vec()
}

/// The checksums of one body.
pub(crate) struct Sums(BTreeMap<Algorithm, Vec<u8>>);

impl Sums {
    pub(crate) fn verify(&self, expected: &Expected) -> Result<()> {
        for (algorithm, expected) in expected {
            let computed = self.0.get(algorithm).ok_or(Error::NotComputed(*algorithm))?;
            if computed != expected {
                return Err(mismatch(*algorithm, expected, computed));
            }
        }
        Ok(())
    }

    /// MD5 in hexadecimal.
    pub(crate) fn etag(&self) -> String {
        self.0.get(&Algorithm::Md5).map(hex::encode).unwrap_or_default()
    }

    /// All but MD5, which the etag contains.
    pub(crate) fn kept(self) -> Checksums {
        let keep = |(algorithm, value)| (algorithm, Checksum { value, parts: None });
        self.0.into_iter().filter(|(a, _)| *a != Algorithm::Md5).map(keep).collect()
    }
}

pub(crate) fn mismatch(algorithm: Algorithm, expected: &[u8], computed: &[u8]) -> Error {
    let (expected, computed) = (STANDARD.encode(expected), STANDARD.encode(computed));
    Error::ChecksumMismatch { algorithm, expected, computed }
}

/// The checksum of an object from its parts' checksums and sizes.
pub(crate) fn of_parts(
    algorithm: Algorithm,
    kind: ChecksumKind,
    parts: &[(Vec<u8>, u64)],
) -> Result<Checksum> {
    algorithm.check_kind(kind)?;
    match (kind, algorithm.crc()) {
        (ChecksumKind::FullObject, Some((crc, width))) => {
            let number = |bytes: &[u8]| bytes.iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
            // A CRC of the whole follows from the parts' CRCs and sizes, so the object's bytes are not read again.
            let combined = parts.iter().map(|(value, size)| (number(value), *size)).reduce(
                |(sum, before), (next, size)| {
                    (crc_fast::checksum_combine(crc, sum, next, size), before + size)
                },
            );
            let value = crc_bytes(combined.map_or(0, |(sum, _)| sum), width);
            Ok(Checksum { value, parts: None })
        }
        _ => {
            let mut hasher = Hasher::new([algorithm]);
            parts.iter().for_each(|(value, _)| hasher.update(value));
            let value = hasher.finish().0.remove(&algorithm).unwrap_or_default();
            Ok(Checksum { value, parts: Some(parts.len() as u32) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values of the CRC catalogue, and the RFCs' of the hashes, all of "123456789".
    #[test]
    fn known_values() {
        let mut hasher = Hasher::new(Algorithm::ALL);
        hasher.update(b"1234");
        hasher.update(b"56789");
        let sums = hasher.finish();
        for (algorithm, expected) in [
            (Algorithm::Md5, "25f9e794323b453885f5181f1b624d0b"),
            (Algorithm::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
            (Algorithm::Sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
            (Algorithm::Crc32, "cbf43926"),
            (Algorithm::Crc32c, "e3069283"),
            (Algorithm::Crc64nvme, "ae8b14860a799888"),
        ] {
            assert_eq!(hex::encode(&sums.0[&algorithm]), expected, "{algorithm:?}");
        }
        let kept = sums.kept();
        assert_eq!(from_text(&to_text(&kept)), kept);
    }

    #[test]
    fn crcs_of_parts_combine() {
        let bytes: Vec<u8> = (0..100_000u32).map(|i| (i * 7 % 251) as u8).collect();
        for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64nvme] {
            let of = |b: &[u8]| {
                let mut h = Hasher::new([algorithm]);
                h.update(b);
                h.finish().0[&algorithm].clone()
            };
            let parts: Vec<(Vec<u8>, u64)> = bytes.chunks(33_333).map(|p| (of(p), p.len() as u64)).collect();
            let whole = of_parts(algorithm, ChecksumKind::FullObject, &parts).unwrap();
            assert_eq!(whole.value, of(&bytes), "{algorithm:?}");
        }
    }
}
