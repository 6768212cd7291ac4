//! Standard logs of distributions: files in a bucket of the account, as AWS delivers them.
//!
//! As on AWS, delivery is best effort.
//!
//! Source: <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logs-reference.html>

use crate::check::bucket_of;
use bytes::Bytes;
use escale_base::{AwsError, ids, path::percent_encode};
use escale_cdn::{Cdn, Visit};
use escale_requests::s3::PutObject;
use escale_service::{Body, Caller, Cloud, request_with_body};
use escale_store::{Row, Store};
use escale_tables::{
    cloudfront::{Distribution, Logging},
    s3::{Bucket, ObjectOwnership},
};
use flate2::{Compression, write::GzEncoder};
use http_body_util::{BodyExt, Full};
use std::{collections::BTreeMap, convert::Infallible, io::Write, sync::Arc, time::Duration};

/// The service principal of the delivery.
const PRINCIPAL: &str = "delivery.logs.amazonaws.com";

/// How long requests are collected for one file. AWS takes up to an hour.
const COLLECT: Duration = Duration::from_secs(5);

/// Records that are taken at once.
const RECORDS: usize = 10_000;

const FIELDS: &str = "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) \
     cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes \
     time-taken x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status \
     fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len \
     sc-range-start sc-range-end";

/// The settings of a distribution that is logged.
pub(crate) fn enabled(row: &Distribution) -> Option<&Logging> {
    let logging = row.config.logging.as_ref()?;
    let given = logging.bucket.as_deref().is_some_and(|bucket| !bucket.is_empty());
    (given && logging.enabled != Some(false)).then_some(logging)
}

/// Delivers logs for as long as the engine lives.
pub(crate) async fn deliver(store: Store, cloud: Arc<Cloud>, cdn: Arc<dyn Cdn>) {
    let mut changes = store.subscribe(&[Distribution::TABLE]);
    loop {
        let logged = store.read().scan::<Distribution>().any(|row| enabled(&row).is_some());
        if !logged {
            changes.changed().await;
            continue;
        }
        tokio::time::sleep(COLLECT).await;
        let visits = match cdn.take_log(RECORDS).await {
            Ok(visits) => visits,
            Err(error) => {
                tracing::warn!(%error, "the records of requests to distributions cannot be read");
                continue;
            }
        };
        let mut of_distribution: BTreeMap<String, Vec<Visit>> = BTreeMap::new();
        for visit in visits {
            of_distribution.entry(visit.distribution.clone()).or_default().push(visit);
        }
        for (id, visits) in of_distribution {
            if let Err(error) = deliver_one(&store, &cloud, &id, &visits).await {
                tracing::warn!(distribution = id, %error, "a log could not be delivered");
            }
        }
    }
}

async fn deliver_one(store: &Store, cloud: &Arc<Cloud>, id: &str, visits: &[Visit]) -> Result<(), AwsError> {
    let (Some(row), Some(first)) = (store.read().get::<Distribution>(id), visits.first()) else {
        return Ok(());
    };
    let Some(logging) = enabled(&row) else { return Ok(()) };
    let bucket = target(store, logging)?;
    // As on AWS: the day and hour of the requests, not of the delivery.
    let hour = first.at.iso8601()[..13].replace('T', "-");
    let prefix = logging.prefix.as_deref().unwrap_or("");
    let prefix =
        if prefix.is_empty() || prefix.ends_with('/') { prefix.to_owned() } else { format!("{prefix}/") };
    let key = format!("{prefix}{id}.{hour}.{}.gz", ids::random_hex(8));
    let place = crate::PLACE;
    let lines =
        visits.iter().map(|v| line(v, &row.domain_name, place, logging.include_cookies == Some(true)));
    let text = format!("#Version: 1.0\n#Fields: {FIELDS}\n{}", lines.collect::<String>());
    let body: Body = Full::new(gzip(&text)).map_err(|never: Infallible| match never {}).boxed_unsync();
    request_with_body(cloud, store, &Caller::service(PRINCIPAL), PutObject { bucket, key, acl: None }, body)
        .await?;
    Ok(())
}

/// The bucket, if it still accepts logs: AWS delivers by a grant in its ACL.
fn target(store: &Store, logging: &Logging) -> Result<String, AwsError> {
    let name = bucket_of(logging.bucket.as_deref().unwrap_or("")).unwrap_or("").to_owned();
    let row = store.read().get::<Bucket>(&name);
    match row.filter(|row| row.ownership != ObjectOwnership::BucketOwnerEnforced) {
        Some(_) => Ok(name),
        None => Err(crate::error::no_acl(&name).into()),
    }
}

fn gzip(text: &str) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing into memory does not fail; an error would give an empty file instead of a broken one.
    match encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()) {
        Ok(bytes) => bytes.into(),
        Err(_) => Bytes::new(),
    }
}

/// One tab-separated line.
fn line(visit: &Visit, own_name: &str, place: &str, cookies: bool) -> String {
    let at = visit.at.iso8601();
    let optional = |text: Option<&str>| text.filter(|t| !t.is_empty()).map_or("-".to_owned(), encoded);
    let seconds = |ms: u64| format!("{}.{:03}", ms / 1000, ms % 1000);
    let range = visit.range.as_deref().and_then(|r| r.strip_prefix("bytes=")?.split_once('-'));
    let (start, end) = range.unwrap_or(("", ""));
    let cookie = visit.cookie.as_deref().filter(|_| cookies);
    let fields = [
        at[..10].to_owned(),
        at[11..19].to_owned(),
        place.to_owned(),
        visit.sent_bytes.to_string(),
        visit.client.ip().to_string(),
        visit.method.clone(),
        own_name.to_owned(),
        encoded(&visit.path),
        visit.status.to_string(),
        optional(visit.referer.as_deref()),
        optional(visit.user_agent.as_deref()),
        optional(visit.query.as_deref()),
        optional(cookie),
        visit.result.clone(),
        visit.id.clone(),
        encoded(&visit.host),
        if visit.https { "https" } else { "http" }.to_owned(),
        visit.received_bytes.to_string(),
        seconds(visit.took_ms),
        optional(visit.forwarded_for.as_deref()),
        // The edge does not report the TLS session; it has no field-level encryption.
        "-".to_owned(),
        "-".to_owned(),
        visit.result.clone(),
        visit.version.clone(),
        "-".to_owned(),
        "-".to_owned(),
        visit.client.port().to_string(),
        seconds(visit.first_byte_ms),
        visit.result.clone(),
        optional(visit.content_type.as_deref()),
        optional(visit.content_length.as_deref()),
        optional(Some(start)),
        optional(Some(end)),
    ];
    format!("{}\n", fields.join("\t"))
}

/// CloudFront encodes spaces, controls and the like, and keeps what a URL may contain.
fn encoded(text: &str) -> String {
    let keep = |c: char| c.is_ascii_alphanumeric() || "-._~/%?=&+:;,@!*()[]#$'".contains(c);
    text.chars().map(|c| if keep(c) { c.to_string() } else { percent_encode(&c.to_string()) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use escale_base::Timestamp;

    #[test]
    fn line_has_a_field_for_each_name() {
        let visit = Visit {
            distribution: "E1".into(),
            at: Timestamp::parse_iso8601("2030-01-31T12:30:59Z").unwrap(),
            client: ([192, 0, 2, 1], 4000).into(),
            method: "GET".into(),
            host: "www.example.com".into(),
            path: "/a\tb".into(),
            query: None,
            version: "HTTP/1.1".into(),
            https: false,
            referer: None,
            user_agent: Some("a b".into()),
            cookie: Some("secret=1".into()),
            forwarded_for: None,
            range: Some("bytes=0-9".into()),
            received_bytes: 10,
            status: 206,
            result: "Hit".into(),
            id: "i".into(),
            content_type: Some("text/html".into()),
            content_length: Some("10".into()),
            sent_bytes: 20,
            first_byte_ms: 1,
            took_ms: 1002,
        };
        let without = line(&visit, "e1.cloudfront.localhost", "CDG50-C1", false);
        let fields: Vec<&str> = without.trim_end().split('\t').collect();
        assert_eq!(fields.len(), FIELDS.split_whitespace().count());
        assert_eq!(
            fields[..12].join(" "),
            "2030-01-31 12:30:59 CDG50-C1 20 192.0.2.1 GET e1.cloudfront.localhost /a%09b 206 - a%20b -"
        );
        assert_eq!((fields[12], fields[18], fields[31], fields[32]), ("-", "1.002", "0", "9"));
        let with = line(&visit, "e1", "p", true);
        assert_eq!(with.split('\t').nth(12), Some("secret=1"));
    }
}
