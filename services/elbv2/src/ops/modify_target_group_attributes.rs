//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyTargetGroupAttributes.html>

use crate::{
    Error,
    attributes::{self, Attribute},
    rules,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct ModifyTargetGroupAttributes;

#[derive(Wire)]
pub(crate) struct Input {
    target_group_arn: String,
    attributes: Vec<Attribute>,
}

#[derive(Wire)]
pub(crate) struct Output {
    attributes: Vec<Attribute>,
}

impl Operation for ModifyTargetGroupAttributes {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![input.target_group_arn.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut group = (*rules::target_group(cx, &input.target_group_arn)?).clone();
        let all = attributes::of_group(group.protocol);
        attributes::set(all, &mut group.attributes, input.attributes)?;
        let attributes = attributes::show(all, &group.attributes);
        cx.tx.put(group);
        Ok(Output { attributes })
    }
}
