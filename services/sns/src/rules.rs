//! Rules that several operations share.

use crate::Error;
use escale_base::{Arn, AwsError, Wire};
use escale_policy::{Document, Kind};
use escale_service::Config;
use escale_store::Image;
use escale_tables::sns::{SignatureVersion, Subscription, SubscriptionArn, Topic, TopicArn};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};

pub(crate) fn topic(image: &Image, arn: &TopicArn) -> Result<Arc<Topic>, Error> {
    image.get(arn).ok_or_else(|| match arn.parse::<Arn>() {
        Ok(_) => Error::NoTopic,
        Err(_) => Error::Invalid(format!("TopicArn Reason: {arn} is not an ARN")),
    })
}

pub(crate) fn subscription(image: &Image, arn: &SubscriptionArn) -> Result<Arc<Subscription>, Error> {
    image.get(arn).ok_or_else(|| match arn.parse::<Arn>() {
        Ok(_) => Error::NoSubscription,
        Err(_) => Error::Invalid(format!("SubscriptionArn Reason: {arn} is not an ARN")),
    })
}

pub(crate) fn topic_arn(config: &Config, name: &str) -> TopicArn {
    TopicArn(Arn::new("sns", &config.region, &config.account, name).to_string())
}

pub(crate) fn subscriptions_of<'a>(
    image: &'a Image,
    topic: &TopicArn,
) -> impl Iterator<Item = Arc<Subscription>> + use<'a> {
    let topic = topic.clone();
    image.scan::<Subscription>().filter(move |s| s.topic == topic)
}

/// AWS's names of topics.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    if name.ends_with(".fifo") {
        return Err(AwsError::not_supported(format_args!("The FIFO topic {name}"))
            .hint("Use a standard topic.")
            .into());
    }
    let is_valid = (1..=256).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if is_valid { Ok(()) } else { Err(Error::Invalid("Topic Name".into())) }
}

/// Sets an attribute of a topic.
pub(crate) fn set_attribute(topic: &mut Topic, name: &str, value: &str) -> Result<(), Error> {
    match name {
        "DisplayName" if value.chars().count() <= 100 => topic.display_name = value.to_owned(),
        "DisplayName" => return Err(Error::Invalid("DisplayName must have at most 100 characters".into())),
        "Policy" if value.is_empty() => topic.policy = None,
        "Policy" => {
            Document::parse(value, Kind::Resource).map_err(|why| {
                Error::Invalid(format!("Policy statement action out of service scope or malformed: {why}"))
            })?;
            topic.policy = Some(value.to_owned());
        }
        "SignatureVersion" => {
            let unknown = |_| Error::Invalid("SignatureVersion must be 1 or 2".into());
            topic.signature_version = value.parse::<SignatureVersion>().map_err(unknown)?;
        }
        "TracingConfig" if value == "PassThrough" => {}
        "FifoTopic" if value == "false" => {}
        "KmsMasterKeyId" if value.is_empty() => {}
        other => {
            return Err(AwsError::not_supported(format_args!(
                "The topic attribute {other} with the value {value}"
            ))
            .hint("Use DisplayName, Policy and SignatureVersion.")
            .into());
        }
    }
    Ok(())
}

pub(crate) fn attributes(image: &Image, config: &Config, topic: &Topic) -> BTreeMap<String, String> {
    let (mut confirmed, mut pending) = (0, 0);
    for subscription in subscriptions_of(image, &topic.arn) {
        if subscription.confirmed.is_some() { confirmed += 1 } else { pending += 1 }
    }
    let policy = topic.policy.clone().unwrap_or_else(|| default_policy(config, topic));
    let pairs = [
        ("TopicArn", topic.arn.to_string()),
        ("Owner", config.account.clone()),
        ("Policy", policy),
        ("DisplayName", topic.display_name.clone()),
        ("SubscriptionsConfirmed", confirmed.to_string()),
        ("SubscriptionsPending", pending.to_string()),
        // AWS counts those that were deleted during the last days; here they are gone at once.
        ("SubscriptionsDeleted", "0".to_owned()),
        ("SignatureVersion", topic.signature_version.as_str().to_owned()),
        ("EffectiveDeliveryPolicy", crate::deliver::policy().to_string()),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// AWS's policy of a new topic: the owner's account decides.
fn default_policy(config: &Config, topic: &Topic) -> String {
    let actions = [
        "SNS:GetTopicAttributes",
        "SNS:SetTopicAttributes",
        "SNS:AddPermission",
        "SNS:RemovePermission",
        "SNS:DeleteTopic",
        "SNS:Subscribe",
        "SNS:ListSubscriptionsByTopic",
        "SNS:Publish",
    ];
    json!({
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [{
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": { "AWS": "*" },
            "Action": actions,
            "Resource": topic.arn.write(),
            "Condition": { "StringEquals": { "AWS:SourceOwner": config.account } },
        }],
    })
    .to_string()
}
