//! IAM: users, roles, policies, and the authorization of requests.
//!
//! Operations only write rows; there is no reconciler. [`Iam`] also implements [`escale_service::Identity`]: for every request,
//! the gate asks it which principal holds the access key and whether the request is allowed. The crate `escale-policy`
//! evaluates the policies, without side effects.
//!
//! There are no groups, permissions boundaries or identity providers. Operations that need one are refused by name.

mod aws_managed;
mod cfn;
mod choices;
mod entity;
mod error;
mod identity;
mod ops;
mod paging;
mod recorded;
mod shapes;

use escale_base::{Clock, Secret, wire::Value};
use escale_service::{Also, Entry, Recorded, ResourceType, Service, gives_tags};

pub use error::Error;

/// The service, and the [`escale_service::Identity`] of the gate.
#[derive(Clone, Debug)]
pub struct Iam {
    /// The id of the account's root key.
    pub root_key: String,
    pub root_secret: Secret<String>,
    pub account: String,
    pub region: String,
    pub clock: Clock,
}

impl Service for Iam {
    fn id(&self) -> &'static str {
        "iam"
    }
    fn global(&self) -> bool {
        true
    }
    fn operations(&self) -> Vec<Entry> {
        ops::all()
    }
    fn tagging(&self, operation: &str, input: &Value, resources: &[String]) -> Option<Also> {
        let action = match operation {
            "CreateRole" => "iam:TagRole",
            "CreateUser" => "iam:TagUser",
            "CreatePolicy" => "iam:TagPolicy",
            _ => return None,
        };
        gives_tags(input, "/Tags").then(|| Also::tagging(action, resources))
    }
    fn recorded(&self) -> &'static [Recorded] {
        recorded::RECORDED
    }
    fn resource_types(&self) -> Vec<ResourceType> {
        cfn::types()
    }
}
