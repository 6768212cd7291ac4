//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CancelUpdateStack.html>

use crate::{Error, find, reconcile, status};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudformation::{ClientRequestToken, OnFailure, Phase, Stack};

/// Ends a running update and returns to the stack's content before it.
pub(crate) struct CancelUpdateStack;

#[derive(Wire)]
pub(crate) struct Input {
    stack_name: String,
    client_request_token: Option<ClientRequestToken>,
}

impl Operation for CancelUpdateStack {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        super::stack_arns(cx, &input.stack_name)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let stack = find::created(cx.tx, &input.stack_name)?;
        if stack.phase != Phase::Updating {
            let status = status::stack(stack.phase);
            return Err(Error::invalid(format!(
                "CancelUpdateStack cannot be called from current stack status: {status}"
            )));
        }
        // Cancelling is a wish to return, also where a failure would keep the resources as they are.
        let changed = Stack {
            on_failure: OnFailure::Rollback,
            token: input.client_request_token.or_else(|| stack.token.clone()),
            ..(*stack).clone()
        };
        cx.tx.put(changed.clone());
        reconcile::fail(cx, &changed, Some("User Initiated"))
    }
}
