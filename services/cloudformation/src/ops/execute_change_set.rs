//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ExecuteChangeSet.html>

use crate::choices::ChangeSetStatus;
use crate::{Error, begin, find, status};
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
        if set.phase != ChangeSetPhase::Available || stack.phase != Phase::Review {
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
        // The stack's other change sets describe its creation, too, so they are obsolete now.
        let others: Vec<_> = cx.tx.prefix::<ChangeSet>(&format!("{}/", stack.uuid)).collect();
        for other in others.iter().filter(|o| o.name != set.name) {
            cx.tx.delete::<ChangeSet>(&ChangeSet::key_of(&stack.uuid, &other.name));
        }
        cx.tx.put(ChangeSet { phase: ChangeSetPhase::Executed, ..(*set).clone() });
        let stack = Stack {
            content: set.content.clone(),
            on_failure,
            retain_except_on_create: input.retain_except_on_create.unwrap_or(false),
            change_set: Some(set.arn.clone()),
            token: input.client_request_token,
            principal: begin::principal(cx.caller),
            executed: Some(cx.now),
            ..(*stack).clone()
        };
        begin::creation(cx, stack);
        Ok(())
    }
}
