//! <https://docs.aws.amazon.com/sns/latest/api/API_ConfirmSubscription.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::sns::{Subscription, SubscriptionArn, TopicArn};

pub(crate) struct ConfirmSubscription;

#[derive(Wire)]
pub(crate) struct Input {
    topic_arn: TopicArn,
    token: String,
    authenticate_on_unsubscribe: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    subscription_arn: SubscriptionArn,
}

/// How long a token is valid, as on AWS.
const TOKEN_MS: i64 = 3 * 24 * 3_600_000;

impl Operation for ConfirmSubscription {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![input.topic_arn.to_string()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let authenticated = input.authenticate_on_unsubscribe.as_deref() == Some("true");
        let subscription_arn = confirm(cx, &input.topic_arn, &input.token, authenticated)?;
        Ok(Output { subscription_arn })
    }
}

pub(crate) fn confirm(
    cx: &mut Cx<'_>,
    topic: &TopicArn,
    token: &str,
    authenticated: bool,
) -> Result<SubscriptionArn, Error> {
    rules::topic(cx.tx, topic)?;
    // Every token is compared: its length and position are no secret, and it has 256 bits.
    let found = rules::subscriptions_of(cx.tx, topic).find(|s| s.token.reveal() == token);
    let found = found.filter(|s| cx.now.since_ms(s.created) < TOKEN_MS || s.confirmed.is_some());
    let arn = found.map(|s| s.arn.clone()).ok_or_else(|| Error::Invalid("Token".into()))?;
    let now = cx.now;
    cx.tx.update(&arn, |s: &mut Subscription| {
        s.confirmed = s.confirmed.or(Some(now));
        s.authenticated_unsubscribe |= authenticated;
    });
    Ok(arn)
}
