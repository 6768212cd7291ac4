//! Buckets as asked for, with their configuration. Objects are the plane's, and in no table.

mod bucket;

pub use bucket::{Bucket, BucketSeen, PublicAccessBlock, Versioning};

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[TableDef::of::<Bucket>(), TableDef::of::<BucketSeen>()];
