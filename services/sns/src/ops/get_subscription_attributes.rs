//! <https://docs.aws.amazon.com/sns/latest/api/API_GetSubscriptionAttributes.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::sns::SubscriptionArn;
use std::collections::BTreeMap;

pub(crate) struct GetSubscriptionAttributes;

#[derive(Wire)]
pub(crate) struct Input {
    subscription_arn: SubscriptionArn,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) attributes: BTreeMap<String, String>,
}

impl Operation for GetSubscriptionAttributes {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![input.subscription_arn.to_string()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let s = rules::subscription(cx.tx, &input.subscription_arn)?;
        let pairs = [
            ("SubscriptionArn", s.arn.to_string()),
            ("TopicArn", s.topic.to_string()),
            ("Owner", cx.config.account.clone()),
            ("Protocol", s.protocol.to_string()),
            ("Endpoint", s.endpoint.clone()),
            ("RawMessageDelivery", s.raw.to_string()),
            ("PendingConfirmation", s.confirmed.is_none().to_string()),
            ("ConfirmationWasAuthenticated", s.authenticated_unsubscribe.to_string()),
            ("EffectiveDeliveryPolicy", crate::deliver::policy().to_string()),
        ];
        Ok(Output { attributes: pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect() })
    }
}
