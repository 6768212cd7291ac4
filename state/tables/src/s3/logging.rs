//! Server access logging of buckets, in AWS's shape: it is returned as it was put.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_LoggingEnabled.html>

use super::{BucketName, KeyPrefix};
use escale_base::Wire;
use serde::{Deserialize, Serialize};

escale_base::choice! {
    /// The date in the keys of logs: of the requests, or of the delivery.
    pub enum PartitionDateSource { EventTime = "EventTime", DeliveryTime = "DeliveryTime" }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct AccessLogging {
    pub target_bucket: BucketName,
    pub target_prefix: KeyPrefix,
    pub target_object_key_format: Option<LogKeyFormat>,
}

/// One of both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct LogKeyFormat {
    pub simple_prefix: Option<SimplePrefix>,
    pub partitioned_prefix: Option<PartitionedPrefix>,
}

/// `[prefix][time]-[unique]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct SimplePrefix {}

/// `[prefix][account]/[region]/[bucket]/[year]/[month]/[day]/[time]-[unique]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct PartitionedPrefix {
    pub partition_date_source: Option<PartitionDateSource>,
}
