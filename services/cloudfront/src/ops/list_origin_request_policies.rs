//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_ListOriginRequestPolicies.html>

use crate::{Error, policies, rules, shapes};
use escale_base::{Wire, paging};
use escale_service::{Cx, Operation};

pub(crate) struct ListOriginRequestPolicies;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("Type")]
    kind: Option<String>,
    marker: Option<String>,
    max_items: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    origin_request_policy_list: List,
}

#[derive(Wire)]
pub(crate) struct List {
    next_marker: Option<String>,
    max_items: usize,
    quantity: usize,
    items: Option<Vec<Summary>>,
}

#[derive(Wire)]
pub(crate) struct Summary {
    #[wire("Type")]
    kind: &'static str,
    origin_request_policy: shapes::RequestPolicyShape,
}

impl Operation for ListOriginRequestPolicies {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    /// The managed ones: there are no others.
    fn run(_cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let all = if input.kind.as_deref() == Some("custom") { &[] } else { policies::REQUEST };
        let size = rules::page_size(input.max_items.as_deref())?;
        let page = paging::page(all, |p| p.id.to_owned(), input.marker.as_deref().filter(|m| !m.is_empty()), size)?;
        let summary =
            |p: &&'static _| Summary { kind: "managed", origin_request_policy: shapes::request_policy(p) };
        let items: Vec<Summary> = page.items.iter().map(summary).collect();
        let (quantity, items) = (items.len(), Some(items).filter(|i| !i.is_empty()));
        Ok(Output { origin_request_policy_list: List { next_marker: page.next, max_items: size, quantity, items } })
    }
}
