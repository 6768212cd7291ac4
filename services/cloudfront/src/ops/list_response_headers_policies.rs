//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_ListResponseHeadersPolicies.html>

use super::create_response_headers_policy::{Shape, shape};
use crate::{
    Error,
    policies::{self, PolicyType},
    rules::List,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::ResponseHeadersPolicy;

pub(crate) struct ListResponseHeadersPolicies;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("Type")]
    kind: Option<PolicyType>,
    marker: Option<String>,
    max_items: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    response_headers_policy_list: List<Summary>,
}

#[derive(Wire)]
pub(crate) struct Summary {
    #[wire("Type")]
    kind: PolicyType,
    response_headers_policy: Shape,
}

impl Operation for ListResponseHeadersPolicies {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let max = input.max_items.as_deref();
        let page = policies::page::<ResponseHeadersPolicy>(cx.tx, input.kind, input.marker.as_deref(), max)?;
        let summary = |row: &policies::Listed<ResponseHeadersPolicy>| Summary {
            kind: row.kind,
            response_headers_policy: shape(&row.policy),
        };
        Ok(Output { response_headers_policy_list: List::of(page, max, summary)? })
    }
}
