//! <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetResourcePolicy.html>

use crate::{Error, rules, shapes::Named};
use escale_base::Wire;
use escale_service::{Cx, Operation};

/// Always answers without a policy, since PutResourcePolicy is not supported.
pub(crate) struct GetResourcePolicy;

#[derive(Wire)]
pub(crate) struct Input {
    secret_id: String,
}

impl Operation for GetResourcePolicy {
    type Input = Input;
    type Output = Named;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        rules::arn_for_policy(cx, &input.secret_id)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Named, Error> {
        Ok(Named::of(&*rules::find(cx.tx, &input.secret_id, cx.now)?))
    }
}
