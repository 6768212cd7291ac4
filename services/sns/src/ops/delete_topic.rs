//! <https://docs.aws.amazon.com/sns/latest/api/API_DeleteTopic.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::sns::{Subscription, Topic, TopicArn};

pub(crate) struct DeleteTopic;

#[derive(Wire)]
pub(crate) struct Input {
    topic_arn: TopicArn,
}

impl Operation for DeleteTopic {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![input.topic_arn.to_string()]
    }

    /// A topic that does not exist is no error. Messages on their way are dropped.
    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let arns: Vec<_> = rules::subscriptions_of(cx.tx, &input.topic_arn).map(|s| s.arn.clone()).collect();
        for arn in arns {
            cx.tx.delete::<Subscription>(&arn);
        }
        cx.tx.delete::<Topic>(&input.topic_arn);
        Ok(())
    }
}
