//! Checks that several operations share.

use crate::Error;
use crate::choices::EncodingType;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use escale_base::{AwsError, wire::Value};
use escale_objects::ByteRange;
use escale_service::{Cx, StreamCx};
use escale_tables::s3::{Bucket, BucketName};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::sync::Arc;

/// The only region without a location constraint.
pub(crate) const UNCONSTRAINED_REGION: &str = "us-east-1";

pub(crate) fn bucket_arn(bucket: &BucketName) -> String {
    format!("arn:aws:s3:::{bucket}")
}

/// The condition keys of a listing: its parameters.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html>
pub(crate) fn listing_keys(
    prefix: Option<&str>,
    delimiter: Option<&str>,
    max_keys: Option<i64>,
) -> Vec<(&'static str, String)> {
    let prefix = prefix.map(|prefix| ("s3:prefix", prefix.to_owned()));
    let delimiter = delimiter.map(|delimiter| ("s3:delimiter", delimiter.to_owned()));
    let max_keys = max_keys.map(|max| ("s3:max-keys", max.to_string()));
    prefix.into_iter().chain(delimiter).chain(max_keys).collect()
}

pub(crate) fn object_arn(bucket: &BucketName, key: &str) -> String {
    format!("arn:aws:s3:::{bucket}/{key}")
}

/// The row of a bucket, for operations on its configuration.
pub(crate) fn bucket(
    cx: &Cx<'_>,
    name: &BucketName,
    expected_owner: Option<&str>,
) -> Result<Arc<Bucket>, Error> {
    if expected_owner.is_some_and(|owner| owner != cx.config.account) {
        return Err(Error::Denied);
    }
    crate::buckets::row(cx.tx, name)
}

/// Changes the row of a bucket.
pub(crate) fn update(
    cx: &mut Cx<'_>,
    name: &BucketName,
    expected_owner: Option<&str>,
    change: impl FnOnce(&mut Bucket),
) -> Result<(), Error> {
    bucket(cx, name, expected_owner)?;
    cx.tx.update::<Bucket, ()>(name, change);
    Ok(())
}

/// Authorizes an action that a request needs in addition to its operation's own.
pub(crate) fn allowed(
    cx: &StreamCx,
    action: &str,
    operation: &str,
    bucket: &BucketName,
    arn: String,
) -> Result<(), AwsError> {
    let input = Value::Object([("Bucket".to_owned(), Value::from(bucket.as_str()))].into_iter().collect());
    let image = cx.store.read();
    cx.cloud.authorize_action(&image, &cx.caller, "s3", (action, operation), &input, &[arn], &[])
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
pub(crate) fn bucket_name(name: &BucketName) -> Result<(), Error> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-';
    let alphanumeric = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = name.as_bytes();
    let is_valid = (3..=63).contains(&bytes.len())
        && bytes.iter().all(|b| allowed(*b))
        && alphanumeric(bytes.first())
        && alphanumeric(bytes.last())
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err()
        && !name.starts_with("xn--")
        && !name.starts_with("sthree-")
        && !name.ends_with("-s3alias")
        && !name.ends_with("--ol-s3");
    if is_valid { Ok(()) } else { Err(Error::InvalidBucketName(name.clone())) }
}

/// Parses `bytes=0-9`. An invalid range is ignored (RFC 9110, 14.2), and so is a list of ranges.
pub(crate) fn range(header: Option<&str>) -> Option<ByteRange> {
    let (first, last) = header?.trim().strip_prefix("bytes=")?.split_once('-')?;
    let number = |t: &str| t.trim().parse::<u64>().ok();
    match (first.trim(), last.trim()) {
        ("", last) => number(last).map(ByteRange::Last),
        (first, "") => number(first).map(ByteRange::From),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(ByteRange::Between(first, last))
        }
    }
}

/// Encodes a position in a list as an opaque continuation token.
pub(crate) fn token(position: &str) -> String {
    URL_SAFE_NO_PAD.encode(position)
}

pub(crate) fn decode_token(token: &str) -> Result<String, Error> {
    let decoded = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.ok_or_else(|| Error::InvalidArgument {
        name: "continuation-token",
        value: token.to_owned(),
        why: "The continuation token provided is incorrect".into(),
    })
}

/// The characters that `encoding-type=url` does not encode.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*').remove(b'/');

/// How a list writes names: as they are, or URL-encoded if the client requests it.
#[derive(Clone, Copy)]
pub(crate) struct Encoding(bool);

impl Encoding {
    pub(crate) fn of(requested: Option<EncodingType>) -> Encoding {
        Encoding(requested == Some(EncodingType::Url))
    }

    pub(crate) fn write(self, text: &str) -> String {
        if self.0 { utf8_percent_encode(text, PLAIN).to_string() } else { text.to_owned() }
    }

    pub(crate) fn write_some(self, text: Option<&str>) -> Option<String> {
        text.map(|t| self.write(t))
    }
}

/// The size of a page. As AWS does, it caps the size at 1,000 and refuses negative numbers.
pub(crate) fn page_size(name: &'static str, requested: Option<i64>) -> Result<usize, Error> {
    let requested = requested.unwrap_or(escale_objects::PAGE as i64);
    let size = usize::try_from(requested).map_err(|_| Error::InvalidArgument {
        name,
        value: requested.to_string(),
        why: format!("Argument {name} must be an integer between 0 and 2147483647"),
    })?;
    Ok(size.min(escale_objects::PAGE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_bucket_names() {
        for good in ["abc", "my.bucket-1", "123"] {
            assert!(bucket_name(&good.into()).is_ok(), "{good}");
        }
        for bad in ["ab", "Abc", "-ab", "ab-", "a..b", "192.168.1.1", "a_b", "xn--abc", &"a".repeat(64)] {
            assert!(bucket_name(&bad.into()).is_err(), "{bad}");
        }
    }

    #[test]
    fn ignores_invalid_ranges() {
        assert_eq!(range(Some("bytes=0-9")), Some(ByteRange::Between(0, 9)));
        assert_eq!(range(Some("bytes=5-")), Some(ByteRange::From(5)));
        assert_eq!(range(Some("bytes=-5")), Some(ByteRange::Last(5)));
        for ignored in ["bytes=5-2", "lines=1-2", "bytes=a-b", "bytes=0-1,4-5"] {
            assert_eq!(range(Some(ignored)), None, "{ignored}");
        }
    }

    #[test]
    fn url_encodes_names() {
        let url = Encoding::of(Some(EncodingType::Url));
        assert_eq!(url.write("a b/ü+\u{1}"), "a%20b/%C3%BC%2B%01");
    }
}
