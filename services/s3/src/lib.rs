//! S3: buckets, their configuration and their objects.
//!
//! A bucket and its configuration are rows (`ops/`, synchronous). Objects are in the objects plane (`streams/`).
//! CreateBucket only writes a row: before an operation uses the plane, [`Buckets`] applies the row to the plane's bucket.
//! A deletion must wait until the plane reports that the bucket is empty; `reconcile/` does this for callers that cannot
//! wait (CloudFormation), and applies lifecycle configurations.
//!
//! Websites are requests of anonymous callers at an address of their own (`website/serve.rs`).
//!
//! The gate evaluates bucket policies; `policy.rs` restricts them as the public access block demands. Nothing here opens a
//! file or authenticates a caller. Start at `streams/put_object.rs`.

mod access_log;
mod acl;
mod buckets;
mod cfn;
mod checksums;
mod choices;
mod conditions;
mod cors;
mod error;
mod lifecycle;
mod metadata;
mod ops;
mod policy;
mod post;
mod reconcile;
mod recorded;
mod rules;
mod shapes;
mod streams;
mod website;

pub use access_log::AccessLogs;
pub use buckets::Buckets;
pub use error::Error;
pub use reconcile::{Planes, start};

use escale_base::wire::Value;
use escale_objects::Objects;
use escale_service::{
    Also, Cloud, Config, CrossOrigin, CrossOriginGrant, Entry, EventKind, Mount, OnSent, Recorded,
    ResourcePolicy, ResourceType, Served, Service, gives_tags,
};
use escale_store::{Image, Store};
use std::sync::Arc;

/// The service, for the wiring.
pub struct S3 {
    buckets: Arc<Buckets>,
    access_logs: Arc<AccessLogs>,
}

impl S3 {
    pub fn new(objects: Arc<dyn Objects>) -> S3 {
        S3 { buckets: Arc::new(Buckets::new(objects)), access_logs: Arc::new(AccessLogs::new()) }
    }

    /// The lines of access logs, for the task that delivers them.
    pub fn access_logs(&self) -> Arc<AccessLogs> {
        Arc::clone(&self.access_logs)
    }

    /// The websites of buckets, which are served at an address of their own.
    pub fn websites(&self, store: &Store, cloud: &Arc<Cloud>) -> Arc<dyn Mount> {
        let (store, cloud) = (store.clone(), Arc::clone(cloud));
        let (buckets, access_logs) = (self.buckets(), self.access_logs());
        Arc::new(website::serve::Websites { store, cloud, buckets, access_logs })
    }

    /// The handler of uploads by HTML forms.
    pub fn form_uploads(&self, store: &Store, cloud: &Arc<Cloud>) -> Arc<dyn Mount> {
        let (store, cloud) = (store.clone(), Arc::clone(cloud));
        Arc::new(post::Uploads { store, cloud, access_logs: self.access_logs() })
    }

    /// The buckets of the plane, for the reconciler.
    pub fn buckets(&self) -> Arc<Buckets> {
        Arc::clone(&self.buckets)
    }
}

impl Service for S3 {
    fn id(&self) -> &'static str {
        "s3"
    }
    fn event_kind(&self, operation: &str) -> EventKind {
        // GetObjectLockConfiguration configures a bucket, although its name contains `Object`.
        let of_bucket = operation.contains("ObjectLockConfiguration") || operation.contains("Bucket");
        let of_objects = ["Object", "Upload", "Part"].iter().any(|word| operation.contains(word));
        if of_objects && !of_bucket { EventKind::Data } else { EventKind::Management }
    }
    fn operations(&self) -> Vec<Entry> {
        let mut all = ops::all();
        all.extend(streams::all(&self.buckets));
        all
    }
    fn tagging(&self, _operation: &str, input: &Value, resources: &[String]) -> Option<Also> {
        let tagged = gives_tags(input, "/CreateBucketConfiguration/Tags");
        tagged.then(|| Also::tagging("s3:TagResource", resources))
    }
    fn recorded(&self) -> &'static [Recorded] {
        recorded::RECORDED
    }
    fn resource_policies(
        &self,
        image: &Image,
        config: &Config,
        _operation: &str,
        input: &Value,
    ) -> Vec<ResourcePolicy> {
        let name = input.get("Bucket").and_then(Value::as_str).unwrap_or_default();
        policy::in_force(image, &name.into(), &config.account)
    }
    fn cross_origin(&self, image: &Image, request: &CrossOrigin<'_>) -> Option<CrossOriginGrant> {
        cors::grant(image, request)
    }
    fn served(&self, image: &Image, config: &Config, served: &Served<'_>) -> Option<OnSent> {
        access_log::note(&self.access_logs, image, config, (served, access_log::Kind::Rest))
    }
    fn resource_types(&self) -> Vec<ResourceType> {
        cfn::types()
    }
}
