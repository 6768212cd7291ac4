//! A message on its way to one subscription. The row is deleted when it has arrived or is given up.

use super::{SubscriptionArn, TopicArn};
use crate::row;
use escale_base::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

escale_base::choice! {
    pub enum MessageKind {
        Notification = "Notification",
        SubscriptionConfirmation = "SubscriptionConfirmation",
        UnsubscribeConfirmation = "UnsubscribeConfirmation",
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    pub message_id: String,
    pub topic: TopicArn,
    pub subscription: SubscriptionArn,
    pub kind: MessageKind,
    pub subject: Option<String>,
    pub message: String,
    pub attributes: BTreeMap<String, Attribute>,
    pub published: Timestamp,
    /// Attempts that failed.
    pub failures: u32,
    /// When the next attempt is due.
    pub next: Timestamp,
}
row!(Delivery, "sns_delivery", |r| Delivery::key_of(&r.subscription, &r.message_id));

impl Delivery {
    pub fn key_of(subscription: &SubscriptionArn, message_id: &str) -> String {
        format!("{subscription}/{message_id}")
    }
}

/// An attribute of a message: its data type, and its value as text or base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    pub data_type: String,
    pub value: String,
}
