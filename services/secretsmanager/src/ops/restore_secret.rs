//! <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RestoreSecret.html>

use crate::{Error, rules, shapes::Named};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::secretsmanager::StoredSecret;

pub(crate) struct RestoreSecret;

#[derive(Wire)]
pub(crate) struct Input {
    secret_id: String,
}

impl Operation for RestoreSecret {
    type Input = Input;
    type Output = Named;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        rules::arn_for_policy(cx, &input.secret_id)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Named, Error> {
        let secret = rules::find(cx.tx, &input.secret_id, cx.now)?;
        cx.tx.update(&secret.name, |s: &mut StoredSecret| s.deletion = None);
        Ok(Named::of(&secret))
    }
}
