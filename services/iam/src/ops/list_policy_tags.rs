//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListPolicyTags.html>

use crate::{Error, paging};
use escale_base::{Tag, Wire};
use escale_service::{Cx, Operation};

pub(crate) struct ListPolicyTags;

#[derive(Wire)]
pub(crate) struct Input {
    policy_arn: String,
    marker: Option<String>,
    max_items: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    tags: Vec<Tag>,
    is_truncated: bool,
    marker: Option<String>,
}

impl Operation for ListPolicyTags {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![input.policy_arn.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut tags = super::policy(cx, &input.policy_arn)?.tags.clone();
        tags.sort();
        let cut = paging::cut(tags, |t| t.key.clone(), input.marker.as_deref(), input.max_items)?;
        Ok(Output { tags: cut.items, is_truncated: cut.is_truncated, marker: cut.marker })
    }
}
