//! Reads a template from the request itself or from an object in S3, with the caller's permissions.

use crate::{Error, template::Origin};
use bytes::Bytes;
use escale_base::{AwsError, limits::template as limits};
use escale_service::{Body, Kind, StreamCx};
use http_body_util::{BodyExt, Empty};
use serde_json::json;

/// The template's text. The request must have exactly one of `body` and `url`.
pub(crate) async fn template(
    cx: &StreamCx,
    body: Option<String>,
    url: Option<String>,
) -> Result<(String, Origin), Error> {
    match (body, url) {
        (Some(body), None) => Ok((body, Origin::Body)),
        (None, Some(url)) => Ok((object(cx, &url).await?, Origin::File)),
        (Some(_), Some(_)) => {
            Err(Error::invalid("Specify exactly one of 'TemplateBody' and 'TemplateURL', not both"))
        }
        (None, None) => Err(Error::invalid("Either Template URL or Template Body must be specified.")),
    }
}

async fn object(cx: &StreamCx, url: &str) -> Result<String, Error> {
    let (bucket, key, version) = locate(url, &[&cx.config.endpoint, &cx.caller.host]).ok_or_else(|| {
        Error::invalid(format!("TemplateURL must be a supported URL. '{url}' is not a URL of S3"))
    })?;
    let mut input = json!({"Bucket": bucket, "Key": key});
    if let Some(version) = version {
        input["VersionId"] = version.into();
    }
    let entry = cx.cloud.entry("s3", "GetObject").ok_or_else(|| AwsError::no_operation("s3", "GetObject"))?;
    let Kind::Stream(handler) = &entry.kind else { return Err(AwsError::internal().into()) };
    let refused = |e: AwsError| Error::invalid(format!("S3 error: {} ({url}: {})", e.message, e.code));
    let mut inner = cx.clone();
    // The headers belong to the request for CloudFormation, not to the one for S3.
    inner.headers = http::HeaderMap::new();
    // The gate authorizes requests before their handler runs; this call does not pass through it.
    let needs = handler.needs(&input, &inner).map_err(refused)?;
    cx.cloud.authorize(&cx.store.read(), &cx.caller, "s3", entry, &input, &needs).map_err(refused)?;
    let nothing: Body = Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync();
    let reply = handler.run(inner, input, nothing).await.map_err(refused)?;
    let Some(mut body) = reply.body else { return Ok(String::new()) };
    let mut bytes = Vec::new();
    // Checked while it is read: a larger object must not fill the memory.
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| Error::invalid(format!("S3 error: reading {url} failed: {e}")))?;
        bytes.extend_from_slice(frame.data_ref().map_or(&[], |data| &data[..]));
        if bytes.len() > limits::FILE_BYTES {
            let most = limits::FILE_BYTES;
            return Err(Error::invalid(format!(
                "Template may not exceed {most} bytes in size: {url} is larger"
            )));
        }
    }
    String::from_utf8(bytes).map_err(|_| Error::invalid(format!("Template format error: {url} is not UTF-8")))
}

/// Bucket, key and version of an S3 URL, in path style or virtual-host style, with AWS's host names or one of `own`.
fn locate(url: &str, own: &[&str]) -> Option<(String, String, Option<String>)> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let (host, path) = rest.split_once('/')?;
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let decode = |text: &str| escale_base::path::decode_once(text).ok();
    let version = query.split('&').find_map(|q| q.strip_prefix("versionId=")).and_then(decode);
    // Split before decoding, as S3 does: an encoded slash belongs to the key.
    let (bucket, key) = match s3_host(host, own)? {
        "" => path.split_once('/').and_then(|(b, k)| Some((decode(b)?, decode(k)?)))?,
        bucket => (bucket.to_owned(), decode(path)?),
    };
    (!bucket.is_empty() && !key.is_empty()).then_some((bucket, key, version))
}

/// The bucket in the host name; empty for S3's own host, `None` for any other host.
fn s3_host<'a>(host: &'a str, own: &[&str]) -> Option<&'a str> {
    let name = host.split(':').next()?;
    if let Some(inner) = name.strip_suffix(".amazonaws.com").or_else(|| name.strip_suffix(".localhost")) {
        let labels: Vec<&str> = inner.split('.').collect();
        // The last such label: a bucket's name may contain dots and a label `s3`.
        if let Some(at) = labels.iter().rposition(|label| *label == "s3" || label.starts_with("s3-")) {
            let end: usize = labels[..at].iter().map(|label| label.len() + 1).sum();
            return Some(name[..end].trim_end_matches('.'));
        }
    }
    let below = |own: &&&str| host.strip_suffix(**own).filter(|rest| rest.is_empty() || rest.ends_with('.'));
    own.iter().filter(|own| !own.is_empty()).find_map(|own| below(&own)).map(|b| b.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::locate;

    #[test]
    fn finds_bucket_key_and_version_in_urls() {
        let found = |url: &str| {
            locate(url, &["127.0.0.1:4566", "localhost:4566"]).map(|(b, k, v)| (b, k, v.unwrap_or_default()))
        };
        let at = |b: &str, k: &str, v: &str| Some((b.to_owned(), k.to_owned(), v.to_owned()));
        assert_eq!(found("https://s3.eu-west-3.amazonaws.com/b/a/t.yaml"), at("b", "a/t.yaml", ""));
        assert_eq!(found("https://s3.amazonaws.com/b/t.yaml?versionId=7"), at("b", "t.yaml", "7"));
        assert_eq!(found("https://my.b.s3.eu-west-3.amazonaws.com/t%20x"), at("my.b", "t x", ""));
        assert_eq!(found("https://b.s3-eu-west-3.amazonaws.com/t"), at("b", "t", ""));
        assert_eq!(found("http://127.0.0.1:4566/b/t"), at("b", "t", ""));
        assert_eq!(found("http://b.localhost:4566/t"), at("b", "t", ""));
        assert_eq!(found("http://b.s3.localhost:4566/t"), at("b", "t", ""));
        for wrong in [
            "https://example.com/b/t",
            "s3://b/t",
            "https://s3.amazonaws.com/b",
            "https://ec2.amazonaws.com/b/t",
        ] {
            assert_eq!(found(wrong), None, "{wrong}");
        }
    }
}
