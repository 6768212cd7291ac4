//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetLifecyclePolicy.html>

use crate::{Error, rules};
use escale_base::{Timestamp, Wire};
use escale_service::{Cx, Operation};
use escale_tables::ecr::{LifecyclePolicyText, LifecycleSeen, RepositoryName};

pub(crate) struct GetLifecyclePolicy;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    registry_id: Option<String>,
    pub(super) repository_name: RepositoryName,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    pub(crate) registry_id: String,
    pub(super) repository_name: RepositoryName,
    pub(crate) lifecycle_policy_text: LifecyclePolicyText,
    /// None before the first evaluation.
    last_evaluated_at: Option<Timestamp>,
}

impl Operation for GetLifecyclePolicy {
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

/// The lifecycle policy of a repository.
pub(super) fn policy(cx: &Cx<'_>, input: Input) -> Result<Output, Error> {
    let row = rules::row(cx, input.registry_id.as_deref(), &input.repository_name)?;
    let (name, account) = (input.repository_name, cx.config.account.clone());
    let Some(policy) = &row.lifecycle else { return Err(Error::NoLifecyclePolicy { name, account }) };
    Ok(Output {
        registry_id: account,
        last_evaluated_at: cx.tx.get::<LifecycleSeen>(&name).map(|seen| seen.at),
        repository_name: name,
        lifecycle_policy_text: policy.text.clone(),
    })
}
