//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeListeners.html>

use crate::{Error, error::invalid, rules, shapes};
use escale_base::{Wire, paging};
use escale_service::{Cx, Operation};

pub(crate) struct DescribeListeners;

#[derive(Wire)]
pub(crate) struct Input {
    load_balancer_arn: Option<String>,
    listener_arns: Vec<String>,
    marker: Option<String>,
    page_size: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) listeners: Vec<shapes::ListenerShape>,
    next_marker: Option<String>,
}

impl Operation for DescribeListeners {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let found = match (&input.load_balancer_arn, input.listener_arns.is_empty()) {
            (Some(arn), true) => {
                rules::load_balancer(cx, arn)?;
                rules::listeners_of(cx.tx, arn)
            }
            (None, false) => {
                input.listener_arns.iter().map(|arn| rules::listener(cx, arn)).collect::<Result<_, _>>()?
            }
            _ => return Err(invalid("You must specify either listener ARNs or a load balancer ARN")),
        };
        let size = rules::page_size(input.page_size)?;
        let shapes = found.iter().map(|l| shapes::listener(cx.tx, l));
        let page = paging::page(shapes, |l| l.listener_arn.clone(), input.marker.as_deref(), size)?;
        Ok(Output { listeners: page.items, next_marker: page.next })
    }
}
