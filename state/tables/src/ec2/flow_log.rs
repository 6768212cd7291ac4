//! Flow logs. Stored and shown only.

use crate::row;
use escale_base::{Tag, Timestamp};
use serde::{Deserialize, Serialize};

escale_base::id! { FlowLogId = "fl-"; }
escale_base::name! { /// The VPC, subnet or network interface of a flow log.
FlowLogResource; }

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
    /// The ARN of the bucket or the log group; or the name of the log group.
    pub destination: Option<String>,
    pub log_group: Option<String>,
    pub role_arn: Option<String>,
    pub format: Option<String>,
    pub interval_s: u32,
    pub options: Option<FlowLogOptions>,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(FlowLog, "ec2_flow_log", |r| r.id.to_string());

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowLogOptions {
    pub file_format: FlowLogFileFormat,
    pub hive_compatible_partitions: bool,
    pub per_hour_partition: bool,
}
