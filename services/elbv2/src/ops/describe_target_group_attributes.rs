//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetGroupAttributes.html>

use crate::{
    Error,
    attributes::{self, Attribute},
    rules,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct DescribeTargetGroupAttributes;

#[derive(Wire)]
pub(crate) struct Input {
    target_group_arn: String,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) attributes: Vec<Attribute>,
}

impl Operation for DescribeTargetGroupAttributes {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let group = rules::target_group(cx, &input.target_group_arn)?;
        Ok(Output { attributes: attributes::show(attributes::of_group(group.protocol), &group.attributes) })
    }
}
