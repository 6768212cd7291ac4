//! What a synchronous operation gets.

use crate::{Asked, Caller, Cloud, Config};
use escale_base::{Arn, AwsError, Timestamp};
use escale_store::Tx;

/// One operation's surroundings: its transaction, its caller, the time.
pub struct Cx<'a> {
    /// Read and write here. Committed when the operation answers, dropped whole when it fails.
    pub tx: &'a mut Tx,
    pub caller: &'a Caller,
    pub config: &'a Config,
    pub now: Timestamp,
    pub(crate) cloud: &'a Cloud,
}

impl Cx<'_> {
    /// The ARN of a regional resource of the caller's account.
    pub fn arn(&self, service: &str, resource: impl Into<String>) -> Arn {
        Arn::new(service, &self.config.region, &self.config.account, resource)
    }

    /// May the caller hand this role to a service (`ecs-tasks.amazonaws.com`), which then acts under it? To be asked by every operation
    /// that takes a role, or whoever may call it has all rights of any role.
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
