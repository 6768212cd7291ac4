//! Topics and subscriptions.

use crate::row;
use escale_base::{Secret, Tag, Timestamp};
use serde::{Deserialize, Serialize};

escale_base::name! {
    /// `arn:aws:sns:<region>:<account>:<name>`
    TopicArn;
    /// The topic's ARN, a colon and a UUID.
    SubscriptionArn;
}

escale_base::choice! {
    pub enum Protocol { Http = "http", Email = "email", EmailJson = "email-json" }
}

escale_base::choice! {
    /// 1 signs with SHA1, 2 with SHA256.
    pub enum SignatureVersion { One = "1", Two = "2" }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Topic {
    pub arn: TopicArn,
    pub name: String,
    pub display_name: String,
    /// The policy document; `None` for the default one, which allows the account what IAM allows.
    pub policy: Option<String>,
    pub signature_version: SignatureVersion,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(Topic, "sns_topic", |r| r.arn.to_string());

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subscription {
    pub arn: SubscriptionArn,
    pub topic: TopicArn,
    pub protocol: Protocol,
    /// A URL or a mail address.
    pub endpoint: String,
    /// The endpoint gets the message alone, without its description.
    pub raw: bool,
    /// Proves that its holder reads what the endpoint gets.
    pub token: Secret<String>,
    /// It gets messages once it is confirmed.
    pub confirmed: Option<Timestamp>,
    /// Whether only authorized callers can end it.
    pub authenticated_unsubscribe: bool,
    pub created: Timestamp,
}
row!(Subscription, "sns_subscription", |r| r.arn.to_string());

/// The key that signs messages, with its certificate. There is one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SigningKey {
    pub id: String,
    pub certificate_pem: String,
    pub key_pem: Secret<String>,
    pub not_after: Timestamp,
}
row!(SigningKey, "sns_signing_key", |r| r.id.clone());
