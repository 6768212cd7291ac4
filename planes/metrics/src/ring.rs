//! The files of one series: its rings one after the other, each slot at a fixed place. Slots without values are holes.

use crate::{Distribution, RINGS, Summary, distribution::GROUPS};
use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Bytes of a slot: its start in seconds, a checksum, then count, sum, least and greatest value.
const SLOT: usize = 40;

/// Bytes of a slot's distribution: the start, a checksum, then value and count of each group. Seven digits are enough for what is
/// an approximation anyway.
const SPREAD: usize = 8 + 8 * GROUPS;

pub(crate) struct Files {
    slots: File,
    spreads: Option<File>,
    spreads_at: PathBuf,
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

pub(crate) fn slots_path(folder: &Path, id: u64) -> PathBuf {
    folder.join(format!("{id:08}.slots"))
}

pub(crate) fn spreads_path(folder: &Path, id: u64) -> PathBuf {
    folder.join(format!("{id:08}.distributions"))
}

impl Files {
    pub(crate) fn open(folder: &Path, id: u64) -> io::Result<Files> {
        let spreads_at = spreads_path(folder, id);
        let spreads = spreads_at.exists().then(|| open(&spreads_at)).transpose()?;
        Ok(Files { slots: open(&slots_path(folder, id))?, spreads, spreads_at })
    }

    pub(crate) fn has_distributions(&self) -> bool {
        self.spreads.is_some()
    }

    pub(crate) fn begin_distributions(&mut self) -> io::Result<()> {
        self.spreads = Some(open(&self.spreads_at)?);
        Ok(())
    }

    /// Adds values to the slot of each ring that contains the time `at`. A ring that has moved past it is left alone.
    pub(crate) fn add(&self, at: i64, fine: bool, summary: &Summary) -> io::Result<()> {
        for (ring, r) in RINGS.iter().enumerate().skip(usize::from(!fine)) {
            let start = at.div_euclid(r.step_secs) * r.step_secs;
            let place = place(ring, start);
            let mut bytes = [0; SLOT];
            read_at(&self.slots, &mut bytes, place * SLOT as u64)?;
            let total = match decode(&bytes) {
                Some((newer, _)) if newer > start => continue,
                Some((same, mut old)) if same == start => {
                    old.distribution = self.distribution(place, start, &old)?;
                    old.add(summary);
                    old
                }
                _ => summary.clone(),
            };
            // Before the slot: a slot without a distribution is complete, the opposite is not.
            if let (Some(file), Some(distribution)) = (&self.spreads, &total.distribution)
                && total.min != total.max
            {
                file.write_all_at(&encode_spread(start, distribution), place * SPREAD as u64)?;
            }
            self.slots.write_all_at(&encode(start, &total), place * SLOT as u64)?;
        }
        Ok(())
    }

    /// The slots of a ring from one time until another, oldest first.
    pub(crate) fn read(&self, ring: usize, from: i64, until: i64) -> io::Result<Vec<(i64, Summary)>> {
        let r = RINGS[ring];
        let first = from.div_euclid(r.step_secs);
        let count = (until - first * r.step_secs).div_euclid(r.step_secs) + 1;
        // A longer window would read slots twice.
        let (first, count) = match count {
            ..=0 => return Ok(Vec::new()),
            n if n > r.slots => (first + n - r.slots, r.slots),
            n => (first, n),
        };
        let mut bytes = vec![0; count as usize * SLOT];
        // Until the end of the ring, and then from its beginning.
        let until_end = (r.slots - first.rem_euclid(r.slots)).min(count) as usize * SLOT;
        let (one, other) = bytes.split_at_mut(until_end);
        read_at(&self.slots, one, place(ring, first * r.step_secs) * SLOT as u64)?;
        read_at(&self.slots, other, place(ring, 0) * SLOT as u64)?;
        let mut found = Vec::new();
        for (index, bytes) in bytes.chunks_exact(SLOT).enumerate() {
            let start = (first + index as i64) * r.step_secs;
            let Some((own, mut summary)) = decode(bytes) else { continue };
            if own == start {
                summary.distribution = self.distribution(place(ring, start), start, &summary)?;
                found.push((start, summary));
            }
        }
        Ok(found)
    }

    fn distribution(&self, place: u64, start: i64, of: &Summary) -> io::Result<Option<Distribution>> {
        if of.min == of.max {
            return Ok(Some(Distribution::of(of.min, of.count)));
        }
        let Some(file) = &self.spreads else { return Ok(None) };
        let mut bytes = [0; SPREAD];
        read_at(file, &mut bytes, place * SPREAD as u64)?;
        let known = decode_spread(&bytes).filter(|(own, _)| *own == start).map(|(_, d)| d);
        // One of another count is incomplete: some values came as a summary only.
        Ok(known.filter(|d| (d.count() / of.count - 1.0).abs() < 1e-3))
    }
}

/// The number of a slot in the file.
fn place(ring: usize, start: i64) -> u64 {
    let before: i64 = RINGS[..ring].iter().map(|r| r.slots).sum();
    let r = RINGS[ring];
    (before + start.div_euclid(r.step_secs).rem_euclid(r.slots)) as u64
}

/// Reads from a place that may lie behind the end of the file: the rest stays zero.
fn read_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.read_at(bytes, offset)? {
            0 => return Ok(()),
            n => {
                bytes = &mut bytes[n..];
                offset += n as u64;
            }
        }
    }
    Ok(())
}

/// FNV-1a. A slot that a power failure wrote in part is no slot. All zeros, a hole, is none either.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |h, b| (h ^ u32::from(*b)).wrapping_mul(0x0100_0193))
}

/// The start and what belongs to it, with a checksum between them.
fn framed<const N: usize>(start: i64, body: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    // Seconds fit in 32 bits until 2106.
    bytes[..4].copy_from_slice(&(start as u32).to_le_bytes());
    bytes[8..].copy_from_slice(body);
    let sum = checksum(&bytes[..4]) ^ checksum(&bytes[8..]);
    bytes[4..8].copy_from_slice(&sum.to_le_bytes());
    bytes
}

fn unframed(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let (head, body) = bytes.split_at_checked(8)?;
    let word = |at: usize| head.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
    let sum = checksum(head.get(..4)?) ^ checksum(body);
    (word(4)? == sum).then(|| Some((i64::from(word(0)?), body)))?
}

fn encode(start: i64, s: &Summary) -> [u8; SLOT] {
    let mut body = [0; SLOT - 8];
    for (place, value) in body.chunks_exact_mut(8).zip([s.count, s.sum, s.min, s.max]) {
        place.copy_from_slice(&value.to_le_bytes());
    }
    framed(start, &body)
}

pub(crate) fn decode(bytes: &[u8]) -> Option<(i64, Summary)> {
    let (start, body) = unframed(bytes)?;
    let mut values = body.chunks_exact(8).filter_map(|b| b.try_into().ok()).map(f64::from_le_bytes);
    let mut next = || values.next();
    let (count, sum, min, max) = (next()?, next()?, next()?, next()?);
    (count > 0.0).then_some((start, Summary { count, sum, min, max, distribution: None }))
}

fn encode_spread(start: i64, distribution: &Distribution) -> [u8; SPREAD] {
    let mut body = [0; SPREAD - 8];
    for (place, (value, count)) in body.chunks_exact_mut(8).zip(distribution.groups()) {
        place[..4].copy_from_slice(&(*value as f32).to_le_bytes());
        place[4..].copy_from_slice(&(*count as f32).to_le_bytes());
    }
    framed(start, &body)
}

pub(crate) fn decode_spread(bytes: &[u8]) -> Option<(i64, Distribution)> {
    let (start, body) = unframed(bytes)?;
    let number = |b: &[u8]| b.try_into().map(f32::from_le_bytes).map(f64::from).unwrap_or_default();
    let groups = body.chunks_exact(8).map(|b| (number(&b[..4]), number(&b[4..])));
    Some((
        start,
        Distribution::from_counts(groups.filter(|(value, count)| value.is_finite() && *count > 0.0)),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_slots_are_no_slots() {
        let good = encode(60, &Summary::of(7.5));
        assert_eq!(decode(&good).unwrap().0, 60);
        assert!(decode(&[0; SLOT]).is_none());
        for byte in 0..SLOT {
            let mut bad = good;
            bad[byte] ^= 0x41;
            assert!(decode(&bad).is_none(), "byte {byte}");
        }
        let spread = encode_spread(60, &Distribution::from_counts([(1.0, 2.0), (3.0, 1.0)]));
        assert_eq!(decode_spread(&spread).unwrap().1.groups(), [(1.0, 2.0), (3.0, 1.0)]);
        assert!(decode_spread(&[0; SPREAD]).is_none());
        assert!(decode_spread(&spread[..20]).is_none());
    }
}
