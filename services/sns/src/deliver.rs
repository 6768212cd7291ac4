//! Delivers messages: posts them to HTTP endpoints, and writes mail into the mailbox.
//!
//! Source: <https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html>

use crate::{
    MAILBOX, PRINCIPAL,
    document::{self, Reader},
    poster::{Post, Posts},
    signature,
};
use escale_base::{AwsError, ErrorKind, Timestamp, already_gone};
use escale_engine::{Plan, Reconciler, StepError};
use escale_requests::logs::{CreateLogGroup, CreateLogStream, LogEvent, PutLogEvents};
use escale_service::{Caller, Cloud, request};
use escale_store::{Change, Image, Store, StoreError};
use escale_tables::sns::{Delivery, MessageKind, Protocol, SigningKey, Subscription, Topic};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc};

/// AWS's policy for HTTP endpoints: three retries, 20 seconds apart.
const RETRIES: u32 = 3;
const RETRY_MS: i64 = 20_000;

/// The policy in the form of the attribute `EffectiveDeliveryPolicy`.
pub(crate) fn policy() -> Value {
    let secs = RETRY_MS / 1000;
    json!({ "http": {
        "defaultHealthyRetryPolicy": {
            "minDelayTarget": secs, "maxDelayTarget": secs, "numRetries": RETRIES, "numMaxDelayRetries": 0,
            "numNoDelayRetries": 0, "numMinDelayRetries": 0, "backoffFunction": "linear",
        },
        "disableSubscriptionOverrides": false,
        "defaultRequestPolicy": { "headerContentType": "text/plain; charset=UTF-8" },
    } })
}

pub(crate) struct Deliveries {
    pub(crate) store: Store,
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) poster: Arc<dyn Posts>,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    /// Its subscription or topic does not exist any more.
    Drop,
    Post {
        delivery: Box<Delivery>,
        to: Box<Subscription>,
        key: Box<SigningKey>,
        topic: Box<Topic>,
    },
    Mail {
        delivery: Box<Delivery>,
        to: Box<Subscription>,
        key: Box<SigningKey>,
        topic: Box<Topic>,
    },
}

impl Reconciler for Deliveries {
    type Step = Step;
    const NAME: &'static str = "sns.deliveries";
    const WATCHES: &'static [&'static str] = &["sns_delivery", "sns_signing_key"];

    fn concerned(&self, image: &Image, change: &Change) -> BTreeSet<String> {
        match change.table {
            "sns_delivery" => BTreeSet::from([change.key.clone()]),
            _ => self.all(image),
        }
    }

    fn all(&self, image: &Image) -> BTreeSet<String> {
        image.scan::<Delivery>().map(|d| Delivery::key_of(&d.subscription, &d.message_id)).collect()
    }

    fn plan(&self, image: &Image, key: &str, now: Timestamp) -> Plan<Step> {
        let Some(delivery) = image.get::<Delivery>(key) else { return Plan::Done };
        let to = image.get::<Subscription>(&delivery.subscription);
        let topic = image.get::<Topic>(&delivery.topic);
        let (Some(to), Some(topic)) = (to, topic) else { return Plan::Step(Step::Drop) };
        if now < delivery.next {
            return Plan::wait_until(delivery.next, format!("{} did not accept the message", to.endpoint));
        }
        let Some(key) = image.get::<SigningKey>(signature::KEY) else {
            return Plan::wait("the signing key is being issued");
        };
        let (delivery, to) = (Box::new((*delivery).clone()), Box::new((*to).clone()));
        let (key, topic) = (Box::new((*key).clone()), Box::new((*topic).clone()));
        Plan::Step(match to.protocol {
            Protocol::Http => Step::Post { delivery, to, key, topic },
            Protocol::Email | Protocol::EmailJson => Step::Mail { delivery, to, key, topic },
        })
    }

    async fn act(&self, key: &str, step: Step) -> Result<(), StepError> {
        match step {
            Step::Drop => self.done(key),
            Step::Post { delivery, to, key: signing, topic } => {
                let post = self.post_of(&delivery, &to, &signing, &topic)?;
                match self.poster.post(post).await {
                    Ok(status) if (200..300).contains(&status) => self.done(key),
                    Ok(status) if status == 429 || status >= 500 => {
                        self.failed(key, &delivery, &format!("it answered {status}"))
                    }
                    // AWS gives up at once: the endpoint does not want it.
                    Ok(status) => {
                        tracing::warn!(endpoint = to.endpoint, status, "a message of a topic was refused");
                        self.done(key)
                    }
                    Err(error) => self.failed(key, &delivery, &error.to_string()),
                }
            }
            Step::Mail { delivery, to, key: signing, topic } => {
                let text = self.mail(&delivery, &to, &signing, &topic)?;
                self.write_mail(&to.endpoint, delivery.published, text).await?;
                self.done(key)
            }
        }
    }
}

impl Deliveries {
    fn done(&self, key: &str) -> Result<(), StepError> {
        self.store.write(|tx| {
            tx.delete::<Delivery>(key);
            Ok::<_, StoreError>(())
        })?;
        Ok(())
    }

    fn failed(&self, key: &str, delivery: &Delivery, why: &str) -> Result<(), StepError> {
        if delivery.failures >= RETRIES {
            let subscription = delivery.subscription.as_str();
            tracing::warn!(subscription, why, "a message of a topic is given up after {RETRIES} retries");
            return self.done(key);
        }
        let wait_ms = RETRY_MS / self.cloud.config.clock_speed;
        let next = self.cloud.clock.now().plus_ms(wait_ms);
        self.store.write(|tx| {
            tx.update(key, |d: &mut Delivery| (d.failures, d.next) = (d.failures + 1, next));
            Ok::<_, StoreError>(())
        })?;
        Ok(())
    }

    fn signed(
        &self,
        reader: Reader,
        delivery: &Delivery,
        to: &Subscription,
        key: &SigningKey,
        topic: &Topic,
    ) -> Result<Value, StepError> {
        let config = &self.cloud.config;
        let mut document = document::document(config, reader, delivery, to);
        document::sign(&mut document, config, reader, topic.signature_version, key)
            .map_err(|why| StepError::new(format!("cannot sign a message: {why}")))?;
        Ok(Value::Object(document))
    }

    fn post_of(
        &self,
        delivery: &Delivery,
        to: &Subscription,
        key: &SigningKey,
        topic: &Topic,
    ) -> Result<Post, StepError> {
        let is_raw = to.raw && delivery.kind == MessageKind::Notification;
        let body = match is_raw {
            true => delivery.message.clone(),
            false => self.signed(Reader::Endpoint, delivery, to, key, topic)?.to_string(),
        };
        let mut headers = vec![
            ("x-amz-sns-message-type", delivery.kind.as_str().to_owned()),
            ("x-amz-sns-message-id", delivery.message_id.clone()),
            ("x-amz-sns-topic-arn", delivery.topic.to_string()),
        ];
        if delivery.kind == MessageKind::Notification {
            headers.push(("x-amz-sns-subscription-arn", delivery.subscription.to_string()));
        }
        if is_raw {
            headers.push(("x-amz-sns-rawdelivery", "true".to_owned()));
        }
        Ok(Post { url: to.endpoint.clone(), headers, body })
    }

    /// The mail as AWS writes it: the message, and a link that ends the subscription. A subscription of `email-json` gets the document.
    fn mail(
        &self,
        delivery: &Delivery,
        to: &Subscription,
        key: &SigningKey,
        topic: &Topic,
    ) -> Result<String, StepError> {
        let document = self.signed(Reader::Person, delivery, to, key, topic)?;
        if to.protocol == Protocol::EmailJson {
            return Ok(document.to_string());
        }
        let from = if topic.display_name.is_empty() { "AWS Notifications" } else { &topic.display_name };
        let is_message = delivery.kind == MessageKind::Notification;
        let subject = delivery.subject.as_deref().unwrap_or(match is_message {
            true => "AWS Notification Message",
            false => "AWS Notification - Subscription Confirmation",
        });
        let link = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let end = match is_message {
            true => format!(
                "--\nTo stop receiving notifications from this topic, visit:\n{}",
                link("UnsubscribeURL")
            ),
            false => format!("Confirm the subscription:\n{}", link("SubscribeURL")),
        };
        Ok(format!(
            "From: {from} <no-reply@sns.amazonaws.com>\nTo: {}\nSubject: {subject}\n\n{}\n\n{end}\n",
            to.endpoint, delivery.message
        ))
    }

    async fn write_mail(&self, address: &str, at: Timestamp, message: String) -> Result<(), StepError> {
        let caller = Caller::service(PRINCIPAL);
        let group = CreateLogGroup { log_group_name: MAILBOX.to_owned() };
        existing(request(&self.cloud, &self.store, &caller, group).await)?;
        let stream = stream_of(address);
        let new = CreateLogStream { log_group_name: MAILBOX.to_owned(), log_stream_name: stream.clone() };
        existing(request(&self.cloud, &self.store, &caller, new).await)?;
        let events = vec![LogEvent { timestamp: at.0, message }];
        let put =
            PutLogEvents { log_group_name: MAILBOX.to_owned(), log_stream_name: stream, log_events: events };
        already_gone(request(&self.cloud, &self.store, &caller, put).await)?;
        Ok(())
    }
}

/// Names of streams have no colon and no asterisk.
fn stream_of(address: &str) -> String {
    address.replace([':', '*'], "_")
}

fn existing(created: Result<(), AwsError>) -> Result<(), AwsError> {
    match created {
        Err(error) if error.kind != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
