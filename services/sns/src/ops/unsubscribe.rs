//! <https://docs.aws.amazon.com/sns/latest/api/API_Unsubscribe.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::sns::{Subscription, SubscriptionArn};

pub(crate) struct Unsubscribe;

#[derive(Wire)]
pub(crate) struct Input {
    subscription_arn: SubscriptionArn,
}

impl Operation for Unsubscribe {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![input.subscription_arn.to_string()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        end(cx, &input.subscription_arn)
    }
}

/// Messages on their way are dropped.
pub(crate) fn end(cx: &mut Cx<'_>, arn: &SubscriptionArn) -> Result<(), Error> {
    rules::subscription(cx.tx, arn)?;
    cx.tx.delete::<Subscription>(arn);
    Ok(())
}
