//! Distributions, the resources that they use, and their observed state.

mod access;
mod choices;
mod config;
mod distribution;
mod name;
mod policy;

pub use access::{
    KeyGroup, KeyGroupConfig, KeyGroupId, KeyGroupName, OriginAccessControl, OriginAccessControlConfig,
    OriginAccessControlId, OriginAccessControlName, PublicKey, PublicKeyConfig, PublicKeyId, PublicKeyName,
};
pub use choices::*;
pub use config::*;
pub use distribution::{
    Distribution, DistributionId, DistributionSeen, ETag, EdgeCertificate, Invalidation, InvalidationId,
    InvalidationSeen,
};
pub use name::{DistributionHost, DistributionName};
pub use policy::*;

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[
    TableDef::of::<CachePolicy>(),
    TableDef::of::<Distribution>(),
    TableDef::of::<DistributionName>(),
    TableDef::of::<DistributionSeen>(),
    TableDef::of::<EdgeCertificate>(),
    TableDef::of::<Invalidation>(),
    TableDef::of::<InvalidationSeen>(),
    TableDef::of::<KeyGroup>(),
    TableDef::of::<OriginAccessControl>(),
    TableDef::of::<OriginAccessIdentity>(),
    TableDef::of::<OriginRequestPolicy>(),
    TableDef::of::<PublicKey>(),
    TableDef::of::<ResponseHeadersPolicy>(),
];
