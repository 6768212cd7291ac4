//! Server access logs: a line for each request to a bucket with logging, delivered in objects of the target bucket.
//!
//! As on AWS, delivery is best effort: lines that are not delivered yet are lost when the daemon ends, and a target bucket that
//! does not permit the delivery gets none.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html>

mod line;

pub(crate) use line::Kind;

use crate::{Buckets, Error, rules};
use escale_base::{Timestamp, ids};
use escale_objects::Put;
use escale_service::{Caller, Cloud, Config, OnSent, Principal, Served};
use escale_store::{Image, Store};
use escale_tables::s3::{
    AccessLogging, Bucket, BucketName, GranteeGroup, ObjectOwnership, PartitionDateSource, Permission,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

/// The service principal that delivers logs.
pub(crate) const PRINCIPAL: &str = "logging.s3.amazonaws.com";

/// Lines that wait for delivery; more are dropped. Bounds memory to some 8 MiB.
const WAITING: usize = 16_384;
/// Lines of one object. A busy bucket gets several objects at once.
const LINES: usize = 10_000;
/// How long lines are collected for one object. AWS takes minutes to hours.
const COLLECT: Duration = Duration::from_secs(5);

struct Line {
    bucket: BucketName,
    at: Timestamp,
    text: String,
}

/// The lines on their way to the deliverer.
pub struct AccessLogs {
    lines: mpsc::Sender<Line>,
    /// Until the deliverer starts.
    receiver: Mutex<Option<mpsc::Receiver<Line>>>,
}

impl AccessLogs {
    pub(crate) fn new() -> AccessLogs {
        let (lines, receiver) = mpsc::channel(WAITING);
        AccessLogs { lines, receiver: Mutex::new(Some(receiver)) }
    }

    pub(crate) fn record(&self, bucket: BucketName, at: Timestamp, text: String) {
        if self.lines.try_send(Line { bucket, at, text }).is_err() {
            tracing::debug!("a line of an access log was dropped, because the delivery is too slow");
        }
    }
}

/// The function that writes the line of this request; `None` if its bucket is not logged.
pub(crate) fn note(
    logs: &Arc<AccessLogs>,
    image: &Image,
    config: &Config,
    (served, kind): (&Served<'_>, Kind),
) -> Option<OnSent> {
    let (bucket, _) = line::names(served.path)?;
    image.get::<Bucket>(&bucket)?.logging.as_ref()?;
    let (line, logs, started) = (line::line(served, kind, config), Arc::clone(logs), served.started);
    Some(Box::new(move |sent, now| logs.record(bucket, started, line(sent, now))))
}

/// Checks the target of logs.
pub(crate) fn check(image: &Image, logging: &AccessLogging) -> Result<(), Error> {
    let format = logging.target_object_key_format.as_ref();
    if format.is_some_and(|f| f.simple_prefix.is_some() == f.partitioned_prefix.is_some()) {
        return Err(Error::MalformedXml);
    }
    let Some(target) = image.get::<Bucket>(&logging.target_bucket) else {
        return Err(Error::InvalidTargetBucket("The target bucket for logging does not exist".into()));
    };
    // Without ACLs, the target's policy permits the delivery. It may come later.
    if target.ownership == ObjectOwnership::BucketOwnerEnforced || target.policy.is_some() {
        return Ok(());
    }
    let has = |permission| {
        let all = [permission, Permission::FullControl];
        target.acl.iter().any(|g| g.group == GranteeGroup::LogDelivery && all.contains(&g.permission))
    };
    if has(Permission::Write) && has(Permission::ReadAcp) {
        return Ok(());
    }
    let why = "You must give the log-delivery group WRITE and READ_ACP permissions to the target bucket";
    Err(Error::InvalidTargetBucket(why.into()))
}

/// Delivers lines for as long as the engine lives.
pub(crate) async fn deliver(logs: Arc<AccessLogs>, store: Store, cloud: Arc<Cloud>, buckets: Arc<Buckets>) {
    let receiver = logs.receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(mut receiver) = receiver else { return };
    while let Some(first) = receiver.recv().await {
        let until = Instant::now() + COLLECT;
        let mut of_bucket: BTreeMap<BucketName, Vec<Line>> = BTreeMap::new();
        of_bucket.entry(first.bucket.clone()).or_default().push(first);
        let mut count = 1;
        while count < LINES {
            let Ok(Some(line)) = timeout_at(until, receiver.recv()).await else { break };
            of_bucket.entry(line.bucket.clone()).or_default().push(line);
            count += 1;
        }
        for (bucket, lines) in of_bucket {
            if let Err(error) = deliver_one(&store, &cloud, &buckets, &bucket, &lines).await {
                tracing::warn!(%bucket, %error, "an access log could not be delivered");
            }
        }
    }
}

async fn deliver_one(
    store: &Store,
    cloud: &Cloud,
    buckets: &Buckets,
    bucket: &BucketName,
    lines: &[Line],
) -> Result<(), Error> {
    let Some(logging) = store.read().get::<Bucket>(bucket).and_then(|row| row.logging.clone()) else {
        return Ok(());
    };
    let config = &cloud.config;
    let place = format!("{}/{}/{bucket}", config.account, config.region);
    let event = lines.first().map_or(cloud.clock.now(), |line| line.at);
    let key = key(&logging, &place, event, cloud.clock.now());
    let target = &logging.target_bucket;
    permitted(store, cloud, bucket, (target, &key))?;
    let text: String = lines.iter().flat_map(|line| [line.text.as_str(), "\n"]).collect();
    buckets.apply(store, target).await?;
    buckets.objects.put(target, &key, Put::default(), escale_objects::body(text)).await?;
    Ok(())
}

/// The target's policy, or its ACL, must allow the delivery.
fn permitted(
    store: &Store,
    cloud: &Cloud,
    source: &BucketName,
    (target, key): (&BucketName, &str),
) -> Result<(), Error> {
    let (service, source_arn) = (PRINCIPAL.to_owned(), rules::bucket_arn(source));
    let caller =
        Caller { principal: Principal::OnBehalf { service, source_arn }, ..Caller::service(PRINCIPAL) };
    let input = serde_json::json!({"Bucket": target.as_str()});
    let resources = [rules::object_arn(target, key)];
    let action = ("s3:PutObject", "PutObject");
    Ok(cloud.authorize_action(&store.read(), &caller, "s3", action, &input, &resources, &[])?)
}

/// The key of a log. `place` is account, region and bucket.
fn key(logging: &AccessLogging, place: &str, event: Timestamp, now: Timestamp) -> String {
    let partitioned = logging.target_object_key_format.as_ref().and_then(|f| f.partitioned_prefix.as_ref());
    let by_event =
        partitioned.is_some_and(|p| p.partition_date_source == Some(PartitionDateSource::EventTime));
    let at = if by_event { event } else { now }.iso8601();
    // 2030-01-31T12:30:59.000Z
    let (date, time) = (&at[..10], at[11..19].replace(':', "-"));
    let time = if by_event { "00-00-00".to_owned() } else { time };
    let folder = match partitioned {
        Some(_) => format!("{place}/{}/", date.replace('-', "/")),
        None => String::new(),
    };
    format!("{}{folder}{date}-{time}-{}", logging.target_prefix, ids::random_upper(16))
}

#[cfg(test)]
mod tests {
    use super::*;
    use escale_base::Wire;
    use serde_json::json;

    #[test]
    fn keys_have_the_configured_format() {
        let logging = |format: serde_json::Value| {
            let text = json!({"TargetBucket": "logs", "TargetPrefix": "p/", "TargetObjectKeyFormat": format});
            AccessLogging::read(&text).unwrap()
        };
        let event = Timestamp::parse_iso8601("2030-01-30T23:59:59Z").unwrap();
        let now = Timestamp::parse_iso8601("2030-01-31T00:00:04Z").unwrap();
        for (format, start) in [
            (json!(null), "p/2030-01-31-00-00-04-"),
            (json!({"SimplePrefix": {}}), "p/2030-01-31-00-00-04-"),
            (json!({"PartitionedPrefix": {}}), "p/a/r/b/2030/01/31/2030-01-31-00-00-04-"),
            (
                json!({"PartitionedPrefix": {"PartitionDateSource": "EventTime"}}),
                "p/a/r/b/2030/01/30/2030-01-30-00-00-00-",
            ),
        ] {
            let key = key(&logging(format), "a/r/b", event, now);
            assert!(key.starts_with(start) && key.len() == start.len() + 16, "{key}");
        }
    }
}
