//! What a synchronous operation gets.

use crate::{Asked, Caller, Cloud, Config};
use escale_base::{Arn, AwsError, Timestamp, wire::Value};
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

    /// Calls another service's operation as the same caller, in the same transaction: IAM decides as if the
    /// client had sent it. Its failure leaves this transaction as it was before the call.
    pub fn call(&mut self, service: &str, operation: &str, input: Value) -> Result<Value, AwsError> {
        self.call_for(self.caller, service, operation, input)
    }

    /// The same as the service principal `name`: what AWS does through a service-linked role.
    pub fn call_as(
        &mut self,
        name: &str,
        service: &str,
        operation: &str,
        input: Value,
    ) -> Result<Value, AwsError> {
        self.call_for(&Caller::service(name), service, operation, input)
    }

    fn call_for(
        &mut self,
        caller: &Caller,
        service: &str,
        operation: &str,
        input: Value,
    ) -> Result<Value, AwsError> {
        let (cloud, config, now) = (self.cloud, self.config, self.now);
        self.tx.nested(|tx| {
            let mut cx = Cx { tx, caller, config, now, cloud };
            cloud.run(&mut cx, service, operation, input)
        })
    }
}
