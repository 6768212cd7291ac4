//! Buckets as they were requested, with their configuration. Objects are in the plane and in no table.

mod access;
mod bucket;
mod cors;
mod lifecycle;
mod logging;
mod website;

pub use access::{Grant, GranteeGroup, ObjectOwnership, Permission};
pub use bucket::{Bucket, BucketName, BucketSeen, DefaultEncryption, PublicAccessBlock, Versioning};
pub use cors::{CorsMethod, CorsRule, CorsRuleId, HeaderPattern, OriginPattern};
pub use lifecycle::{
    AbortUpload, KeyPrefix, Lifecycle, LifecycleConditions, LifecycleExpiration, LifecycleFilter,
    LifecycleRule, LifecycleRuleId, LifecycleSeen, LifecycleStatus, NoncurrentExpiration,
    NoncurrentTransition, Transition, TransitionClass, TransitionMinimum,
};

pub use logging::{AccessLogging, LogKeyFormat, PartitionDateSource, PartitionedPrefix, SimplePrefix};
pub use website::{
    ErrorDocument, IndexDocument, IndexSuffix, ObjectKey, Redirect, RedirectAll, RedirectHost,
    RedirectProtocol, RoutingCondition, RoutingRule, Website,
};

use escale_store::TableDef;

pub const TABLES: &[TableDef] =
    &[TableDef::of::<Bucket>(), TableDef::of::<BucketSeen>(), TableDef::of::<LifecycleSeen>()];
