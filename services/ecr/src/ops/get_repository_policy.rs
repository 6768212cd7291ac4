//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetRepositoryPolicy.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ecr::RepositoryName;

pub(crate) struct GetRepositoryPolicy;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    pub(super) registry_id: Option<String>,
    pub(super) repository_name: RepositoryName,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    pub(super) registry_id: String,
    pub(super) repository_name: RepositoryName,
    pub(crate) policy_text: String,
}

impl Operation for GetRepositoryPolicy {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx.config, &input.repository_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        policy(cx, input)
    }
}

/// The policy of a repository.
pub(super) fn policy(cx: &Cx<'_>, input: Input) -> Result<Output, Error> {
    let row = rules::row(cx, input.registry_id.as_deref(), &input.repository_name)?;
    let (name, account) = (input.repository_name, cx.config.account.clone());
    match &row.policy {
        Some(text) => Ok(Output { registry_id: account, repository_name: name, policy_text: text.clone() }),
        None => Err(Error::NoPolicy { name, account }),
    }
}
