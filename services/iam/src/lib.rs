//! IAM: users, roles, policies, and what they allow.
//!
//! Operations write rows; nothing has to be brought about. The other half is [`Iam`]'s [`escale_service::Identity`]: the
//! gate asks it who holds a key and whether a caller may do what it asks, for every request. The evaluation itself is pure
//! and stands in `escale-policy`.
//!
//! There are no groups, no permissions boundaries and no identity providers: operations that need one are refused by name.

mod aws_managed;
mod bearer;
mod cfn;
mod choices;
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
    /// The account's root key.
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
