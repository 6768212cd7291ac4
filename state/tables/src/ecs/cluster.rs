//! Clusters.

use super::{CapacityProvider, ClusterSettingName};
use crate::row;
use escale_base::{Tag, Timestamp, Wire};
use serde::{Deserialize, Serialize};

escale_base::name! { /// A cluster's name.
ClusterName; }

/// A cluster as asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    pub name: ClusterName,
    pub settings: Vec<ClusterSetting>,
    pub capacity_providers: Vec<CapacityProvider>,
    pub default_strategy: Vec<StrategyItem>,
    /// Set when it was deleted: it stays to be described as INACTIVE.
    pub deleted: Option<Timestamp>,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(Cluster, "ecs_cluster", |r| r.name.to_string());

/// Recorded: `containerInsights` and whether it is on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
#[wire(camelCase)]
pub struct ClusterSetting {
    pub name: ClusterSettingName,
    pub value: String,
}

/// One part of a capacity provider strategy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
#[wire(camelCase)]
pub struct StrategyItem {
    pub capacity_provider: CapacityProvider,
    pub weight: Option<i32>,
    pub base: Option<i32>,
}
