//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyLoadBalancerAttributes.html>

use crate::{
    Error,
    attributes::{self, Attribute},
    logs, rules,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct ModifyLoadBalancerAttributes;

#[derive(Wire)]
pub(crate) struct Input {
    load_balancer_arn: String,
    attributes: Vec<Attribute>,
}

#[derive(Wire)]
pub(crate) struct Output {
    attributes: Vec<Attribute>,
}

impl Operation for ModifyLoadBalancerAttributes {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![input.load_balancer_arn.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut balancer = (*rules::load_balancer(cx, &input.load_balancer_arn)?).clone();
        let all = attributes::of_balancer(balancer.kind);
        attributes::set(all, &mut balancer.attributes, input.attributes)?;
        logs::check(cx, &balancer)?;
        let attributes = attributes::show(all, &balancer.attributes);
        cx.tx.put(balancer);
        Ok(Output { attributes })
    }
}
