//! Preconditions of requests (RFC 9110, 13), as S3 combines them.

use crate::{Error, rules};
use escale_base::{AwsError, Timestamp};
use escale_objects::{Condition, Entry};
use escale_service::StreamCx;
use escale_tables::s3::BucketName;

#[derive(Default)]
pub(crate) struct Conditions<'a> {
    pub if_match: Option<&'a str>,
    pub if_none_match: Option<&'a str>,
    pub if_modified_since: Option<Timestamp>,
    pub if_unmodified_since: Option<Timestamp>,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    Go,
    /// The client's copy is current: 304.
    NotModified,
}

impl Conditions<'_> {
    /// `If-Match` takes precedence over `If-Unmodified-Since`, and `If-None-Match` over `If-Modified-Since`.
    pub(crate) fn check(&self, object: &Entry) -> Result<Verdict, Error> {
        // Times are compared in seconds, the resolution of HTTP dates.
        match (self.if_match, self.if_unmodified_since) {
            (Some(tags), _) if !names(tags, &object.etag) => return Err(Error::Precondition("If-Match")),
            (None, Some(at)) if object.modified.secs() > at.secs() => {
                return Err(Error::Precondition("If-Unmodified-Since"));
            }
            _ => {}
        }
        match (self.if_none_match, self.if_modified_since) {
            (Some(tags), _) if names(tags, &object.etag) => Ok(Verdict::NotModified),
            (None, Some(at)) if object.modified.secs() <= at.secs() => Ok(Verdict::NotModified),
            _ => Ok(Verdict::Go),
        }
    }
}

fn names(tags: &str, etag: &str) -> bool {
    tags.split(',').map(str::trim).any(|tag| tag == "*" || bare(tag) == etag)
}

/// An etag without its quotes and its `W/`.
pub(crate) fn bare(tag: &str) -> &str {
    tag.trim().trim_start_matches("W/").trim_matches('"')
}

/// The precondition of a write: `If-None-Match: *` or `If-Match: <etag>`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>
pub(crate) fn of_write(if_match: Option<&str>, if_none_match: Option<&str>) -> Result<Condition, Error> {
    match (if_match, if_none_match) {
        (None, None) => Ok(Condition::None),
        (None, Some("*")) => Ok(Condition::Absent),
        (None, Some(_)) => {
            Err(AwsError::not_supported("A value of If-None-Match other than '*'").hint("Use '*'.").into())
        }
        (Some("*"), None) => {
            Err(AwsError::not_supported("The value '*' of If-Match on a write").hint("Use an ETag.").into())
        }
        (Some(tag), None) => Ok(Condition::Etag(bare(tag).to_owned())),
        (Some(_), Some(_)) => Err(AwsError::not_supported("If-Match together with If-None-Match")
            .hint("Use one of the two headers.")
            .into()),
    }
}

/// The precondition of a delete: an etag, or `*` for any object.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html>
pub(crate) fn of_delete(if_match: Option<&str>) -> Condition {
    match if_match.map(str::trim) {
        None => Condition::None,
        Some("*") => Condition::Present,
        Some(tag) => Condition::Etag(bare(tag).to_owned()),
    }
}

/// A condition on an etag reveals the object's etag, so AWS also requires `s3:GetObject`.
pub(crate) fn allowed(
    cx: &StreamCx,
    operation: &str,
    (bucket, key): (&BucketName, &str),
    condition: &Condition,
) -> Result<(), AwsError> {
    match condition {
        Condition::Etag(_) => {
            rules::allowed(cx, "s3:GetObject", operation, bucket, rules::object_arn(bucket, key))
        }
        Condition::None | Condition::Absent | Condition::Present => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use escale_objects::{Checksums, VersionId};

    fn check(conditions: Conditions<'_>, expected: Result<Verdict, &str>) {
        let object = Entry {
            key: "k".into(),
            version: VersionId::null(),
            is_latest: true,
            is_delete_marker: false,
            size_bytes: 1,
            etag: "abc".into(),
            modified: Timestamp(10_500),
            checksums: Checksums::new(),
        };
        let found = conditions.check(&object).map_err(|e| match e {
            Error::Precondition(which) => which,
            _ => "another",
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn preconditions_combine_as_in_rfc_9110() {
        let early = Some(Timestamp(9_000));
        let late = Some(Timestamp(11_000));
        let none = Conditions::default;
        check(none(), Ok(Verdict::Go));
        check(Conditions { if_match: Some("\"abc\""), ..none() }, Ok(Verdict::Go));
        check(Conditions { if_match: Some("\"x\", \"abc\""), ..none() }, Ok(Verdict::Go));
        check(Conditions { if_match: Some("\"x\""), ..none() }, Err("If-Match"));
        check(Conditions { if_unmodified_since: early, ..none() }, Err("If-Unmodified-Since"));
        check(Conditions { if_match: Some("abc"), if_unmodified_since: early, ..none() }, Ok(Verdict::Go));
        check(Conditions { if_none_match: Some("*"), ..none() }, Ok(Verdict::NotModified));
        check(Conditions { if_modified_since: late, ..none() }, Ok(Verdict::NotModified));
        check(Conditions { if_none_match: Some("x"), if_modified_since: late, ..none() }, Ok(Verdict::Go));
        // HTTP dates have no fractions of a second.
        check(Conditions { if_modified_since: Some(Timestamp(10_000)), ..none() }, Ok(Verdict::NotModified));
    }
}
