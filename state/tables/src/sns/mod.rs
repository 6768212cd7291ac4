//! Topics, their subscriptions, and messages that are on their way.

mod delivery;
mod topic;

pub use delivery::{Attribute, Delivery, MessageKind};
pub use topic::{Protocol, SignatureVersion, SigningKey, Subscription, SubscriptionArn, Topic, TopicArn};

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[
    TableDef::of::<Topic>(),
    TableDef::of::<Subscription>(),
    TableDef::of::<Delivery>(),
    TableDef::of::<SigningKey>(),
];
