//! ECR: image repositories, their permissions, and the distribution API that image clients use.
//!
//! A repository is a row (`ops/`, synchronous); the registry plane has the images (`streams/`). [`Repositories`] connects the
//! two, as in S3: it updates the plane's repository from the row before each use. [`door()`] serves the distribution API at
//! `/v2/`: it accepts the tokens of GetAuthorizationToken and authorizes their holders with IAM.
//!
//! `reconcile/` removes repositories, expires images and frees files that no image needs. Nothing here stores a blob. Start at
//! `distribution_api.rs`.

mod cfn;
mod choices;
mod distribution_api;
mod error;
mod lifecycle;
mod ops;
mod policy;
mod reconcile;
mod recorded;
mod repositories;
mod rules;
mod shapes;
mod streams;

pub use distribution_api::door;
pub use error::Error;
pub use reconcile::{Planes, start};
pub use repositories::Repositories;

use escale_base::wire::Value;
use escale_registry::Registry;
use escale_service::{Also, Config, Entry, Recorded, ResourcePolicy, ResourceType, Service, gives_tags};
use escale_store::Image;
use escale_tables::ecr::Repository;
use std::sync::Arc;

/// The ECR service, as the wiring registers it.
pub struct Ecr {
    repositories: Arc<Repositories>,
}

impl Ecr {
    pub fn new(registry: Arc<dyn Registry>) -> Ecr {
        Ecr { repositories: Arc::new(Repositories::new(registry)) }
    }

    /// The connection to the plane, for the distribution API and the reconciler.
    pub fn repositories(&self) -> Arc<Repositories> {
        Arc::clone(&self.repositories)
    }
}

impl Service for Ecr {
    fn id(&self) -> &'static str {
        "ecr"
    }
    fn operations(&self) -> Vec<Entry> {
        let mut all = ops::all();
        all.extend(streams::all(&self.repositories));
        all
    }
    fn tagging(&self, operation: &str, input: &Value, resources: &[String]) -> Option<Also> {
        let tagged = operation != "TagResource" && gives_tags(input, "/tags");
        tagged.then(|| Also::tagging("ecr:TagResource", resources))
    }
    fn recorded(&self) -> &'static [Recorded] {
        recorded::RECORDED
    }
    fn resource_policies(
        &self,
        image: &Image,
        _config: &Config,
        _operation: &str,
        input: &Value,
    ) -> Vec<ResourcePolicy> {
        let name = input.get("repositoryName").and_then(Value::as_str).unwrap_or_default();
        let policy = image.get::<Repository>(name).and_then(|r| r.policy.clone());
        policy.map(|document| ResourcePolicy { document }).into_iter().collect()
    }
    fn resource_types(&self) -> Vec<ResourceType> {
        cfn::types()
    }
}
