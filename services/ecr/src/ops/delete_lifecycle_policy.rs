//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DeleteLifecyclePolicy.html>

use super::get_lifecycle_policy::{Input, Output, policy};
use crate::{Error, rules};
use escale_service::{Cx, Operation};
use escale_tables::ecr::Repository;

pub(crate) struct DeleteLifecyclePolicy;

impl Operation for DeleteLifecyclePolicy {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx.config, &input.repository_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let deleted = policy(cx, input)?;
        cx.tx.update::<Repository, ()>(&deleted.repository_name, |r| r.lifecycle = None);
        Ok(deleted)
    }
}
