//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ExecuteChangeSet.html>

use crate::choices::ChangeSetStatus;
use crate::{
    Error, begin, find, imports, role, status,
    update::{apply, obsolete, updatable},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudformation::{ChangeSet, ChangeSetPhase, ClientRequestToken, OnFailure, Phase, Stack};

pub(crate) struct ExecuteChangeSet;

#[derive(Wire)]
pub(crate) struct Input {
    change_set_name: String,
    stack_name: Option<String>,
    client_request_token: Option<ClientRequestToken>,
    disable_rollback: Option<bool>,
    retain_except_on_create: Option<bool>,
}

impl Operation for ExecuteChangeSet {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        input.stack_name.as_deref().map(|name| super::stack_arns(cx, name)).unwrap_or_default()
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let (stack, set) = find::change_set(cx.tx, &input.change_set_name, input.stack_name.as_deref())?;
        let executed = set.phase == ChangeSetPhase::Executed;
        if executed && input.client_request_token.is_some() && stack.token == input.client_request_token {
            // A retry of a client that did not receive the answer.
            return Ok(());
        }
        if let Some(above) = &set.above {
            return Err(Error::invalid(format!(
                "ChangeSet [{}] belongs to a nested stack: execute the change set of its root, {}",
                set.arn, above.root
            )));
        }
        let is_creation = stack.phase == Phase::Review;
        if set.phase != ChangeSetPhase::Available || !(is_creation || updatable(&stack).is_ok()) {
            let (status, execution) = status::change_set(&set);
            let status = match status {
                ChangeSetStatus::Failed => status.to_string(),
                _ => execution.to_string(),
            };
            return Err(Error::ChangeSetStatus(set.arn.clone(), status));
        }
        let on_failure = match (set.on_failure, input.disable_rollback) {
            (Some(_), Some(_)) => {
                return Err(Error::invalid(
                    "DisableRollback cannot be specified: the change set was created with OnStackFailure",
                ));
            }
            (Some(on), None) => on,
            (None, Some(true)) => OnFailure::DoNothing,
            (None, _) => OnFailure::Rollback,
        };
        cx.tx.put(ChangeSet { phase: ChangeSetPhase::Executed, ..(*set).clone() });
        obsolete(cx, &stack.uuid, Some(&set.arn));
        let mut stack = Stack {
            on_failure,
            retain_except_on_create: input.retain_except_on_create.unwrap_or(false),
            change_set: Some(set.arn.clone()),
            token: input.client_request_token,
            executed: Some(cx.now),
            ..(*stack).clone()
        };
        let cloud = cx.cloud();
        role::act_as_passed(cx, &mut stack, set.role.clone())?;
        if !set.imports.is_empty() {
            imports::start(cx, stack, set.content.clone(), &set.imports);
            return Ok(());
        }
        if is_creation {
            begin::creation(cx, stack, set.content.clone());
            return Ok(());
        }
        apply(cloud, cx, stack, set.content.clone())
    }
}
