//! <https://docs.aws.amazon.com/sns/latest/api/API_SetSubscriptionAttributes.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::sns::SubscriptionArn;

pub(crate) struct SetSubscriptionAttributes;

#[derive(Wire)]
pub(crate) struct Input {
    subscription_arn: SubscriptionArn,
    attribute_name: String,
    attribute_value: Option<String>,
}

impl Operation for SetSubscriptionAttributes {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![input.subscription_arn.to_string()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let mut subscription = (*rules::subscription(cx.tx, &input.subscription_arn)?).clone();
        let value = input.attribute_value.unwrap_or_default();
        super::subscribe::set_attribute(&mut subscription, &input.attribute_name, &value)?;
        cx.tx.put(subscription);
        Ok(())
    }
}
