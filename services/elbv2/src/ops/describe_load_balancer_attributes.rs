//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeLoadBalancerAttributes.html>

use crate::{
    Error,
    attributes::{self, Attribute},
    rules,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct DescribeLoadBalancerAttributes;

#[derive(Wire)]
pub(crate) struct Input {
    load_balancer_arn: String,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) attributes: Vec<Attribute>,
}

impl Operation for DescribeLoadBalancerAttributes {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let balancer = rules::load_balancer(cx, &input.load_balancer_arn)?;
        Ok(Output {
            attributes: attributes::show(attributes::of_balancer(balancer.kind), &balancer.attributes),
        })
    }
}
