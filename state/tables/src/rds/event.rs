//! The events that DescribeEvents returns.

use crate::row;
use escale_base::Timestamp;
use serde::{Deserialize, Serialize};

escale_base::choice! {
    pub enum SourceType {
        DbInstance = "db-instance", DbParameterGroup = "db-parameter-group",
        DbSecurityGroup = "db-security-group", DbSnapshot = "db-snapshot", DbCluster = "db-cluster",
        DbClusterSnapshot = "db-cluster-snapshot", CustomEngineVersion = "custom-engine-version",
        DbProxy = "db-proxy", BlueGreenDeployment = "blue-green-deployment",
        DbShardGroup = "db-shard-group", ZeroEtl = "zero-etl",
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Distinguishes events of the same millisecond.
    pub nonce: String,
    pub source_type: SourceType,
    pub source: String,
    pub source_arn: String,
    pub message: String,
    pub categories: Vec<String>,
    pub at: Timestamp,
}
// Keys sort by time.
row!(Event, "rds_event", |r| format!("{:016}/{}", r.at.0, r.nonce));
