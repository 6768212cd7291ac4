//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListPolicies.html>

use crate::choices::PolicyUsageType;
use crate::{Error, aws_managed, paging, shapes};
use escale_base::{AwsError, Wire, choice};
use escale_service::{Cx, Operation};
use escale_tables::iam::Policy;

pub(crate) struct ListPolicies;

#[derive(Wire)]
pub(crate) struct Input {
    scope: Option<Scope>,
    only_attached: Option<bool>,
    path_prefix: Option<String>,
    policy_usage_filter: Option<PolicyUsageType>,
    marker: Option<String>,
    max_items: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    policies: Vec<shapes::PolicyShape>,
    is_truncated: bool,
    marker: Option<String>,
}

choice! {
    pub(crate) enum Scope { All = "All", Aws = "AWS", Local = "Local" }
}

impl Operation for ListPolicies {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        if let Some(filter) = input.policy_usage_filter.filter(|f| *f != PolicyUsageType::PermissionsPolicy) {
            return Err(AwsError::not_supported(format_args!("The PolicyUsageFilter {filter}"))
                .hint("Use PermissionsPolicy.")
                .into());
        }
        let scope = input.scope.unwrap_or(Scope::All);
        let mut found = Vec::new();
        if scope != Scope::Aws {
            found.extend(cx.tx.scan::<Policy>().map(|row| shapes::policy(&row, cx.tx)));
        }
        if scope != Scope::Local {
            found.extend(aws_managed::all().map(|managed| shapes::aws_policy(managed, cx.tx)));
        }
        let prefix = input.path_prefix.as_deref().unwrap_or("/");
        found.retain(|p| p.path.starts_with(prefix));
        if input.only_attached == Some(true) {
            found.retain(|p| p.attachment_count > 0);
        }
        // The list has customer managed policies before AWS managed ones, but pages are in the order of ARNs.
        found.sort_by(|a, b| a.arn.cmp(&b.arn));
        let cut = paging::cut(found, |p| p.arn.to_string(), input.marker.as_deref(), input.max_items)?;
        let without_details = |p| shapes::PolicyShape { tags: None, description: None, ..p };
        Ok(Output {
            policies: cut.items.into_iter().map(without_details).collect(),
            is_truncated: cut.is_truncated,
            marker: cut.marker,
        })
    }
}
