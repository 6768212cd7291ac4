//! <https://docs.aws.amazon.com/sns/latest/api/API_ListSubscriptionsByTopic.html>

use super::list_subscriptions::{Listed, page};
use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::sns::TopicArn;

pub(crate) struct ListSubscriptionsByTopic;

#[derive(Wire)]
pub(crate) struct Input {
    topic_arn: TopicArn,
    next_token: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    subscriptions: Vec<Listed>,
    next_token: Option<String>,
}

impl Operation for ListSubscriptionsByTopic {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![input.topic_arn.to_string()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let topic = rules::topic(cx.tx, &input.topic_arn)?;
        let own = rules::subscriptions_of(cx.tx, &topic.arn);
        let (subscriptions, next_token) = page(cx, own, input.next_token.as_deref())?;
        Ok(Output { subscriptions, next_token })
    }
}
