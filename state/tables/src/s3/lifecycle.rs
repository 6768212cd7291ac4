//! Lifecycle configurations of buckets, in AWS's shape: they are returned as they were put.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_LifecycleRule.html>

use super::BucketName;
use crate::row;
use escale_base::{Tag, Timestamp, Wire};
use serde::{Deserialize, Serialize};

escale_base::name! {
    LifecycleRuleId;
    /// The beginning of the keys that a rule applies to.
    KeyPrefix;
}

escale_base::choice! { pub enum LifecycleStatus { Enabled = "Enabled", Disabled = "Disabled" } }
escale_base::choice! {
    pub enum TransitionClass {
        Glacier = "GLACIER", StandardIa = "STANDARD_IA", OnezoneIa = "ONEZONE_IA",
        IntelligentTiering = "INTELLIGENT_TIERING", DeepArchive = "DEEP_ARCHIVE", GlacierIr = "GLACIER_IR",
    }
}
escale_base::choice! {
    pub enum TransitionMinimum {
        Varies = "varies_by_storage_class", All128K = "all_storage_classes_128K",
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lifecycle {
    pub rules: Vec<LifecycleRule>,
    /// Recorded only, as transitions are.
    pub minimum: TransitionMinimum,
    /// The time at which it was put.
    pub put: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct LifecycleRule {
    #[wire("ID")]
    pub id: Option<LifecycleRuleId>,
    /// The older form of the filter.
    pub prefix: Option<KeyPrefix>,
    pub filter: Option<LifecycleFilter>,
    pub status: LifecycleStatus,
    pub expiration: Option<LifecycleExpiration>,
    pub noncurrent_version_expiration: Option<NoncurrentExpiration>,
    pub abort_incomplete_multipart_upload: Option<AbortUpload>,
    /// Recorded only.
    pub transitions: Option<Vec<Transition>>,
    /// Recorded only.
    pub noncurrent_version_transitions: Option<Vec<NoncurrentTransition>>,
}

/// One condition, or several in `and`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Wire)]
pub struct LifecycleFilter {
    pub prefix: Option<KeyPrefix>,
    pub tag: Option<Tag>,
    pub object_size_greater_than: Option<u64>,
    pub object_size_less_than: Option<u64>,
    pub and: Option<LifecycleConditions>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Wire)]
pub struct LifecycleConditions {
    pub prefix: Option<KeyPrefix>,
    pub tags: Option<Vec<Tag>>,
    pub object_size_greater_than: Option<u64>,
    pub object_size_less_than: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Wire)]
pub struct LifecycleExpiration {
    pub date: Option<Timestamp>,
    pub days: Option<u32>,
    pub expired_object_delete_marker: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct NoncurrentExpiration {
    pub noncurrent_days: Option<u32>,
    pub newer_noncurrent_versions: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct AbortUpload {
    pub days_after_initiation: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct Transition {
    pub date: Option<Timestamp>,
    pub days: Option<u32>,
    pub storage_class: Option<TransitionClass>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct NoncurrentTransition {
    pub noncurrent_days: Option<u32>,
    pub storage_class: Option<TransitionClass>,
    pub newer_noncurrent_versions: Option<u32>,
}

/// The last evaluation of a bucket's lifecycle configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LifecycleSeen {
    pub name: BucketName,
    /// Which configuration was evaluated: the time at which it was put.
    pub put: Timestamp,
    pub at: Timestamp,
}
row!(LifecycleSeen, "s3_lifecycle_seen", |r| r.name.to_string());
