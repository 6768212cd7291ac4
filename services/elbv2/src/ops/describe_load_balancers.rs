//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeLoadBalancers.html>

use crate::{Error, rules, shapes};
use escale_base::{Wire, paging};
use escale_service::{Cx, Operation};
use escale_tables::elbv2::LoadBalancer;

pub(crate) struct DescribeLoadBalancers;

#[derive(Wire)]
pub(crate) struct Input {
    load_balancer_arns: Vec<String>,
    names: Vec<String>,
    marker: Option<String>,
    page_size: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) load_balancers: Vec<shapes::BalancerShape>,
    next_marker: Option<String>,
}

impl Operation for DescribeLoadBalancers {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        for arn in &input.load_balancer_arns {
            rules::load_balancer(cx, arn)?;
        }
        let all: Vec<_> = cx.tx.scan::<LoadBalancer>().collect();
        if let Some(name) = input.names.iter().find(|n| !all.iter().any(|b| b.name == **n)) {
            return Err(Error::NoLoadBalancer(name.clone()));
        }
        let any = input.load_balancer_arns.is_empty() && input.names.is_empty();
        let chosen = all
            .iter()
            .filter(|b| {
                any || input.load_balancer_arns.iter().any(|arn| *arn == b.arn)
                    || input.names.contains(&b.name)
            })
            .map(|b| shapes::balancer(cx, b));
        let size = rules::page_size(input.page_size)?;
        let page = paging::page(chosen, |b| b.load_balancer_arn.clone(), input.marker.as_deref(), size)?;
        Ok(Output { load_balancers: page.items, next_marker: page.next })
    }
}
