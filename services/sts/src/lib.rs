//! STS: the caller's identity, and temporary credentials. Sessions are access keys in IAM's table: this service writes them, and
//! the gate reads them through IAM.
//!
//! A role's trust policy is the role's resource policy. The gate evaluates it together with the caller's own policies, and
//! `AssumeRole` evaluates it once more alone, because a role must trust its caller. Session policies, federation and MFA do not
//! exist here and are refused by name.

mod error;
mod ops;
mod session;

use error::Error;
use escale_base::{Arn, wire::Value};
use escale_service::{Config, Entry, ResourcePolicy, Service};
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
    fn resource_policies(
        &self,
        image: &Image,
        _config: &Config,
        operation: &str,
        input: &Value,
    ) -> Vec<ResourcePolicy> {
        if operation != "AssumeRole" {
            return Vec::new();
        }
        let arn = input.get("RoleArn").and_then(Value::as_str).and_then(|a| a.parse::<Arn>().ok());
        // A missing role has no policy. The operation then refuses the request.
        let role = arn.and_then(|arn| image.get::<Role>(role_name(&arn)));
        role.map(|r| ResourcePolicy { document: r.trust.clone() }).into_iter().collect()
    }
}

/// The name of a role: the last segment of its ARN, after the path.
fn role_name(arn: &Arn) -> &str {
    arn.resource.rsplit('/').next().unwrap_or_default()
}
