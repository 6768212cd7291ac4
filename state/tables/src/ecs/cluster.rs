//! Clusters.

use crate::row;
use escale_base::{Tag, Timestamp, Wire};
use serde::{Deserialize, Serialize};

/// A cluster as asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    pub name: String,
    pub settings: Vec<ClusterSetting>,
    pub capacity_providers: Vec<String>,
    pub default_strategy: Vec<StrategyItem>,
    /// Set when it was deleted: it stays to be described as INACTIVE.
    pub deleted: Option<Timestamp>,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(Cluster, "ecs_cluster", |r| r.name.clone());

/// Recorded: `containerInsights` and whether it is on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
#[wire(camelCase)]
pub struct ClusterSetting {
    pub name: String,
    pub value: String,
}

/// One part of a capacity provider strategy: `FARGATE` or `FARGATE_SPOT`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
#[wire(camelCase)]
pub struct StrategyItem {
    pub capacity_provider: String,
    pub weight: Option<i32>,
    pub base: Option<i32>,
}
