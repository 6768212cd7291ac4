//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DeleteRepositoryPolicy.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ecr::Repository;

pub(crate) struct DeleteRepositoryPolicy;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    registry_id: Option<String>,
    repository_name: String,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    registry_id: String,
    repository_name: String,
    policy_text: String,
}

impl Operation for DeleteRepositoryPolicy {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx.config, &input.repository_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = rules::row(cx, input.registry_id.as_deref(), &input.repository_name)?;
        let (name, account) = (input.repository_name, cx.config.account.clone());
        let Some(policy_text) = row.policy.clone() else { return Err(Error::NoPolicy { name, account }) };
        cx.tx.update::<Repository, ()>(&name, |r| r.policy = None);
        Ok(Output { registry_id: account, repository_name: name, policy_text })
    }
}
