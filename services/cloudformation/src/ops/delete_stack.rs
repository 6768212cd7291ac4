//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteStack.html>

use crate::choices::DeletionMode;
use crate::deployment::{self, DeploymentConfig};
use crate::{Error, begin, deletion, events, find, nested, role};
use escale_base::{AwsError, Wire};
use escale_service::{Cx, Operation};
use escale_tables::cloudformation::{ClientRequestToken, LogicalId, Phase, ServiceRoleArn, Stack};

pub(crate) struct DeleteStack;

#[derive(Wire)]
pub(crate) struct Input {
    stack_name: String,
    retain_resources: Vec<LogicalId>,
    client_request_token: Option<ClientRequestToken>,
    deletion_mode: Option<DeletionMode>,
    #[wire("RoleARN")]
    role_arn: Option<ServiceRoleArn>,
    deployment_config: Option<DeploymentConfig>,
}

impl Operation for DeleteStack {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        super::stack_arns(cx, &input.stack_name)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        deployment::check(input.deployment_config.as_ref())?;
        // Deleting a stack that does not exist succeeds, as on AWS.
        let Some(stack) = find::stack_if_any(cx.tx, &input.stack_name) else { return Ok(()) };
        if let Some(mode) = input.deletion_mode.filter(|m| *m != DeletionMode::Standard) {
            return Err(AwsError::not_supported(format_args!("The DeletionMode {mode}"))
                .hint("Use STANDARD, and list resources that cannot be deleted in RetainResources.")
                .into());
        }
        let name = &stack.name;
        if matches!(stack.phase, Phase::Deleting | Phase::Deleted) {
            return Ok(());
        }
        if stack.phase.is_updating() {
            let status = crate::status::stack(stack.phase);
            return Err(Error::invalid(format!("Stack [{name}] cannot be deleted while in status {status}")));
        }
        // Of a nested stack, the root has the protection.
        if nested::root(cx.tx, &stack).termination_protection {
            return Err(Error::invalid(format!(
                "Stack [{name}] cannot be deleted while TerminationProtection is enabled"
            )));
        }
        if !input.retain_resources.is_empty() && stack.phase != Phase::DeleteFailed {
            return Err(Error::invalid(format!(
                "Invalid operation on stack [{}]. RetainResources can only be specified for stacks in the DELETE_FAILED \
                 state.",
                stack.arn
            )));
        }
        deletion::unused(cx, &stack)?;
        deletion::retry_failed(cx, &stack, &input.retain_resources)?;
        // The deletion has the permissions of its own caller or role, not those of the stack's creator.
        let mut changed = Stack { token: input.client_request_token, ..(*stack).clone() };
        role::act(cx, &mut changed, input.role_arn)?;
        cx.tx.put(changed);
        events::enter(cx.tx, &stack.uuid, Phase::Deleting, Some(begin::BY_USER.into()), cx.now);
        Ok(())
    }
}
