//! Lifecycle configurations: checks them, and decides which versions and uploads are removed.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html> and
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html>

use crate::Error;
use escale_base::{Tag, Timestamp, path::percent_encode};
use escale_objects::{Entry, Labels, Upload};
use escale_tables::s3::{LifecycleExpiration, LifecycleFilter, LifecycleRule, LifecycleStatus};
use std::collections::HashSet;

const DAY_MS: i64 = 24 * 3_600_000;
/// AWS's limits.
const RULES_MAX: usize = 1000;
const ID_MAX: usize = 255;
const NEWER_MAX: u32 = 100;

/// Checks a configuration.
pub(crate) fn check(rules: &[LifecycleRule]) -> Result<(), Error> {
    if rules.is_empty() || rules.len() > RULES_MAX {
        return Err(Error::MalformedXml);
    }
    rules.iter().try_for_each(check_rule)?;
    let mut ids = HashSet::new();
    match rules.iter().filter_map(|rule| rule.id.as_ref()).find(|id| !ids.insert(*id)) {
        Some(again) => {
            Err(invalid("ID", again, "Rule ID must be unique. Found same ID for more than one rule"))
        }
        None => Ok(()),
    }
}

fn invalid(name: &'static str, value: &str, why: &str) -> Error {
    Error::InvalidArgument { name, value: value.to_owned(), why: why.to_owned() }
}

fn check_rule(rule: &LifecycleRule) -> Result<(), Error> {
    if rule.prefix.is_some() == rule.filter.is_some() {
        return Err(Error::MalformedXml);
    }
    if let Some(id) = rule.id.as_ref().filter(|id| id.len() > ID_MAX) {
        return Err(invalid("ID", id, "ID length should not exceed allowed limit of 255"));
    }
    if let Some(filter) = &rule.filter {
        check_filter(filter)?;
    }
    let has_actions = rule.expiration.is_some()
        || rule.noncurrent_version_expiration.is_some()
        || rule.abort_incomplete_multipart_upload.is_some()
        || rule.transitions.is_some()
        || rule.noncurrent_version_transitions.is_some();
    if !has_actions {
        return Err(Error::InvalidRequest("At least one action needs to be specified in a rule".into()));
    }
    if let Some(expiration) = &rule.expiration {
        check_expiration(expiration)?;
    }
    let conditions = Conditions::of(rule);
    let marker = rule.expiration.as_ref().and_then(|expiration| expiration.expired_object_delete_marker);
    if marker.is_some() && !conditions.tags.is_empty() {
        let why = "ExpiredObjectDeleteMarker cannot be specified with Tags.";
        return Err(Error::InvalidRequest(why.into()));
    }
    if let Some(noncurrent) = &rule.noncurrent_version_expiration {
        positive("NoncurrentDays", noncurrent.noncurrent_days)?;
        if noncurrent.newer_noncurrent_versions.is_some_and(|newer| !(1..=NEWER_MAX).contains(&newer)) {
            return Err(Error::MalformedXml);
        }
    }
    if let Some(abort) = &rule.abort_incomplete_multipart_upload {
        positive("DaysAfterInitiation", abort.days_after_initiation)?;
        if !conditions.tags.is_empty() || conditions.larger.is_some() || conditions.smaller.is_some() {
            let why = "AbortIncompleteMultipartUpload can only be specified with a filter by prefix";
            return Err(Error::InvalidRequest(why.into()));
        }
    }
    Ok(())
}

/// One condition at most; more of them belong into `And`.
fn check_filter(filter: &LifecycleFilter) -> Result<(), Error> {
    let given = [
        filter.prefix.is_some(),
        filter.tag.is_some(),
        filter.object_size_greater_than.is_some(),
        filter.object_size_less_than.is_some(),
        filter.and.is_some(),
    ];
    if given.iter().filter(|given| **given).count() > 1 { Err(Error::MalformedXml) } else { Ok(()) }
}

fn check_expiration(expiration: &LifecycleExpiration) -> Result<(), Error> {
    match (expiration.date, expiration.days, expiration.expired_object_delete_marker) {
        (Some(date), None, None) if date.0 % DAY_MS != 0 => {
            Err(invalid("Date", &date.iso8601(), "'Date' must be at midnight GMT"))
        }
        (Some(_), None, None) | (None, None, Some(_)) => Ok(()),
        (None, days @ Some(_), None) => positive("Days", days),
        _ => Err(Error::MalformedXml),
    }
}

fn positive(name: &'static str, days: Option<u32>) -> Result<(), Error> {
    match days {
        Some(0) => Err(invalid(name, "0", &format!("'{name}' must be a positive integer"))),
        Some(_) => Ok(()),
        None => Err(Error::MalformedXml),
    }
}

/// The conditions of a rule, from each of the forms that AWS accepts.
#[derive(Default)]
struct Conditions<'a> {
    prefix: &'a str,
    tags: Vec<&'a Tag>,
    larger: Option<u64>,
    smaller: Option<u64>,
}

impl Conditions<'_> {
    fn of(rule: &LifecycleRule) -> Conditions<'_> {
        match &rule.filter {
            None => {
                Conditions { prefix: rule.prefix.as_deref().unwrap_or_default(), ..Conditions::default() }
            }
            Some(LifecycleFilter { and: Some(and), .. }) => Conditions {
                prefix: and.prefix.as_deref().unwrap_or_default(),
                tags: and.tags.iter().flatten().collect(),
                larger: and.object_size_greater_than,
                smaller: and.object_size_less_than,
            },
            Some(filter) => Conditions {
                prefix: filter.prefix.as_deref().unwrap_or_default(),
                tags: filter.tag.iter().collect(),
                larger: filter.object_size_greater_than,
                smaller: filter.object_size_less_than,
            },
        }
    }

    fn apply_to(&self, version: &Version<'_>) -> bool {
        let (entry, size) = (version.entry, version.entry.size_bytes);
        // A delete marker has no tags.
        let tags = self.tags.is_empty() || !entry.is_delete_marker;
        let has = |tag: &&Tag| version.tags.is_none_or(|tags| tags.get(&tag.key) == Some(&tag.value));
        entry.key.starts_with(self.prefix)
            && self.larger.is_none_or(|limit| size > limit)
            && self.smaller.is_none_or(|limit| size < limit)
            && tags
            && self.tags.iter().all(has)
    }
}

fn enabled(rules: &[LifecycleRule]) -> impl Iterator<Item = &LifecycleRule> {
    rules.iter().filter(|rule| rule.status == LifecycleStatus::Enabled)
}

/// Whether the tags of objects must be read.
pub(crate) fn needs_tags(rules: &[LifecycleRule]) -> bool {
    enabled(rules).any(|rule| !Conditions::of(rule).tags.is_empty())
}

/// A version of an object, or a delete marker.
#[derive(Clone, Copy)]
pub(crate) struct Version<'a> {
    pub(crate) entry: &'a Entry,
    /// `None` if they were not read: then every condition on tags holds.
    pub(crate) tags: Option<&'a Labels>,
    /// When the next newer version replaced this one.
    pub(crate) replaced: Option<Timestamp>,
    /// The number of newer versions without the current one.
    pub(crate) newer: usize,
    /// The key has no other version.
    pub(crate) alone: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Removal {
    /// Delete the object as a client does: a versioned bucket gets a delete marker.
    Current,
    /// Remove exactly this version for good.
    Version,
}

/// What the rules do with a version now.
pub(crate) fn removal(rules: &[LifecycleRule], version: Version<'_>, now: Timestamp) -> Option<Removal> {
    let mut matching = enabled(rules).filter(|rule| Conditions::of(rule).apply_to(&version));
    let entry = version.entry;
    match version.replaced {
        Some(replaced) => {
            let expires = |rule: &LifecycleRule| {
                rule.noncurrent_version_expiration.as_ref().is_some_and(|noncurrent| {
                    let kept = noncurrent.newer_noncurrent_versions.unwrap_or(0);
                    version.newer >= usize::try_from(kept).unwrap_or(usize::MAX)
                        && noncurrent.noncurrent_days.is_some_and(|days| is_due(replaced, days, now))
                })
            };
            matching.any(expires).then_some(Removal::Version)
        }
        // A delete marker without other versions hides nothing, and is removed as an object would be.
        None if entry.is_delete_marker => {
            let expires = |rule: &LifecycleRule| {
                rule.expiration.as_ref().is_some_and(|expiration| {
                    expiration.expired_object_delete_marker == Some(true) || expires(expiration, entry, now)
                })
            };
            (version.alone && matching.any(expires)).then_some(Removal::Version)
        }
        None => {
            let expires =
                |rule: &LifecycleRule| rule.expiration.as_ref().is_some_and(|e| expires(e, entry, now));
            matching.any(expires).then_some(Removal::Current)
        }
    }
}

fn expires(expiration: &LifecycleExpiration, entry: &Entry, now: Timestamp) -> bool {
    expiration.date.is_some_and(|date| date <= now)
        || expiration.days.is_some_and(|days| is_due(entry.modified, days, now))
}

/// The header `x-amz-expiration` of a current object: when the first rule removes it.
pub(crate) fn expiration_header(rules: &[LifecycleRule], entry: &Entry, tags: &Labels) -> Option<String> {
    let version = Version { entry, tags: Some(tags), replaced: None, newer: 0, alone: false };
    let matching = enabled(rules).filter(|rule| Conditions::of(rule).apply_to(&version));
    let dated = matching.filter_map(|rule| {
        let expiration = rule.expiration.as_ref()?;
        let by_days = expiration.days.map(|days| end_of(entry.modified, days));
        Some((expiration.date.or(by_days)?, rule.id.as_ref().map_or("", |id| id.as_str())))
    });
    let (date, id) = dated.min_by_key(|(date, _)| *date)?;
    Some(format!("expiry-date=\"{}\", rule-id=\"{}\"", date.http_date(), percent_encode(id)))
}

/// Whether the rules abort a multipart upload now.
pub(crate) fn aborts(rules: &[LifecycleRule], upload: &Upload, now: Timestamp) -> bool {
    enabled(rules).filter(|rule| upload.key.starts_with(Conditions::of(rule).prefix)).any(|rule| {
        let days =
            rule.abort_incomplete_multipart_upload.as_ref().and_then(|abort| abort.days_after_initiation);
        days.is_some_and(|days| is_due(upload.started, days, now))
    })
}

/// As on AWS, days end at the next midnight UTC.
fn end_of(since: Timestamp, days: u32) -> Timestamp {
    let end = since.plus_ms(i64::from(days) * DAY_MS);
    if end.0.rem_euclid(DAY_MS) == 0 { end } else { next_midnight(end) }
}

fn is_due(since: Timestamp, days: u32, now: Timestamp) -> bool {
    end_of(since, days) <= now
}

pub(crate) fn next_midnight(at: Timestamp) -> Timestamp {
    Timestamp((at.0.div_euclid(DAY_MS) + 1) * DAY_MS)
}

#[cfg(test)]
mod tests;
