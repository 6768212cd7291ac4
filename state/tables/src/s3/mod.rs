//! Buckets as they were requested, with their configuration. Objects are in the plane and in no table.

mod bucket;
mod cors;
mod lifecycle;
mod website;

pub use bucket::{Bucket, BucketName, BucketSeen, DefaultEncryption, PublicAccessBlock, Versioning};
pub use cors::{CorsMethod, CorsRule, CorsRuleId, HeaderPattern, OriginPattern};
pub use lifecycle::{
    AbortUpload, KeyPrefix, Lifecycle, LifecycleConditions, LifecycleExpiration, LifecycleFilter,
    LifecycleRule, LifecycleRuleId, LifecycleSeen, LifecycleStatus, NoncurrentExpiration,
    NoncurrentTransition, Transition, TransitionClass, TransitionMinimum,
};

pub use website::{
    ErrorDocument, IndexDocument, IndexSuffix, ObjectKey, Redirect, RedirectAll, RedirectHost,
    RedirectProtocol, RoutingCondition, RoutingRule, Website,
};

use escale_store::TableDef;

pub const TABLES: &[TableDef] =
    &[TableDef::of::<Bucket>(), TableDef::of::<BucketSeen>(), TableDef::of::<LifecycleSeen>()];
