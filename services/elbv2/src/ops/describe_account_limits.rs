//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeAccountLimits.html>

use crate::Error;
use escale_base::{Wire, paging};
use escale_service::{Cx, Operation};

pub(crate) struct DescribeAccountLimits;

#[derive(Wire)]
pub(crate) struct Input {
    marker: Option<String>,
    page_size: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    limits: Vec<Limit>,
    next_marker: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Limit {
    name: &'static str,
    max: &'static str,
}

/// The quotas that Escale enforces, sorted by name as paging requires.
const LIMITS: [Limit; 5] = [
    Limit { name: "condition-values-per-alb-rule", max: "5" },
    Limit { name: "listeners-per-application-load-balancer", max: "50" },
    Limit { name: "rules-per-application-load-balancer", max: "100" },
    Limit { name: "target-groups-per-action-on-application-load-balancer", max: "5" },
    Limit { name: "targets-per-target-group", max: "1000" },
];

impl Operation for DescribeAccountLimits {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(_cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let size = crate::rules::page_size(input.page_size)?;
        let page = paging::page(LIMITS, |l| l.name.to_owned(), input.marker.as_deref(), size)?;
        Ok(Output { limits: page.items, next_marker: page.next })
    }
}
