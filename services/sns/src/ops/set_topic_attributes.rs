//! <https://docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::sns::TopicArn;

pub(crate) struct SetTopicAttributes;

#[derive(Wire)]
pub(crate) struct Input {
    topic_arn: TopicArn,
    attribute_name: String,
    attribute_value: Option<String>,
}

impl Operation for SetTopicAttributes {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![input.topic_arn.to_string()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let mut topic = (*rules::topic(cx.tx, &input.topic_arn)?).clone();
        let value = input.attribute_value.unwrap_or_default();
        rules::set_attribute(&mut topic, &input.attribute_name, &value)?;
        cx.tx.put(topic);
        Ok(())
    }
}
