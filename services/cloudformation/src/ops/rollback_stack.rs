//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_RollbackStack.html>

use crate::deployment::{self, DeploymentConfig};
use crate::{Error, begin, find, role, status, update};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudformation::{ClientRequestToken, OnFailure, Phase, ServiceRoleArn, Stack, StackArn};

/// Returns to the last stable content of a stack whose creation or update failed without a rollback.
pub(crate) struct RollbackStack;

#[derive(Wire)]
pub(crate) struct Input {
    stack_name: String,
    client_request_token: Option<ClientRequestToken>,
    retain_except_on_create: Option<bool>,
    #[wire("RoleARN")]
    role_arn: Option<ServiceRoleArn>,
    deployment_config: Option<DeploymentConfig>,
}

#[derive(Wire)]
pub(crate) struct Output {
    stack_id: StackArn,
}

impl Operation for RollbackStack {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        super::stack_arns(cx, &input.stack_name)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        deployment::check(input.deployment_config.as_ref())?;
        let stack = find::created(cx.tx, &input.stack_name)?;
        if !matches!(stack.phase, Phase::CreateFailed | Phase::UpdateFailed) {
            let status = status::stack(stack.phase);
            return Err(Error::invalid(format!(
                "Stack [{}] cannot be rolled back in its current status of [{status}]: it must be CREATE_FAILED or \
                 UPDATE_FAILED",
                stack.name
            )));
        }
        let mut changed = Stack {
            on_failure: OnFailure::Rollback,
            token: input.client_request_token,
            retain_except_on_create: input.retain_except_on_create.unwrap_or(stack.retain_except_on_create),
            ..(*stack).clone()
        };
        role::act(cx, &mut changed, input.role_arn)?;
        cx.tx.put(changed.clone());
        update::rollback(cx, &changed, begin::BY_USER.into())?;
        Ok(Output { stack_id: stack.arn.clone() })
    }
}
