//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_ListOriginRequestPolicies.html>

use super::create_origin_request_policy::{Shape, shape};
use crate::{
    Error,
    policies::{self, PolicyType},
    rules::List,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::OriginRequestPolicy;

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
    origin_request_policy: Shape,
}

impl Operation for ListOriginRequestPolicies {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let max = input.max_items.as_deref();
        let page = policies::page::<OriginRequestPolicy>(cx.tx, input.kind, input.marker.as_deref(), max)?;
        let summary = |row: &policies::Listed<OriginRequestPolicy>| Summary {
            kind: row.kind,
            origin_request_policy: shape(&row.policy),
        };
        Ok(Output { origin_request_policy_list: List::of(page, max, summary)? })
    }
}
