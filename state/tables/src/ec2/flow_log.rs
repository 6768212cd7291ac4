//! Flow logs, and whether their records reach the log group.

use crate::row;
use escale_base::{Tag, Timestamp};
use serde::{Deserialize, Serialize};

escale_base::id! { FlowLogId = "fl-"; }
escale_base::name! {
    /// The VPC, subnet or network interface of a flow log.
    FlowLogResource;
    /// The ARN of a bucket or a log group.
    FlowLogDestination;
    /// The name of a log group.
    FlowLogGroup;
    /// The ARN of the role that delivers the log.
    FlowLogRole;
    /// The fields of a record.
    FlowLogFormat;
}

escale_base::choice! { pub enum TrafficType { Accept = "ACCEPT", Reject = "REJECT", All = "ALL" } }
escale_base::choice! {
    pub enum LogDestinationType {
        CloudWatchLogs = "cloud-watch-logs", S3 = "s3", KinesisDataFirehose = "kinesis-data-firehose",
    }
}
escale_base::choice! { pub enum FlowLogFileFormat { PlainText = "plain-text", Parquet = "parquet" } }

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowLog {
    pub id: FlowLogId,
    pub resource: FlowLogResource,
    pub traffic: TrafficType,
    pub destination_type: LogDestinationType,
    pub destination: Option<FlowLogDestination>,
    pub log_group: Option<FlowLogGroup>,
    pub role_arn: Option<FlowLogRole>,
    pub format: Option<FlowLogFormat>,
    pub interval_s: u32,
    pub options: Option<FlowLogOptions>,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(FlowLog, "ec2_flow_log", |r| r.id.to_string());

escale_base::choice! {
    /// Why records were not delivered, in AWS's words.
    pub enum FlowLogFailure {
        AccessError = "Access error", RateLimited = "Rate limited", UnknownError = "Unknown error",
    }
}

/// The result of a flow log's last delivery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowLogSeen {
    pub id: FlowLogId,
    pub failure: Option<FlowLogFailure>,
}
row!(FlowLogSeen, "ec2_flow_log_seen", |r| r.id.to_string());

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowLogOptions {
    pub file_format: FlowLogFileFormat,
    pub hive_compatible_partitions: bool,
    pub per_hour_partition: bool,
}
