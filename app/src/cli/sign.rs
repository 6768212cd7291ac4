//! `escale sign`: prints a CloudFront signed URL for a private file.
//!
//! Source: <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-canned-policy.html>

use super::{Output, application::Application, client::Client, up};
use crate::{home::Home, settings::Settings};
use anyhow::{Context, Result, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use clap::Args;
use escale_base::{
    Clock,
    glob::{Glob, One},
    path::RawPath,
};
use escale_wire::Element;
use http::Method;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use rsa::{Pkcs1v15Sign, RsaPrivateKey};
use serde_json::json;
use sha1::Digest;
use std::collections::BTreeMap;

/// The characters that a URL may not contain unencoded (RFC 3986, section 2). `%` is not among them: a path that is encoded
/// already stays as it is.
const NEVER_SENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

#[derive(Args)]
pub(crate) struct Sign {
    /// The file's path or full URL: /media/cat.png
    path: String,
    /// How long the URL is valid: 30s, 10m, 2h, 7d.
    #[arg(long, default_value = "1h", value_parser = seconds, allow_hyphen_values = true)]
    expires: i64,
    /// The application, if several are deployed.
    #[arg(long)]
    app: Option<String>,
}

pub(crate) async fn run(home: &Home, out: &Output, sign: &Sign) -> Result<()> {
    let application = Application::find(home, sign.app.as_deref())?;
    let client = Client::new(home, &Settings::of(home)?);
    let outputs = outputs(&client, &application).await?;
    let is_url = sign.path.starts_with("http://") || sign.path.starts_with("https://");
    let url = if is_url {
        sign.path.clone()
    } else {
        format!("{}/{}", application.url, sign.path.trim_start_matches('/'))
    };
    // The signature covers the URL as clients send it, and they send these characters encoded.
    let url = utf8_percent_encode(&url, NEVER_SENT).to_string();
    refuse_what_is_not_private(&client, &application, &outputs, &url).await?;
    let key = up::private_key(home, &application.stack)?;
    let key_id = outputs.get("CdnKeyId").with_context(|| no_private_bucket(&application))?;
    let expires = Clock::machine().now().secs().checked_add(sign.expires);
    let expires = expires.with_context(|| {
        format!(
            "--expires is too long: {} seconds from now cannot be represented. Pass a shorter time",
            sign.expires
        )
    })?;
    let signed = signed_url(&url, expires, &key, key_id)?;
    out.say(&signed, &json!({"url": signed, "expires": expires}));
    Ok(())
}

/// A URL with a signature of CloudFront's: <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-canned-policy.html>
pub(super) fn signed_url(url: &str, expires: i64, key: &RsaPrivateKey, key_id: &str) -> Result<String> {
    let policy = format!(
        r#"{{"Statement":[{{"Resource":"{url}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{expires}}}}}}}]}}"#
    );
    // CloudFront's signed URLs use SHA-1.
    let hashed = sha1::Sha1::digest(policy.as_bytes());
    let signature =
        key.sign(Pkcs1v15Sign::new::<sha1::Sha1>(), &hashed).with_context(|| format!("cannot sign {url}"))?;
    let signature = STANDARD.encode(signature).replace('+', "-").replace('=', "_").replace('/', "~");
    let mark = if url.contains('?') { '&' } else { '?' };
    Ok(format!("{url}{mark}Expires={expires}&Signature={signature}&Key-Pair-Id={key_id}"))
}

async fn outputs(client: &Client, application: &Application) -> Result<BTreeMap<String, String>> {
    let stack = &application.stack;
    let found = up::describe(client, stack).await?.with_context(|| {
        format!("the stack {stack} does not exist. Run `escale up` to deploy {}", application.app)
    })?;
    let outputs = found.list("Outputs").iter();
    Ok(outputs.map(|o| (o.text_of("OutputKey").to_owned(), o.text_of("OutputValue").to_owned())).collect())
}

/// Refuses paths that need no signature, and other sites' URLs: a signature for these has no effect, so the path is a mistake.
async fn refuse_what_is_not_private(
    client: &Client,
    application: &Application,
    outputs: &BTreeMap<String, String>,
    url: &str,
) -> Result<()> {
    let id = outputs.get("DistributionId").with_context(|| {
        format!(
            "{} has no CloudFront distribution yet, because its stack is not complete. Run `escale up` first",
            application.app
        )
    })?;
    let path = format!("/2020-05-31/distribution/{id}/config");
    let answer = client.rest("cloudfront", Method::GET, &path, &[], Bytes::new()).await?;
    let config = Element::parse(&answer.body)?;
    let config = config
        .find("DistributionConfig")
        .context("CloudFront's response to GetDistributionConfig has no DistributionConfig")?;
    let behaviours = config.child("CacheBehaviors").map_or(&[][..], |b| b.list("Items"));
    let private: Vec<&str> =
        behaviours.iter().filter(|b| is_private(b)).map(|b| b.text_of("PathPattern")).collect();
    if private.is_empty() {
        bail!(no_private_bucket(application));
    }
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let host = |authority: &str| authority.split(':').next().unwrap_or_default().to_owned();
    let domain = outputs.get("DistributionDomain").map_or("", String::as_str);
    let site = application.url.split_once("://").map_or("", |(_, rest)| rest);
    if ![host(site), host(domain)].contains(&host(authority)) {
        bail!(
            "{url} is not a URL of {0}. Pass a path, or a URL that starts with {1}",
            application.app,
            application.url
        );
    }
    let path = RawPath::new(path.split('?').next().unwrap_or_default());
    let (path, matched) = (path.as_str(), path.collapsed());
    // As in CloudFront, the first cache behaviour whose pattern matches serves the path, and a leading slash in a pattern has
    // no meaning.
    let bare = |path: &str| path.strip_prefix('/').unwrap_or(path).to_owned();
    let serves = |b: &&Element| CLOUDFRONT.matches(&bare(b.text_of("PathPattern")), &bare(matched.as_str()));
    if !behaviours.iter().find(serves).is_some_and(is_private) {
        let path = if path.is_empty() { "/" } else { path };
        bail!(
            "{path} is not private, so it needs no signature. The private paths are: {}",
            private.join(", ")
        );
    }
    Ok(())
}

fn is_private(behaviour: &Element) -> bool {
    behaviour.child("TrustedKeyGroups").is_some_and(|groups| groups.text_of("Enabled") == "true")
}

fn no_private_bucket(application: &Application) -> String {
    format!(
        "{} has no private files to sign: no bucket of its manifest has `signed: true`. Set it and deploy again",
        application.app
    )
}

/// Source: <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/DownloadDistValuesCacheBehavior.html>
const CLOUDFRONT: Glob = Glob { one: One::Byte, ignore_case: false, escape: false };

/// Parses a duration of at least one second.
fn seconds(text: &str) -> Result<i64> {
    const FORM: &str = "is not a duration. Write it like 30s, 10m, 2h or 7d";
    let (number, unit) = text.split_at(text.len() - text.chars().next_back().map_or(0, char::len_utf8));
    let unit: i64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => bail!("'{text}' {FORM}"),
    };
    let span = number.parse::<i64>().ok().and_then(|n| n.checked_mul(unit));
    span.filter(|s| *s > 0).with_context(|| format!("'{text}' {FORM}"))
}

#[cfg(test)]
mod tests {
    use super::{NEVER_SENT, seconds, utf8_percent_encode};

    #[test]
    fn encodes_urls_as_clients_send_them() {
        let sent = |url: &str| utf8_percent_encode(url, NEVER_SENT).to_string();
        assert_eq!(sent("http://shop/media/a b+ü.png?v=1&w=2"), "http://shop/media/a%20b+%C3%BC.png?v=1&w=2");
        assert_eq!(sent("http://shop/media/a%20b%2B100%25.png"), "http://shop/media/a%20b%2B100%25.png");
    }

    #[test]
    fn parses_durations_or_refuses_them() {
        for (text, expected) in [("30s", 30), ("10m", 600), ("2h", 7200), ("7d", 604_800)] {
            assert_eq!(seconds(text).unwrap(), expected);
        }
        for bad in [
            "",
            "s",
            "10",
            "0s",
            "-1h",
            "1.5h",
            "1w",
            "5\u{fc}",
            "9223372036854775807d",
            "99999999999999999999s",
        ] {
            assert!(seconds(bad).unwrap_err().to_string().contains("is not a duration"), "{bad}");
        }
    }
}
