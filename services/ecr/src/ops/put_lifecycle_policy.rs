//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutLifecyclePolicy.html>
//!
//! `reconcile/lifecycle.rs` evaluates the policy.

use crate::{Error, lifecycle, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ecr::{LifecyclePolicy, LifecyclePolicyText, Repository, RepositoryName};

pub(crate) struct PutLifecyclePolicy;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    registry_id: Option<String>,
    repository_name: RepositoryName,
    lifecycle_policy_text: LifecyclePolicyText,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    registry_id: String,
    repository_name: RepositoryName,
    lifecycle_policy_text: LifecyclePolicyText,
}

impl Operation for PutLifecyclePolicy {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx.config, &input.repository_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        rules::row(cx, input.registry_id.as_deref(), &input.repository_name)?;
        let (name, text) = (input.repository_name, input.lifecycle_policy_text);
        lifecycle::Policy::parse(&text)?;
        let policy = LifecyclePolicy { text: text.clone(), put: cx.now };
        cx.tx.update::<Repository, ()>(&name, |r| r.lifecycle = Some(policy));
        Ok(Output {
            registry_id: cx.config.account.clone(),
            repository_name: name,
            lifecycle_policy_text: text,
        })
    }
}
