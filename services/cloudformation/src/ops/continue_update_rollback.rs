//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ContinueUpdateRollback.html>

use crate::{Error, begin, events, find, role, status};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudformation::{
    ClientRequestToken, LogicalId, Phase, ResourceState, ServiceRoleArn, Stack, StackResource,
};

/// Repeats a rollback that failed.
pub(crate) struct ContinueUpdateRollback;

#[derive(Wire)]
pub(crate) struct Input {
    stack_name: String,
    /// These resources stay as they are.
    resources_to_skip: Vec<LogicalId>,
    client_request_token: Option<ClientRequestToken>,
    #[wire("RoleARN")]
    role_arn: Option<ServiceRoleArn>,
}

#[derive(Wire)]
pub(crate) struct Output {}

impl Operation for ContinueUpdateRollback {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        super::stack_arns(cx, &input.stack_name)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let stack = find::created(cx.tx, &input.stack_name)?;
        if stack.phase != Phase::UpdateRollbackFailed {
            let status = status::stack(stack.phase);
            return Err(Error::invalid(format!(
                "Stack:{} is in {status} state and can not continue update rollback.",
                stack.arn
            )));
        }
        let rows = find::resources(cx.tx, &stack.uuid);
        let has_failed = |row: &StackResource| row.is_current() && row.state == ResourceState::UpdateFailed;
        for named in &input.resources_to_skip {
            if !rows.iter().any(|row| row.logical_id == *named && has_failed(row)) {
                return Err(Error::invalid(format!(
                    "The specified resources to skip must be in UPDATE_FAILED state: [{named}]"
                )));
            }
        }
        let mut changed = Stack { token: input.client_request_token, ..(*stack).clone() };
        role::act(cx, &mut changed, input.role_arn)?;
        cx.tx.put(changed);
        events::enter(cx.tx, &stack.uuid, Phase::UpdateRollingBack, Some(begin::BY_USER.into()), cx.now);
        for row in rows.iter().filter(|row| has_failed(row)) {
            let mut row = StackResource { waiting_for: None, since: cx.now, ..(**row).clone() };
            if input.resources_to_skip.contains(&row.logical_id) {
                (row.state, row.applied) = (ResourceState::Updated, stack.content);
                row.reason = Some("Resource update was skipped".into());
                events::resource(cx.tx, &row, row.reason.clone(), cx.now);
            } else {
                row.pending = true;
            }
            cx.tx.put(row);
        }
        Ok(Output {})
    }
}
