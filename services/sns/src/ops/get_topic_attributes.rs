//! <https://docs.aws.amazon.com/sns/latest/api/API_GetTopicAttributes.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::sns::TopicArn;
use std::collections::BTreeMap;

pub(crate) struct GetTopicAttributes;

#[derive(Wire)]
pub(crate) struct Input {
    topic_arn: TopicArn,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) attributes: BTreeMap<String, String>,
}

impl Operation for GetTopicAttributes {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![input.topic_arn.to_string()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let topic = rules::topic(cx.tx, &input.topic_arn)?;
        Ok(Output { attributes: rules::attributes(cx.tx, cx.config, &topic) })
    }
}
