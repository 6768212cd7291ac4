//! STS: who am I, and credentials for a while. Sessions are access keys in IAM's table, which this service writes and the
//! gate reads through IAM.
//!
//! A role's trust document is the policy of that role as a resource: the gate weighs it together with the caller's own,
//! and `AssumeRole` asks it once more on its own, since nobody gets into a role without it. Session policies, federation
//! and multi-factor devices do not exist here and are refused by name.

mod error;
mod ops;
mod session;

use error::Error;
use escale_base::{Arn, wire::Value};
use escale_service::{Entry, ResourcePolicy, Service};
use escale_store::Image;
use escale_tables::iam::Role;

/// The service, for the wiring.
pub struct Sts;

impl Service for Sts {
    fn id(&self) -> &'static str {
        "sts"
    }
    fn global(&self) -> bool {
        true
    }
    fn operations(&self) -> Vec<Entry> {
        ops::all()
    }
    fn resource_policies(&self, image: &Image, operation: &str, input: &Value) -> Vec<ResourcePolicy> {
        if operation != "AssumeRole" {
            return Vec::new();
        }
        let arn = input.get("RoleArn").and_then(Value::as_str).and_then(|a| a.parse::<Arn>().ok());
        let role = arn.and_then(|arn| image.get::<Role>(role_name(&arn)));
        role.map(|r| ResourcePolicy { document: r.trust.clone() }).into_iter().collect()
    }
}

/// The last segment: a role's ARN carries its path.
fn role_name(arn: &Arn) -> &str {
    arn.resource.rsplit('/').next().unwrap_or_default()
}
