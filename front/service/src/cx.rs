//! The context of a synchronous operation.

use crate::{Asked, Caller, Cloud, Config};
use escale_base::{Arn, AwsError, Timestamp};
use escale_store::Tx;

/// The context of one call: its transaction, its caller, the time.
pub struct Cx<'a> {
    /// The transaction. Committed when the operation succeeds, discarded when it fails.
    pub tx: &'a mut Tx,
    pub caller: &'a Caller,
    pub config: &'a Config,
    pub now: Timestamp,
    pub(crate) cloud: &'a Cloud,
}

impl<'a> Cx<'a> {
    /// All services, for a service that works with the resource types of the others.
    pub fn cloud(&self) -> &'a Cloud {
        self.cloud
    }

    /// The region that the client called.
    pub fn region(&self) -> &'a str {
        self.caller.region.unwrap_or(&self.config.region)
    }

    /// The ARN of a regional resource of the caller's account.
    pub fn arn(&self, service: &str, resource: impl Into<String>) -> Arn {
        Arn::new(service, &self.config.region, &self.config.account, resource)
    }

    /// Checks that the caller may pass this role to a service (`ecs-tasks.amazonaws.com`), which then acts under it. Every
    /// operation that takes a role must call this; otherwise its callers would have the rights of every role.
    ///
    /// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html>
    pub fn pass_role(&self, role_arn: &str, service: &str) -> Result<(), AwsError> {
        let asked = Asked {
            action: "iam:PassRole",
            resources: &[role_arn.to_owned()],
            keys: &[("iam:passedtoservice", service)],
            policies: &[],
        };
        self.cloud.ask(self.tx, self.caller, &asked)
    }
}
