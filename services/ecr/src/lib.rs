//! ECR: image repositories, who may push and pull, and the door through which image clients come.
//!
//! A repository is a row (`ops/`, synchronous); images are the registry plane's (`streams/`). [`Repositories`] is the
//! seam, as in S3: before the plane is asked, its repository is brought to what the row says. [`door()`] is the
//! distribution API at `/v2/`: it takes the tokens of GetAuthorizationToken and asks IAM for who holds one.
//!
//! `reconcile/` removes repositories and frees what no image needs. Nothing here stores a blob. Start at `door.rs`.

mod cfn;
mod choices;
mod door;
mod error;
mod ops;
mod policy;
mod reconcile;
mod recorded;
mod repositories;
mod rules;
mod shapes;
mod streams;

pub use door::door;
pub use error::Error;
pub use reconcile::start;
pub use repositories::Repositories;

use escale_base::wire::Value;
use escale_registry::Registry;
use escale_service::{Also, Config, Entry, Recorded, ResourcePolicy, ResourceType, Service, gives_tags};
use escale_store::Image;
use escale_tables::ecr::Repository;
use std::sync::Arc;

/// The service, for the wiring.
pub struct Ecr {
    repositories: Arc<Repositories>,
}

impl Ecr {
    pub fn new(registry: Arc<dyn Registry>) -> Ecr {
        Ecr { repositories: Arc::new(Repositories::new(registry)) }
    }

    /// The seam to the plane, for the door and the reconciler.
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
