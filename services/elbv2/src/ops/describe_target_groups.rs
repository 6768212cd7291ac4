//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetGroups.html>

use crate::{Error, rules, shapes};
use escale_base::{Wire, paging};
use escale_service::{Cx, Operation};
use escale_tables::elbv2::TargetGroup;

pub(crate) struct DescribeTargetGroups;

#[derive(Wire)]
pub(crate) struct Input {
    load_balancer_arn: Option<String>,
    target_group_arns: Vec<String>,
    names: Vec<String>,
    marker: Option<String>,
    page_size: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) target_groups: Vec<shapes::GroupShape>,
    next_marker: Option<String>,
}

impl Operation for DescribeTargetGroups {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        for arn in &input.target_group_arns {
            rules::target_group(cx, arn)?;
        }
        if let Some(arn) = &input.load_balancer_arn {
            rules::load_balancer(cx, arn)?;
        }
        let all: Vec<_> = cx.tx.scan::<TargetGroup>().collect();
        if let Some(name) = input.names.iter().find(|n| !all.iter().any(|g| g.name == **n)) {
            return Err(Error::NoTargetGroup(name.clone()));
        }
        let any = input.target_group_arns.is_empty() && input.names.is_empty();
        let chosen = all
            .iter()
            .filter(|g| {
                any || input.target_group_arns.iter().any(|arn| *arn == g.arn)
                    || input.names.contains(&g.name)
            })
            .map(|g| shapes::group(cx.tx, g))
            .filter(|g| {
                input.load_balancer_arn.as_ref().is_none_or(|arn| g.load_balancer_arns.contains(arn))
            });
        let size = rules::page_size(input.page_size)?;
        let page = paging::page(chosen, |g| g.target_group_arn.clone(), input.marker.as_deref(), size)?;
        Ok(Output { target_groups: page.items, next_marker: page.next })
    }
}
