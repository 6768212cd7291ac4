//! Buckets as they were requested, with their configuration. Objects are in the plane and in no table.

mod bucket;

pub use bucket::{Bucket, BucketName, BucketSeen, PublicAccessBlock, Versioning};

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[TableDef::of::<Bucket>(), TableDef::of::<BucketSeen>()];
