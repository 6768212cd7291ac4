//! Checks that several operations share.

use crate::Error;
use crate::choices::EncodingType;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use escale_base::{AwsError, wire::Value};
use escale_objects::ByteRange;
use escale_service::{Cx, StreamCx};
use escale_tables::s3::Bucket;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::sync::Arc;

/// The region that goes without saying: a bucket's location has no word for it.
pub(crate) const UNSPOKEN_REGION: &str = "us-east-1";

pub(crate) fn bucket_arn(bucket: &str) -> String {
    format!("arn:aws:s3:::{bucket}")
}

pub(crate) fn object_arn(bucket: &str, key: &str) -> String {
    format!("arn:aws:s3:::{bucket}/{key}")
}

/// The row, for operations on configuration.
pub(crate) fn bucket(cx: &Cx<'_>, name: &str, expected_owner: Option<&str>) -> Result<Arc<Bucket>, Error> {
    if expected_owner.is_some_and(|owner| owner != cx.config.account) {
        return Err(Error::Denied);
    }
    crate::buckets::row(cx.tx, name)
}

/// Changes the row of a bucket.
pub(crate) fn update(
    cx: &mut Cx<'_>,
    name: &str,
    expected_owner: Option<&str>,
    change: impl FnOnce(&mut Bucket),
) -> Result<(), Error> {
    bucket(cx, name, expected_owner)?;
    cx.tx.update::<Bucket, ()>(name, change);
    Ok(())
}

/// May the caller do this as well? For what a request needs beyond its operation's own action.
pub(crate) fn allowed(
    cx: &StreamCx,
    action: &str,
    operation: &str,
    bucket: &str,
    arn: String,
) -> Result<(), AwsError> {
    let input = Value::Object([("Bucket".to_owned(), Value::from(bucket))].into_iter().collect());
    let image = cx.store.read();
    cx.cloud.authorize_action(&image, &cx.caller, "s3", (action, operation), &input, &[arn])
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
pub(crate) fn bucket_name(name: &str) -> Result<(), Error> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-';
    let alphanumeric = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = name.as_bytes();
    let good = (3..=63).contains(&bytes.len())
        && bytes.iter().all(|b| allowed(*b))
        && alphanumeric(bytes.first())
        && alphanumeric(bytes.last())
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err()
        && !name.starts_with("xn--")
        && !name.starts_with("sthree-")
        && !name.ends_with("-s3alias")
        && !name.ends_with("--ol-s3");
    if good { Ok(()) } else { Err(Error::InvalidBucketName(name.to_owned())) }
}

/// `bytes=0-9`. What is no such range is ignored (RFC 9110, 14.2), and so are several.
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

/// A place in a list as a token that clients only hand back.
pub(crate) fn token(place: &str) -> String {
    URL_SAFE_NO_PAD.encode(place)
}

pub(crate) fn place(token: &str) -> Result<String, Error> {
    let decoded = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.ok_or_else(|| Error::InvalidArgument {
        name: "continuation-token",
        value: token.to_owned(),
        why: "The continuation token provided is incorrect".into(),
    })
}

/// What `encoding-type=url` leaves as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*').remove(b'/');

/// How names are written in a list: as they are, or encoded where the client asked for it.
#[derive(Clone, Copy)]
pub(crate) struct Encoding(bool);

impl Encoding {
    pub(crate) fn of(asked: Option<EncodingType>) -> Encoding {
        Encoding(asked == Some(EncodingType::Url))
    }

    pub(crate) fn write(self, text: &str) -> String {
        if self.0 { utf8_percent_encode(text, PLAIN).to_string() } else { text.to_owned() }
    }

    pub(crate) fn write_some(self, text: Option<&str>) -> Option<String> {
        text.map(|t| self.write(t))
    }
}

/// The size of a page: AWS cuts at 1,000 and refuses negatives.
pub(crate) fn page_size(name: &'static str, asked: Option<i64>) -> Result<usize, Error> {
    let asked = asked.unwrap_or(escale_objects::PAGE as i64);
    let size = usize::try_from(asked).map_err(|_| Error::InvalidArgument {
        name,
        value: asked.to_string(),
        why: format!("Argument {name} must be an integer between 0 and 2147483647"),
    })?;
    Ok(size.min(escale_objects::PAGE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_names() {
        for good in ["abc", "my.bucket-1", "123"] {
            assert!(bucket_name(good).is_ok(), "{good}");
        }
        for bad in ["ab", "Abc", "-ab", "ab-", "a..b", "192.168.1.1", "a_b", "xn--abc", &"a".repeat(64)] {
            assert!(bucket_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ranges() {
        assert_eq!(range(Some("bytes=0-9")), Some(ByteRange::Between(0, 9)));
        assert_eq!(range(Some("bytes=5-")), Some(ByteRange::From(5)));
        assert_eq!(range(Some("bytes=-5")), Some(ByteRange::Last(5)));
        for ignored in ["bytes=5-2", "lines=1-2", "bytes=a-b", "bytes=0-1,4-5"] {
            assert_eq!(range(Some(ignored)), None, "{ignored}");
        }
    }

    #[test]
    fn encoding() {
        let url = Encoding::of(Some(EncodingType::Url));
        assert_eq!(url.write("a b/ü+\u{1}"), "a%20b/%C3%BC%2B%01");
    }
}
