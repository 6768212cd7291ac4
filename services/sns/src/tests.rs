use crate::{
    Sns,
    deliver::{Deliveries, Step},
    poster::{Post, Posts},
    signature,
};
use async_trait::async_trait;
use escale_authority::FakeAuthorities;
use escale_base::{Clock, PlaneError, Secret, Timestamp, wire::Value};
use escale_engine::{Plan, Reconciler};
use escale_faults::{
    Driven, Fate, Risky, survives_failure_at_each_step, survives_repeat, survives_withdrawal_at_each_step,
};
use escale_harness::Harness;
use escale_store::Store;
use escale_tables::sns::{Delivery, SigningKey};
use rsa::pkcs8::{EncodePrivateKey, LineEnding};
use serde_json::json;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

const TOPIC: &str = "arn:aws:sns:eu-west-3:000000000000:alerts";

/// Answers with the statuses of the list, and records the requests.
#[derive(Default)]
struct FakePoster {
    statuses: Mutex<Vec<u16>>,
    posts: Mutex<Vec<Post>>,
}

#[async_trait]
impl Posts for FakePoster {
    async fn post(&self, post: Post) -> Result<u16, PlaneError> {
        self.posts.lock().unwrap().push(post);
        let status = self.statuses.lock().unwrap().pop();
        status.ok_or_else(|| PlaneError::machine("the endpoint refused the connection"))
    }
}

struct Stage {
    harness: Harness,
    poster: Arc<FakePoster>,
    deliveries: Deliveries,
}

/// A confirmed subscription, whose endpoint answers with these statuses, first to last.
fn stage(statuses: &[u16]) -> Stage {
    let harness = Harness::of(Sns);
    harness.ok("CreateTopic", json!({ "Name": "alerts" }));
    subscribe(&harness);
    let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 1024).unwrap();
    let key_pem = Secret::new(key.to_pkcs8_pem(LineEnding::LF).unwrap().to_string());
    let not_after = Timestamp(i64::MAX);
    harness.write(|tx| {
        for delivery in tx.scan::<Delivery>().collect::<Vec<_>>() {
            tx.delete::<Delivery>(&Delivery::key_of(&delivery.subscription, &delivery.message_id));
        }
        tx.put(SigningKey { id: signature::KEY.into(), certificate_pem: "PEM".into(), key_pem, not_after });
    });
    let poster = Arc::new(FakePoster::default());
    *poster.statuses.lock().unwrap() = statuses.iter().rev().copied().collect();
    let cloud = Arc::clone(&harness.cloud);
    let deliveries = Deliveries { store: harness.store.clone(), cloud, poster: Arc::clone(&poster) as _ };
    Stage { harness, poster, deliveries }
}

fn subscribe(harness: &Harness) -> String {
    let endpoint = json!({ "TopicArn": TOPIC, "Protocol": "http", "Endpoint": "http://198.18.200.1/hook", "ReturnSubscriptionArn": true });
    let arn = harness.text("Subscribe", endpoint, "/SubscriptionArn");
    let token =
        harness.store.read().get::<escale_tables::sns::Subscription>(&arn).unwrap().token.reveal().clone();
    harness.ok("ConfirmSubscription", json!({ "TopicArn": TOPIC, "Token": token }));
    arn
}

impl Stage {
    fn publish(&self) {
        self.harness.ok("Publish", json!({ "TopicArn": TOPIC, "Message": "hello" }));
    }

    fn key(&self) -> Option<String> {
        let image = self.harness.store.read();
        image.scan::<Delivery>().next().map(|d| Delivery::key_of(&d.subscription, &d.message_id))
    }

    fn plan(&self, key: &str) -> Plan<Step> {
        self.deliveries.plan(&self.harness.store.read(), key, self.harness.clock.now())
    }

    /// Acts until nothing is left to do at this time.
    async fn settle(&self) {
        while let Some(key) = self.key() {
            match self.plan(&key) {
                Plan::Step(step) => self.deliveries.act(&key, step).await.unwrap(),
                _ => return,
            }
        }
    }

    fn attempts(&self) -> usize {
        self.poster.posts.lock().unwrap().len()
    }
}

#[tokio::test]
async fn accepted_message_is_delivered_once() {
    let stage = stage(&[200]);
    stage.publish();
    stage.settle().await;
    assert_eq!((stage.attempts(), stage.key()), (1, None));
    let post = stage.poster.posts.lock().unwrap()[0].clone();
    let body: Value = serde_json::from_str(&post.body).unwrap();
    assert_eq!((post.url.as_str(), body["Message"].as_str()), ("http://198.18.200.1/hook", Some("hello")));
    assert!(post.headers.contains(&("x-amz-sns-message-type", "Notification".to_owned())));
}

#[tokio::test]
async fn failing_endpoint_gets_three_retries_20_seconds_apart() {
    // A failure of the server, a request to wait, a refused connection.
    let stage = stage(&[500, 429]);
    stage.publish();
    for attempts in 1..=4 {
        stage.settle().await;
        assert_eq!(stage.attempts(), attempts);
        stage.harness.clock.advance_ms(19_999);
        stage.settle().await;
        assert_eq!(stage.attempts(), attempts, "the next attempt is not due");
        stage.harness.clock.advance_ms(1);
    }
    assert_eq!(stage.key(), None, "it is given up");
}

#[tokio::test]
async fn refused_message_is_not_repeated() {
    let stage = stage(&[404]);
    stage.publish();
    stage.settle().await;
    assert_eq!((stage.attempts(), stage.key()), (1, None));
}

#[tokio::test]
async fn ended_subscription_gets_no_more_messages() {
    let stage = stage(&[200]);
    stage.publish();
    let arn = subscribe(&stage.harness);
    stage.harness.ok("Unsubscribe", json!({ "SubscriptionArn": arn }));
    stage.settle().await;
    assert_eq!((stage.attempts(), stage.key()), (0, None));
}

#[test]
fn waiting_messages_are_bounded() {
    let stage = stage(&[]);
    let text = "x".repeat(200_000);
    let publish = || stage.harness.call("Publish", json!({ "TopicArn": TOPIC, "Message": text }));
    let error = (0..200).find_map(|_| publish().err()).expect("a bound");
    assert_eq!(
        (error.code.as_str(), stage.harness.store.read().scan::<Delivery>().count() < 100),
        ("Throttled", true)
    );
}

/// The messages that an endpoint got, by their ids: a message whose answer is lost is sent again. Each failure lets the time of the
/// next attempt come.
struct RiskyPoster {
    fate: Arc<dyn Fate>,
    clock: Clock,
    got: Mutex<BTreeSet<String>>,
}

#[async_trait]
impl Posts for RiskyPoster {
    async fn post(&self, post: Post) -> Result<u16, PlaneError> {
        let failure = || {
            self.clock.advance_ms(20_000);
            Err(PlaneError::machine("an injected fault"))
        };
        if self.fate.fails("post", false) {
            return failure();
        }
        let id = post.headers.iter().find(|(name, _)| *name == "x-amz-sns-message-id").unwrap().1.clone();
        self.got.lock().unwrap().insert(id);
        if self.fate.fails("post", true) { failure() } else { Ok(200) }
    }
}

struct Faulty {
    harness: Harness,
    deliveries: Deliveries,
    keys: signature::Keys,
    poster: Arc<RiskyPoster>,
    world: fn(&Faulty) -> String,
}

/// Two messages to a subscription, and the key that signs them is not issued yet.
async fn faulty(fate: Arc<dyn Fate>) -> Faulty {
    let harness = Harness::of(Sns);
    harness.ok("CreateTopic", json!({ "Name": "alerts" }));
    subscribe(&harness);
    for _ in 0..2 {
        harness.ok("Publish", json!({ "TopicArn": TOPIC, "Message": "hello" }));
    }
    let clock = harness.clock.clone();
    let poster = Arc::new(RiskyPoster { fate: Arc::clone(&fate), clock, got: Mutex::default() });
    let (store, cloud) = (|| harness.store.clone(), || Arc::clone(&harness.cloud));
    let deliveries = Deliveries { store: store(), cloud: cloud(), poster: Arc::clone(&poster) as _ };
    let authority = Risky::new(&Arc::new(FakeAuthorities::new().unwrap()), &fate);
    let keys = signature::Keys { store: store(), cloud: cloud(), authority };
    let world = |of: &Faulty| {
        let image = of.harness.store.read();
        let ends: Vec<Timestamp> = image.scan::<SigningKey>().map(|key| key.not_after).collect();
        let got = of.poster.got.lock().unwrap().clone();
        format!("{got:?} {} {}", ends.len(), image.scan::<Delivery>().count())
    };
    Faulty { harness, deliveries, keys, poster, world }
}

#[async_trait]
impl escale_faults::Stage for Faulty {
    fn store(&self) -> &Store {
        &self.harness.store
    }
    fn clock(&self) -> &Clock {
        &self.harness.clock
    }
    fn reconcilers(&self) -> Vec<&dyn Driven> {
        vec![&self.keys, &self.deliveries]
    }
    async fn world(&self) -> String {
        (self.world)(self)
    }
}

#[tokio::test]
async fn keys_and_deliveries_survive_repeats_and_failures_at_each_step() {
    survives_repeat(faulty).await;
    survives_failure_at_each_step(faulty).await;
}

/// What an endpoint got, it keeps. Nothing else waits for a topic that is gone.
#[tokio::test]
async fn deliveries_survive_deletion_of_their_topic_at_each_step() {
    let make = async |fate: Arc<dyn Fate>| {
        let world = |of: &Faulty| {
            let image = of.harness.store.read();
            let is_orphan = |d: &Arc<Delivery>| !image.has::<escale_tables::sns::Topic>(&d.topic);
            image.scan::<Delivery>().filter(is_orphan).count().to_string()
        };
        Faulty { world, ..faulty(fate).await }
    };
    survives_withdrawal_at_each_step(make, |of| {
        drop(of.harness.ok("DeleteTopic", json!({ "TopicArn": TOPIC })));
    })
    .await;
}
