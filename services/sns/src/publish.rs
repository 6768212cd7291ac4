//! Writes the rows of a message: one for each subscription that gets it.

use crate::{Error, rules};
use escale_service::Cx;
use escale_tables::sns::{Attribute, Delivery, MessageKind, Protocol, Subscription, Topic};
use std::collections::BTreeMap;

/// Deliveries that wait, and the bytes of their messages: rows are kept in memory. An endpoint that does not answer holds its
/// messages for about a minute.
const WAITING: usize = 2000;
const WAITING_BYTES: usize = 16 * 1024 * 1024;

pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) subject: Option<String>,
    /// The text for each protocol, and for all others.
    pub(crate) texts: BTreeMap<String, String>,
    pub(crate) default: String,
    pub(crate) attributes: BTreeMap<String, Attribute>,
}

impl Message {
    fn text_for(&self, protocol: Protocol) -> &str {
        self.texts.get(protocol.as_str()).unwrap_or(&self.default)
    }
}

pub(crate) fn publish(cx: &mut Cx<'_>, topic: &Topic, message: &Message) -> Result<(), Error> {
    let subscriptions: Vec<_> =
        rules::subscriptions_of(cx.tx, &topic.arn).filter(|s| s.confirmed.is_some()).collect();
    let size = message.default.len() * subscriptions.len();
    check_room(cx, subscriptions.len(), size)?;
    for subscription in subscriptions {
        put(cx, &subscription, MessageKind::Notification, message);
    }
    Ok(())
}

fn check_room(cx: &Cx<'_>, more: usize, more_bytes: usize) -> Result<(), Error> {
    let waiting = cx.tx.scan::<Delivery>().map(|d| d.message.len());
    let (count, bytes) = waiting.fold((0, 0), |(count, bytes), size| (count + 1, bytes + size));
    if count + more <= WAITING && bytes + more_bytes <= WAITING_BYTES {
        return Ok(());
    }
    Err(Error::Throttled(format!(
        "{count} messages wait for endpoints that do not answer. Try again in a minute"
    )))
}

/// Asks the endpoint of a new subscription whether it wants it.
pub(crate) fn ask(cx: &mut Cx<'_>, subscription: &Subscription) -> Result<(), Error> {
    check_room(cx, 1, 0)?;
    let text = format!(
        "You have chosen to subscribe to the topic {}.\nTo confirm the subscription, visit the SubscribeURL included in this message.",
        subscription.topic
    );
    let message = Message {
        id: escale_base::ids::random_uuid(),
        subject: None,
        texts: BTreeMap::new(),
        default: text,
        attributes: BTreeMap::new(),
    };
    put(cx, subscription, MessageKind::SubscriptionConfirmation, &message);
    Ok(())
}

fn put(cx: &mut Cx<'_>, subscription: &Subscription, kind: MessageKind, message: &Message) {
    let delivery = Delivery {
        message_id: message.id.clone(),
        topic: subscription.topic.clone(),
        subscription: subscription.arn.clone(),
        kind,
        subject: message.subject.clone(),
        message: message.text_for(subscription.protocol).to_owned(),
        attributes: message.attributes.clone(),
        published: cx.now,
        failures: 0,
        next: cx.now,
    };
    cx.tx.put(delivery);
}
