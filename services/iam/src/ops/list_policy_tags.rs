//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListPolicyTags.html>

use crate::{
    Error,
    shapes::{self, TagPage},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::PolicyArn;

pub(crate) struct ListPolicyTags;

#[derive(Wire)]
pub(crate) struct Input {
    policy_arn: PolicyArn,
    marker: Option<String>,
    max_items: Option<usize>,
}

impl Operation for ListPolicyTags {
    type Input = Input;
    type Output = TagPage;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![input.policy_arn.to_string()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<TagPage, Error> {
        let policy = super::policy(cx, &input.policy_arn)?;
        shapes::tag_page(&policy.tags, input.marker.as_deref(), input.max_items)
    }
}
