//! <https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html>

use crate::{Error, publish, rules};
use escale_base::{AwsError, Secret, Wire, ids};
use escale_service::{Cx, Operation};
use escale_tables::sns::{Protocol, Subscription, SubscriptionArn, TopicArn};
use std::collections::BTreeMap;

pub(crate) struct Subscribe;

#[derive(Wire)]
pub(crate) struct Input {
    topic_arn: TopicArn,
    protocol: String,
    endpoint: Option<String>,
    attributes: BTreeMap<String, String>,
    return_subscription_arn: Option<bool>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) subscription_arn: String,
}

/// Subscriptions of an installation: each message is a row for each of them.
const SUBSCRIPTIONS: usize = 500;

impl Operation for Subscribe {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![input.topic_arn.to_string()]
    }

    /// The same endpoint again gets the confirmation again, if it is not confirmed yet.
    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let topic = rules::topic(cx.tx, &input.topic_arn)?;
        let protocol = protocol(&input.protocol)?;
        let endpoint = input.endpoint.unwrap_or_default();
        check_endpoint(protocol, &endpoint)?;
        let old = rules::subscriptions_of(cx.tx, &topic.arn)
            .find(|s| s.protocol == protocol && s.endpoint == endpoint)
            .map(|s| (*s).clone());
        if old.is_none() && cx.tx.scan::<Subscription>().count() >= SUBSCRIPTIONS {
            return Err(Error::Throttled(format!(
                "an installation has at most {SUBSCRIPTIONS} subscriptions"
            )));
        }
        let mut subscription = old.unwrap_or_else(|| Subscription {
            arn: SubscriptionArn(format!("{}:{}", topic.arn, ids::random_uuid())),
            topic: topic.arn.clone(),
            protocol,
            endpoint,
            raw: false,
            token: Secret::new(ids::random_hex(64)),
            confirmed: None,
            authenticated_unsubscribe: false,
            created: cx.now,
        });
        for (name, value) in &input.attributes {
            set_attribute(&mut subscription, name, value)?;
        }
        cx.tx.put(subscription.clone());
        if subscription.confirmed.is_none() {
            publish::ask(cx, &subscription)?;
        }
        let shown = subscription.confirmed.is_some() || input.return_subscription_arn == Some(true);
        let subscription_arn =
            if shown { subscription.arn.to_string() } else { "pending confirmation".to_owned() };
        Ok(Output { subscription_arn })
    }
}

fn protocol(text: &str) -> Result<Protocol, Error> {
    match text {
        "https" | "sqs" | "lambda" | "sms" | "application" | "firehose" => {
            Err(AwsError::not_supported(format_args!("The subscription protocol {text}"))
                .hint("Use http, email or email-json.")
                .into())
        }
        other => other
            .parse()
            .map_err(|_| Error::Invalid(format!("Does not support this protocol string: {other}"))),
    }
}

fn check_endpoint(protocol: Protocol, endpoint: &str) -> Result<(), Error> {
    match protocol {
        Protocol::Http => {
            let uri: Option<http::Uri> = endpoint.parse().ok();
            let is_valid = uri
                .is_some_and(|u| u.scheme_str() == Some("http") && u.host().is_some_and(|h| !h.is_empty()));
            if !is_valid || endpoint.len() > 2048 {
                return Err(Error::Invalid("Endpoint must match the specified protocol".into()));
            }
        }
        Protocol::Email | Protocol::EmailJson => {
            let is_valid =
                endpoint.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'));
            let is_plain =
                endpoint.len() <= 320 && !endpoint.contains(|c: char| c.is_whitespace() || c.is_control());
            if !is_valid || !is_plain {
                return Err(Error::Invalid("Email address".into()));
            }
        }
    }
    Ok(())
}

pub(super) fn set_attribute(subscription: &mut Subscription, name: &str, value: &str) -> Result<(), Error> {
    match (name, value, subscription.protocol) {
        ("RawMessageDelivery", "false", _) => subscription.raw = false,
        ("RawMessageDelivery", "true", Protocol::Http) => subscription.raw = true,
        ("RawMessageDelivery", "true", _) => {
            return Err(Error::Invalid(
                "Attributes Reason: Delivery protocol does not support raw message delivery.".into(),
            ));
        }
        ("RawMessageDelivery", ..) => {
            return Err(Error::Invalid("Attributes Reason: RawMessageDelivery must be true or false".into()));
        }
        ("FilterPolicy" | "FilterPolicyScope" | "RedrivePolicy" | "DeliveryPolicy", "" | "{}", _) => {}
        _ => {
            return Err(AwsError::not_supported(format_args!("The subscription attribute {name}"))
                .hint("Use RawMessageDelivery.")
                .into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_fit_their_protocol() {
        let ok = |protocol, endpoint| check_endpoint(protocol, endpoint).is_ok();
        assert!(ok(Protocol::Http, "http://198.18.200.1:8080/hook?a=b"));
        assert!(!ok(Protocol::Http, "https://example.com/"));
        assert!(!ok(Protocol::Http, "/path"));
        assert!(ok(Protocol::Email, "ops@example.com"));
        assert!(!ok(Protocol::Email, "ops"));
        assert!(!ok(Protocol::Email, "a@b.c\nTo: x@y.z"));
        assert!(AwsError::from(protocol("sqs").unwrap_err()).message.contains("sqs"));
    }
}
