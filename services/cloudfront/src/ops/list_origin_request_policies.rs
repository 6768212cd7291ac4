//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_ListOriginRequestPolicies.html>

use crate::policies::PolicyType;
use crate::{
    Error, policies,
    rules::{self, List},
    shapes,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct ListOriginRequestPolicies;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("Type")]
    kind: Option<PolicyType>,
    marker: Option<String>,
    max_items: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    origin_request_policy_list: List<Summary>,
}

#[derive(Wire)]
pub(crate) struct Summary {
    #[wire("Type")]
    kind: PolicyType,
    origin_request_policy: shapes::RequestPolicyShape,
}

impl Operation for ListOriginRequestPolicies {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    /// Lists AWS's managed policies. Custom policies are not supported.
    fn run(_cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let all = if input.kind == Some(PolicyType::Custom) { &[] } else { policies::REQUEST };
        let max = input.max_items.as_deref();
        let page = rules::page_of(all, |p| p.id.to_owned(), input.marker.as_deref(), max)?;
        let origin_request_policy_list = List::of(page, max, |p| Summary {
            kind: PolicyType::Managed,
            origin_request_policy: shapes::request_policy(p),
        })?;
        Ok(Output { origin_request_policy_list })
    }
}
