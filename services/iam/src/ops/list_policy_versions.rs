//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListPolicyVersions.html>

use crate::{Error, aws_managed, paging, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::PolicyArn;

pub(crate) struct ListPolicyVersions;

#[derive(Wire)]
pub(crate) struct Input {
    policy_arn: PolicyArn,
    marker: Option<String>,
    max_items: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) versions: Vec<shapes::VersionShape>,
    pub(crate) is_truncated: bool,
    pub(crate) marker: Option<String>,
}

impl Operation for ListPolicyVersions {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![input.policy_arn.to_string()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let all = match aws_managed::find(&input.policy_arn) {
            Some(managed) => vec![shapes::aws_version(managed)],
            None => {
                let policy = super::policy(cx, &input.policy_arn)?;
                policy.versions.iter().map(|v| shapes::version(v, &policy)).collect()
            }
        };
        // Padded, so that v10 comes after v9.
        let key = |v: &shapes::VersionShape| format!("{:>12}", v.version_id);
        let cut = paging::cut(all, key, input.marker.as_deref(), input.max_items)?;
        Ok(Output { versions: cut.items, is_truncated: cut.is_truncated, marker: cut.marker })
    }
}
