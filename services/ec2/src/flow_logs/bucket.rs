//! Files of flow logs in a bucket: where they are, and whether the bucket's policy lets the delivery write them.
//!
//! Source: <https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-path.html>

use super::format;
use crate::Error;
use bytes::Bytes;
use escale_base::{Arn, AwsError, ErrorKind, Timestamp, ids};
use escale_requests::s3::{GetBucketPolicy, PutBucketPolicy, PutObject};
use escale_service::{Body, Caller, Cloud, Config, Cx, Principal, request_with_body};
use escale_store::{Image, Store};
use escale_tables::{
    ec2::{FlowLog, FlowLogDestination, FlowLogOptions},
    s3::Bucket,
};
use flate2::{Compression, write::GzEncoder};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use std::{convert::Infallible, io::Write, sync::Arc};

/// The service principal of the delivery.
const PRINCIPAL: &str = "delivery.logs.amazonaws.com";

/// AWS's delivery asks for it, and its policies demand it.
const ACL: &str = "bucket-owner-full-control";

/// The names of files have the beginning of such a slot. As on AWS, several files may be of one.
const SLOT_MS: i64 = 300_000;

/// A bucket and the folder in it, of `arn:aws:s3:::bucket/folder/`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) bucket: String,
    /// Empty, or with the slash behind it.
    prefix: String,
}

impl Place {
    pub(crate) fn of(destination: &FlowLogDestination) -> Result<Place, Error> {
        let invalid = |why| Error::invalid("logDestination", destination, why);
        let name = destination.as_str().strip_prefix("arn:aws:s3:::");
        let (bucket, folder) = match name {
            None | Some("") => return Err(invalid("It is not the ARN of a bucket.")),
            Some(name) => name.split_once('/').unwrap_or((name, "")),
        };
        let folder = folder.trim_matches('/');
        if folder.split('/').any(|part| part == "AWSLogs") {
            return Err(invalid("A folder cannot have the name AWSLogs."));
        }
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        Ok(Place { bucket: bucket.to_owned(), prefix })
    }

    /// The folder of all files of an account, without the slash behind it.
    fn root(&self, account: &str, options: &FlowLogOptions) -> String {
        let account = if options.hive_compatible_partitions {
            format!("aws-account-id={account}")
        } else {
            account.to_owned()
        };
        format!("{}AWSLogs/{account}", self.prefix)
    }

    fn key(&self, config: &Config, log: &FlowLog, end: Timestamp) -> String {
        let options = options(log);
        let (account, region) = (&config.account, &config.region);
        // 2030-01-31T12:30:00.000Z
        let at = Timestamp(end.0.div_euclid(SLOT_MS) * SLOT_MS).iso8601();
        let (year, month, day, hour, minute) = (&at[..4], &at[5..7], &at[8..10], &at[11..13], &at[14..16]);
        let mut folder = self.root(account, &options);
        if options.hive_compatible_partitions {
            folder +=
                &format!("/aws-service=vpcflowlogs/aws-region={region}/year={year}/month={month}/day={day}");
        } else {
            folder += &format!("/vpcflowlogs/{region}/{year}/{month}/{day}");
        }
        match (options.per_hour_partition, options.hive_compatible_partitions) {
            (false, _) => {}
            (true, false) => folder += &format!("/{hour}"),
            (true, true) => folder += &format!("/hour={hour}"),
        }
        let hash = ids::random_hex(8);
        format!(
            "{folder}/{account}_vpcflowlogs_{region}_{}_{year}{month}{day}T{hour}{minute}Z_{hash}.log.gz",
            log.id
        )
    }
}

fn options(log: &FlowLog) -> FlowLogOptions {
    log.options.clone().unwrap_or(FlowLogOptions {
        file_format: escale_tables::ec2::FlowLogFileFormat::PlainText,
        hive_compatible_partitions: false,
        per_hour_partition: false,
    })
}

/// The delivery, for which the policies of buckets name the account's logs.
fn caller(config: &Config) -> Caller {
    let source_arn = source_arn(config);
    let principal = Principal::OnBehalf { service: PRINCIPAL.to_owned(), source_arn };
    Caller { principal, ..Caller::service(PRINCIPAL) }
}

fn source_arn(config: &Config) -> String {
    Arn::new("logs", &config.region, &config.account, "*").to_string()
}

/// Checks that the bucket exists and that its policy allows the delivery. If it does not, the policy is extended with the caller's
/// permissions, as on AWS.
pub(crate) fn check(cx: &mut Cx<'_>, place: &Place, options: &FlowLogOptions) -> Result<(), Error> {
    if cx.tx.get::<Bucket>(&place.bucket).is_none() {
        return Err(Error::NoLogBucket(place.bucket.clone()));
    }
    let root = place.root(&cx.config.account, options);
    if is_permitted(cx.cloud(), cx.tx, &place.bucket, &root) {
        return Ok(());
    }
    let denied = || Error::LogBucketDenied { bucket: place.bucket.clone(), service: PRINCIPAL };
    extend_policy(cx, place, &root).map_err(|error| match error.kind {
        ErrorKind::Denied => denied(),
        _ => Error::Aws(error),
    })?;
    // A statement may deny what the new ones allow.
    if is_permitted(cx.cloud(), cx.tx, &place.bucket, &root) { Ok(()) } else { Err(denied()) }
}

fn is_permitted(cloud: &Cloud, image: &Image, bucket: &str, root: &str) -> bool {
    let resources = [format!("arn:aws:s3:::{bucket}/{root}/vpcflowlogs")];
    let (action, input) = (("s3:PutObject", "PutObject"), json!({ "Bucket": bucket }));
    let keys = [("s3:x-amz-acl", ACL)];
    cloud.authorize_action(image, &caller(&cloud.config), "s3", action, &input, &resources, &keys).is_ok()
}

fn extend_policy(cx: &mut Cx<'_>, place: &Place, root: &str) -> Result<(), AwsError> {
    let bucket = place.bucket.clone();
    let mut document: Value = match cx.call(GetBucketPolicy { bucket: bucket.clone() }) {
        Ok(found) => serde_json::from_str(&found.policy).map_err(|_| AwsError::internal())?,
        Err(error) if error.kind == ErrorKind::NotFound => {
            json!({ "Version": "2012-10-17", "Statement": [] })
        }
        Err(error) => return Err(error),
    };
    let condition = |acl: Option<&str>| {
        let mut equals = json!({ "aws:SourceAccount": cx.config.account });
        if let Some(acl) = acl {
            equals["s3:x-amz-acl"] = acl.into();
        }
        json!({ "StringEquals": equals, "ArnLike": { "aws:SourceArn": source_arn(cx.config) } })
    };
    let statement = |sid: &str, action: Value, resource: String, condition: Value| {
        json!({ "Sid": sid, "Effect": "Allow", "Principal": { "Service": PRINCIPAL }, "Action": action, "Resource": resource,
            "Condition": condition })
    };
    let own = [
        statement(
            "AWSLogDeliveryWrite",
            "s3:PutObject".into(),
            format!("arn:aws:s3:::{bucket}/{root}/*"),
            condition(Some(ACL)),
        ),
        statement(
            "AWSLogDeliveryAclCheck",
            json!(["s3:GetBucketAcl", "s3:ListBucket"]),
            format!("arn:aws:s3:::{bucket}"),
            condition(None),
        ),
    ];
    let statements = document["Statement"].take();
    let mut all = match statements {
        Value::Array(all) => all,
        Value::Null => Vec::new(),
        single => vec![single],
    };
    // Another folder of the same bucket has statements of these names already.
    for mut new in own {
        let is_taken = |sid: &Value| all.iter().any(|old| old["Sid"] == *sid);
        if all.iter().any(|old| old["Resource"] == new["Resource"] && old["Sid"] == new["Sid"]) {
            continue;
        }
        if is_taken(&new["Sid"]) {
            new["Sid"] = format!("{}{}", new["Sid"].as_str().unwrap_or_default(), all.len()).into();
        }
        all.push(new);
    }
    document["Statement"] = all.into();
    cx.call(PutBucketPolicy { bucket, policy: document.to_string() })
}

/// Writes one file. Its first line names the fields.
pub(super) async fn put(
    store: &Store,
    cloud: &Arc<Cloud>,
    log: &FlowLog,
    lines: &[String],
    end: Timestamp,
) -> Result<(), AwsError> {
    let destination = log.destination.as_ref().ok_or_else(AwsError::internal)?;
    let place = Place::of(destination)?;
    let fields = format::fields(log.format.as_ref().map_or(format::DEFAULT, |f| f.as_str()));
    let bytes = gzip(&format!("{fields}\n{}\n", lines.join("\n")))?;
    let body: Body = Full::new(bytes).map_err(|never: Infallible| match never {}).boxed_unsync();
    let key = place.key(&cloud.config, log, end);
    let put = PutObject { bucket: place.bucket, key, acl: Some(ACL.to_owned()) };
    request_with_body(cloud, store, &caller(&cloud.config), put, body).await.map(drop)
}

fn gzip(text: &str) -> Result<Bytes, AwsError> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let bytes = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
    bytes.map(Bytes::from).map_err(|_| AwsError::internal())
}

#[cfg(test)]
mod tests {
    use super::*;
    use escale_tables::ec2::{FlowLogFileFormat, LogDestinationType, TrafficType};

    fn log(hive_compatible_partitions: bool, per_hour_partition: bool) -> FlowLog {
        let file_format = FlowLogFileFormat::PlainText;
        FlowLog {
            id: "fl-1".into(),
            resource: "vpc-1".into(),
            traffic: TrafficType::All,
            destination_type: LogDestinationType::S3,
            destination: None,
            log_group: None,
            role_arn: None,
            format: None,
            interval_s: 60,
            options: Some(FlowLogOptions { file_format, hive_compatible_partitions, per_hour_partition }),
            tags: vec![],
            created: Timestamp(0),
        }
    }

    #[test]
    fn keys_have_the_format_of_aws() {
        let config = Config { account: "1".into(), region: "eu-west-3".into(), ..Config::default() };
        let place = Place::of(&"arn:aws:s3:::flows/my/logs/".into()).unwrap();
        let end = Timestamp::parse_iso8601("2030-01-31T12:34:56Z").unwrap();
        for (hive, hour, folder) in [
            (false, false, "my/logs/AWSLogs/1/vpcflowlogs/eu-west-3/2030/01/31"),
            (false, true, "my/logs/AWSLogs/1/vpcflowlogs/eu-west-3/2030/01/31/12"),
            (
                true,
                false,
                "my/logs/AWSLogs/aws-account-id=1/aws-service=vpcflowlogs/aws-region=eu-west-3/year=2030/month=01/day=31",
            ),
            (
                true,
                true,
                "my/logs/AWSLogs/aws-account-id=1/aws-service=vpcflowlogs/aws-region=eu-west-3/year=2030/month=01/day=31/hour=12",
            ),
        ] {
            let key = place.key(&config, &log(hive, hour), end);
            let start = format!("{folder}/1_vpcflowlogs_eu-west-3_fl-1_20300131T1230Z_");
            assert!(key.starts_with(&start) && key.ends_with(".log.gz"), "{key}");
        }
    }

    #[test]
    fn reads_destinations() {
        let of = |arn: &str| Place::of(&arn.into());
        let place = |bucket: &str, prefix: &str| Place { bucket: bucket.into(), prefix: prefix.into() };
        assert_eq!(of("arn:aws:s3:::b").unwrap(), place("b", ""));
        assert_eq!(of("arn:aws:s3:::b/a/c").unwrap(), place("b", "a/c/"));
        for (arn, why) in [
            ("b", "ARN of a bucket"),
            ("arn:aws:s3:::", "ARN of a bucket"),
            ("arn:aws:s3:::b/AWSLogs/", "AWSLogs"),
        ] {
            assert!(of(arn).unwrap_err().to_string().contains(why), "{arn}");
        }
    }
}
