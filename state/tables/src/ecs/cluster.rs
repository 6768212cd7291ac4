//! Clusters.

use super::{CapacityProvider, ClusterSettingName};
use crate::row;
use escale_base::{Tag, Timestamp, Wire};
use serde::{Deserialize, Serialize};

escale_base::name! { /// A cluster's name.
ClusterName; }

/// The wish for a cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    pub name: ClusterName,
    pub settings: Vec<ClusterSetting>,
    pub capacity_providers: Vec<CapacityProvider>,
    pub default_strategy: Vec<StrategyItem>,
    /// Set when the cluster is deleted. The row stays, so that the cluster can be described as INACTIVE.
    pub deleted: Option<Timestamp>,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(Cluster, "ecs_cluster", |r| r.name.to_string());

/// A setting, which is only recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
#[wire(camelCase)]
pub struct ClusterSetting {
    pub name: ClusterSettingName,
    pub value: String,
}

/// An item of a capacity provider strategy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
#[wire(camelCase)]
pub struct StrategyItem {
    pub capacity_provider: CapacityProvider,
    pub weight: Option<i32>,
    pub base: Option<i32>,
}
