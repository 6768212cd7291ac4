//! <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DescribeSecret.html>

use crate::{Error, rules, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct DescribeSecret;

#[derive(Wire)]
pub(crate) struct Input {
    secret_id: String,
}

impl Operation for DescribeSecret {
    type Input = Input;
    type Output = shapes::Described;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        rules::arn_for_policy(cx, &input.secret_id)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<shapes::Described, Error> {
        Ok(shapes::described(&*rules::find(cx.tx, &input.secret_id, cx.now)?))
    }
}
