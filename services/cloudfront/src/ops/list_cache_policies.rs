//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_ListCachePolicies.html>

use crate::policies::PolicyType;
use crate::{
    Error, policies,
    rules::{self, List},
    shapes,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct ListCachePolicies;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("Type")]
    kind: Option<PolicyType>,
    marker: Option<String>,
    max_items: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    cache_policy_list: List<Summary>,
}

#[derive(Wire)]
pub(crate) struct Summary {
    #[wire("Type")]
    kind: PolicyType,
    cache_policy: shapes::CachePolicyShape,
}

impl Operation for ListCachePolicies {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    /// Lists AWS's managed policies. Custom policies are not supported.
    fn run(_cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let all = if input.kind == Some(PolicyType::Custom) { &[] } else { policies::CACHE };
        let max = input.max_items.as_deref();
        let page = rules::page_of(all, |p| p.id.to_owned(), input.marker.as_deref(), max)?;
        let cache_policy_list = List::of(page, max, |p| Summary {
            kind: PolicyType::Managed,
            cache_policy: shapes::cache_policy(p),
        })?;
        Ok(Output { cache_policy_list })
    }
}
