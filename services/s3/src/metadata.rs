//! The data that a client stores with an object: headers, user metadata, tags; and the parameters that are refused.

use crate::Error;
use crate::choices::{ObjectCannedAcl, ServerSideEncryption, StorageClass};
use crate::website::serve::REDIRECT;
use escale_base::{AwsError, Tag};
use escale_objects::{Labels, Meta};
use percent_encoding::percent_decode_str;
use std::collections::BTreeMap;

/// S3's limit on the tags of an object.
const OBJECT_TAGS: usize = 10;
/// S3's limit on user metadata, names and values together.
const METADATA_BYTES: usize = 2048;

/// Declares a shape with more fields: the headers that describe an object, and the parameters of every upload.
macro_rules! with_metadata {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($(#[$fmeta:meta])* $fvis:vis $field:ident: $ty:ty),* $(,)? }) => {
        $(#[$meta])*
        #[derive(::escale_base::Wire)]
        $vis struct $name {
            $($(#[$fmeta])* $fvis $field: $ty,)*
            cache_control: Option<String>,
            content_disposition: Option<String>,
            content_encoding: Option<String>,
            content_language: Option<String>,
            content_type: Option<String>,
            expires: Option<String>,
            website_redirect_location: Option<String>,
            metadata: ::std::collections::BTreeMap<String, String>,
            storage_class: Option<$crate::choices::StorageClass>,
            server_side_encryption: Option<$crate::choices::ServerSideEncryption>,
            #[wire("ACL")]
            acl: Option<$crate::choices::ObjectCannedAcl>,
            tagging: Option<String>,
        }
        impl $name {
            /// The condition keys of an upload, from its headers.
            fn condition_keys(&self) -> ::std::vec::Vec<(&'static str, ::std::string::String)> {
                let acl = self.acl.map(|acl| ("s3:x-amz-acl", acl.to_string()));
                let encryption = self.server_side_encryption.map(|e| ("s3:x-amz-server-side-encryption", e.to_string()));
                acl.into_iter().chain(encryption).collect()
            }

            /// Moves the fields that describe the object out of the input.
            fn meta(&mut self) -> Result<::escale_objects::Meta, $crate::Error> {
                $crate::metadata::refuse(self.storage_class, self.server_side_encryption, self.acl)?;
                $crate::metadata::meta(
                    [
                        ("cache-control", self.cache_control.take()),
                        ("content-disposition", self.content_disposition.take()),
                        ("content-encoding", self.content_encoding.take()),
                        ("content-language", self.content_language.take()),
                        ("content-type", self.content_type.take()),
                        ("expires", self.expires.take()),
                        ($crate::website::serve::REDIRECT, self.website_redirect_location.take()),
                    ],
                    ::std::mem::take(&mut self.metadata),
                )
            }
        }
    };
}
pub(crate) use with_metadata;

pub(crate) fn meta(
    headers: [(&str, Option<String>); 7],
    user: BTreeMap<String, String>,
) -> Result<Meta, Error> {
    let size: usize = user.iter().map(|(k, v)| k.len() + v.len()).sum();
    if size > METADATA_BYTES {
        let why = "Your metadata headers exceed the maximum allowed metadata size";
        return Err(Error::InvalidArgument { name: "Metadata", value: size.to_string(), why: why.into() });
    }
    let location = headers.iter().find(|(name, _)| *name == REDIRECT).and_then(|(_, value)| value.as_deref());
    let is_location =
        |to: &str| to.starts_with('/') || to.starts_with("http://") || to.starts_with("https://");
    if let Some(odd) = location.filter(|to| !is_location(to)) {
        let why = "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.";
        let name = "x-amz-website-redirect-location";
        return Err(Error::InvalidArgument { name, value: odd.to_owned(), why: why.into() });
    }
    let kept = headers.into_iter().filter_map(|(name, value)| {
        let value = value?;
        let value = if name == "content-encoding" { without_framing(&value) } else { value };
        (!value.is_empty()).then(|| (name.to_owned(), value))
    });
    Ok(Meta { headers: kept.collect(), user })
}

/// Removes `aws-chunked`, which describes the transfer and not the object.
fn without_framing(encodings: &str) -> String {
    let kept = encodings.split(',').map(str::trim).filter(|e| !e.eq_ignore_ascii_case("aws-chunked"));
    kept.collect::<Vec<_>>().join(",")
}

/// Refuses the values that Escale does not support.
pub(crate) fn refuse(
    storage_class: Option<StorageClass>,
    encryption: Option<ServerSideEncryption>,
    acl: Option<ObjectCannedAcl>,
) -> Result<(), Error> {
    if let Some(class) = storage_class.filter(|c| *c != StorageClass::Standard) {
        return Err(AwsError::not_supported(format_args!("The storage class {class}"))
            .hint("Use STANDARD.")
            .into());
    }
    let is_recorded =
        |e: &ServerSideEncryption| matches!(e, ServerSideEncryption::Aes256 | ServerSideEncryption::AwsKms);
    if let Some(encryption) = encryption.filter(|e| !is_recorded(e)) {
        return Err(AwsError::not_supported(format_args!("The server-side encryption {encryption}"))
            .hint("Use AES256 or aws:kms.")
            .into());
    }
    // Buckets are BucketOwnerEnforced. As on AWS, they accept only the two ACLs that grant the owner full control.
    match acl {
        None | Some(ObjectCannedAcl::Private | ObjectCannedAcl::BucketOwnerFullControl) => Ok(()),
        Some(_) => Err(Error::AclsNotSupported),
    }
}

/// Parses the header `x-amz-tagging`: `a=b&c=d`.
pub(crate) fn tags_of_header(text: Option<&str>) -> Result<Labels, Error> {
    // The header has the form of a query, in which `+` is a space.
    let decode = |t: &str| {
        percent_decode_str(&t.replace('+', " ")).decode_utf8().map(|t| t.into_owned()).map_err(|_| {
            Error::InvalidArgument {
                name: "x-amz-tagging",
                value: t.to_owned(),
                why: "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters \
                      without tag name duplicates."
                    .into(),
            }
        })
    };
    let pairs = text.unwrap_or_default().split('&').filter(|p| !p.is_empty());
    let tags: Result<Vec<Tag>, Error> = pairs
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok(Tag::new(decode(key)?, decode(value)?))
        })
        .collect();
    object_tags(tags?)
}

pub(crate) fn object_tags(tags: Vec<Tag>) -> Result<Labels, Error> {
    if tags.len() > OBJECT_TAGS {
        return Err(Error::InvalidTag(format!("Object tags cannot be greater than {OBJECT_TAGS}")));
    }
    check_tags(&tags)?;
    Ok(tags.into_iter().map(|t| (t.key, t.value)).collect())
}

/// S3's limit on the tags of a bucket.
const BUCKET_TAGS: usize = 50;

pub(crate) fn check_bucket_tags(tags: &[Tag]) -> Result<(), Error> {
    if tags.len() > BUCKET_TAGS {
        return Err(Error::InvalidTag(format!("Bucket tag count cannot be greater than {BUCKET_TAGS}")));
    }
    check_tags(tags)
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html>
pub(crate) fn check_tags(tags: &[Tag]) -> Result<(), Error> {
    for (i, tag) in tags.iter().enumerate() {
        if tag.key.is_empty() || tag.key.chars().count() > 128 {
            return Err(Error::InvalidTag("The TagKey you have provided is invalid".into()));
        }
        if tag.value.chars().count() > 256 {
            return Err(Error::InvalidTag("The TagValue you have provided is invalid".into()));
        }
        if tags[..i].iter().any(|other| other.key == tag.key) {
            return Err(Error::InvalidTag("Cannot provide multiple Tags with the same key".into()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aws_chunked_is_not_stored() {
        assert_eq!(without_framing("aws-chunked"), "");
        assert_eq!(without_framing("gzip, aws-chunked"), "gzip");
        assert_eq!(without_framing("br"), "br");
    }

    #[test]
    fn parses_tags_of_the_header() {
        let tags = tags_of_header(Some("a=b%20c&d=&e+f=g")).unwrap();
        let expected = [("a", "b c"), ("d", ""), ("e f", "g")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(tags, Labels::from(expected));
        assert!(tags_of_header(Some("a=1&a=2")).is_err());
        let many: Vec<String> = (0..11).map(|i| format!("k{i}=v")).collect();
        assert!(tags_of_header(Some(&many.join("&"))).is_err());
    }
}
