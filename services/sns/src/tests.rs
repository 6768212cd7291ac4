use crate::{
    Sns,
    deliver::{Deliveries, Step},
    poster::{Post, Posts},
    signature,
};
use async_trait::async_trait;
use escale_base::{PlaneError, Secret, Timestamp, wire::Value};
use escale_engine::{Plan, Reconciler};
use escale_harness::Harness;
use escale_tables::sns::{Delivery, SigningKey};
use rsa::pkcs8::{EncodePrivateKey, LineEnding};
use serde_json::json;
use std::sync::{Arc, Mutex};

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
