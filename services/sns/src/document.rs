//! The JSON document of a message, with its signature.
//!
//! Source: <https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html>

use escale_service::Config;
use escale_tables::sns::{Delivery, MessageKind, SignatureVersion, SigningKey, Subscription};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

/// The API's address in links: inside of the cloud for endpoints, on the host for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    Endpoint,
    Person,
}

/// A link of the API's own pages (`pages.rs`), with its parameters.
pub(crate) fn link(config: &Config, reader: Reader, parameters: &[(&str, &str)]) -> String {
    let encoded: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
        .collect();
    format!("{}/?{}", base(config, reader), encoded.join("&"))
}

fn base(config: &Config, reader: Reader) -> String {
    match reader {
        Reader::Endpoint => format!("http://{}", Config::api_name()),
        Reader::Person => format!("http://{}", config.endpoint),
    }
}

pub(crate) fn certificate_url(config: &Config, reader: Reader, key: &SigningKey) -> String {
    format!("{}{}", base(config, reader), crate::signature::path(key))
}

pub(crate) fn confirm_url(config: &Config, reader: Reader, s: &Subscription) -> String {
    let parameters = [
        ("Action", "ConfirmSubscription"),
        ("TopicArn", s.topic.as_str()),
        ("Token", s.token.reveal().as_str()),
    ];
    link(config, reader, &parameters)
}

/// The document without its signature: the values that are signed, in AWS's order, and the others.
pub(crate) fn document(
    config: &Config,
    reader: Reader,
    delivery: &Delivery,
    s: &Subscription,
) -> Map<String, Value> {
    let mut document = Map::new();
    let mut put = |name: &str, value: Value| document.insert(name.to_owned(), value);
    put("Type", delivery.kind.as_str().into());
    put("MessageId", delivery.message_id.clone().into());
    put("TopicArn", delivery.topic.as_str().into());
    put("Message", delivery.message.clone().into());
    put("Timestamp", delivery.published.iso8601().into());
    if let Some(subject) = &delivery.subject {
        put("Subject", subject.clone().into());
    }
    match delivery.kind {
        MessageKind::Notification => {
            let end = [("Action", "Unsubscribe"), ("SubscriptionArn", s.arn.as_str())];
            put("UnsubscribeURL", link(config, reader, &end).into());
        }
        MessageKind::SubscriptionConfirmation | MessageKind::UnsubscribeConfirmation => {
            put("Token", s.token.reveal().clone().into());
            put("SubscribeURL", confirm_url(config, reader, s).into());
        }
    }
    if !delivery.attributes.is_empty() {
        let attributes = delivery.attributes.iter();
        let shown =
            attributes.map(|(name, a)| (name.clone(), json!({ "Type": a.data_type, "Value": a.value })));
        put("MessageAttributes", Value::Object(shown.collect()));
    }
    document
}

/// The text that is signed: names and values, a line each, in the order of names that AWS prescribes.
///
/// Source: <https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html>
pub(crate) fn signed_text(document: &Map<String, Value>) -> String {
    const NAMES: [&str; 8] =
        ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"];
    let line =
        |name: &&str| document.get(*name).and_then(Value::as_str).map(|value| format!("{name}\n{value}\n"));
    NAMES.iter().filter_map(line).collect()
}

pub(crate) fn sign(
    document: &mut Map<String, Value>,
    config: &Config,
    reader: Reader,
    version: SignatureVersion,
    key: &SigningKey,
) -> Result<(), String> {
    let signature = crate::signature::sign(key, version, &signed_text(document))?;
    document.insert("SignatureVersion".into(), version.as_str().into());
    document.insert("Signature".into(), signature.into());
    document.insert("SigningCertURL".into(), certificate_url(config, reader, key).into());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use escale_base::{Secret, Timestamp};
    use escale_tables::sns::Protocol;
    use std::collections::BTreeMap;

    #[test]
    fn documents_and_signed_texts_have_the_form_of_aws() {
        let subscription = Subscription {
            arn: "arn:aws:sns:r:0:t:1".into(),
            topic: "arn:aws:sns:r:0:t".into(),
            protocol: Protocol::Http,
            endpoint: "http://x/".into(),
            raw: false,
            token: Secret::new("abc".into()),
            confirmed: None,
            authenticated_unsubscribe: false,
            created: Timestamp(0),
        };
        let delivery = |kind| Delivery {
            message_id: "m".into(),
            topic: subscription.topic.clone(),
            subscription: subscription.arn.clone(),
            kind,
            subject: Some("s".into()),
            message: "hello".into(),
            attributes: BTreeMap::new(),
            published: Timestamp(0),
            failures: 0,
            next: Timestamp(0),
        };
        let of = |kind| document(&Config::default(), Reader::Endpoint, &delivery(kind), &subscription);
        let notification = of(MessageKind::Notification);
        assert_eq!(
            signed_text(&notification),
            "Message\nhello\nMessageId\nm\nSubject\ns\nTimestamp\n1970-01-01T00:00:00.000Z\nTopicArn\narn:aws:sns:r:0:t\nType\nNotification\n"
        );
        assert!(
            notification["UnsubscribeURL"]
                .as_str()
                .unwrap()
                .contains("SubscriptionArn=arn%3Aaws%3Asns%3Ar%3A0%3At%3A1")
        );
        let confirmation = of(MessageKind::SubscriptionConfirmation);
        assert!(signed_text(&confirmation).contains("Token\nabc\n"));
        assert!(
            confirmation["SubscribeURL"]
                .as_str()
                .unwrap()
                .starts_with("http://api.escale.internal/?Action=ConfirmSubscription&")
        );
    }
}
