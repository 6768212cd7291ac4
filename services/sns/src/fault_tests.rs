//! The reconcilers with faults. Mail is written by calls of another service, so the simulation tests it.

use crate::{
    Sns,
    deliver::Deliveries,
    poster::{Post, Posts},
    signature::{self, Keys},
};
use async_trait::async_trait;
use escale_authority::FakeAuthorities;
use escale_base::{Clock, PlaneError, Secret, Timestamp};
use escale_engine::{Plan, Reconciler, StepError};
use escale_faults::{
    Driven, Fate, FaultAt, MadeUp, Risky, Stage, survives_failure_at_each_step, survives_repeat,
};
use escale_harness::Harness;
use escale_store::{Change, Image, Store};
use escale_tables::sns::{Delivery, SigningKey, Subscription};
use rsa::pkcs8::{EncodePrivateKey, LineEnding};
use serde_json::json;
use std::{
    collections::BTreeSet,
    sync::{Arc, LazyLock, Mutex},
};

const TOPIC: &str = "arn:aws:sns:eu-west-3:000000000000:alerts";

/// Messages are really signed, and a key takes long to make: one for all runs.
static KEY_PEM: LazyLock<String> = LazyLock::new(|| {
    let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 1024).unwrap();
    key.to_pkcs8_pem(LineEnding::LF).unwrap().to_string()
});

/// An endpoint that accepts every message, unless fate fails the request or its answer.
struct Endpoint {
    fate: Arc<dyn Fate>,
    got: Mutex<Vec<String>>,
}

#[async_trait]
impl Posts for Endpoint {
    async fn post(&self, post: Post) -> Result<u16, PlaneError> {
        if self.fate.fails("post", false) {
            return Err(PlaneError::made_up("post"));
        }
        let id = post.headers.iter().find(|(name, _)| *name == "x-amz-sns-message-id").unwrap().1.clone();
        self.got.lock().unwrap().push(id);
        if self.fate.fails("post", true) { Err(PlaneError::made_up("post")) } else { Ok(200) }
    }
}

/// Deliveries whose next attempt is due at once: the pause after a failure is 20 s.
struct Impatient(Deliveries);

impl Reconciler for Impatient {
    type Step = <Deliveries as Reconciler>::Step;
    const NAME: &'static str = Deliveries::NAME;
    const WATCHES: &'static [&'static str] = Deliveries::WATCHES;

    fn concerned(&self, image: &Image, change: &Change) -> BTreeSet<String> {
        self.0.concerned(image, change)
    }
    fn all(&self, image: &Image) -> BTreeSet<String> {
        self.0.all(image)
    }
    fn plan(&self, image: &Image, key: &str, now: Timestamp) -> Plan<Self::Step> {
        self.0.plan(image, key, now.plus_ms(60_000))
    }
    async fn act(&self, key: &str, step: Self::Step) -> Result<(), StepError> {
        self.0.act(key, step).await
    }
}

struct Fixture {
    harness: Harness,
    endpoint: Arc<Endpoint>,
    deliveries: Impatient,
}

/// Two messages for a confirmed subscription.
async fn published(fate: Arc<dyn Fate>) -> Fixture {
    let harness = Harness::of(Sns);
    harness.ok("CreateTopic", json!({ "Name": "alerts" }));
    let to = json!({ "TopicArn": TOPIC, "Protocol": "http", "Endpoint": "http://198.18.200.1/hook", "ReturnSubscriptionArn": true });
    let arn = harness.text("Subscribe", to, "/SubscriptionArn");
    let token = harness.store.read().get::<Subscription>(&arn).unwrap().token.reveal().clone();
    harness.ok("ConfirmSubscription", json!({ "TopicArn": TOPIC, "Token": token }));
    let key_pem = Secret::new(KEY_PEM.clone());
    harness.write(|tx| {
        tx.put(SigningKey {
            id: signature::KEY.into(),
            certificate_pem: "PEM".into(),
            key_pem,
            not_after: Timestamp(i64::MAX),
        });
    });
    for text in ["one", "two"] {
        harness.ok("Publish", json!({ "TopicArn": TOPIC, "Message": text }));
    }
    let endpoint = Arc::new(Endpoint { fate, got: Mutex::default() });
    let deliveries = Impatient(Deliveries {
        store: harness.store.clone(),
        cloud: Arc::clone(&harness.cloud),
        poster: Arc::clone(&endpoint) as _,
    });
    Fixture { harness, endpoint, deliveries }
}

#[async_trait]
impl Stage for Fixture {
    fn store(&self) -> &Store {
        &self.harness.store
    }
    fn clock(&self) -> &Clock {
        &self.harness.clock
    }
    fn reconcilers(&self) -> Vec<&dyn Driven> {
        vec![&self.deliveries]
    }
    /// A message can arrive twice, as on AWS, and none is lost.
    async fn world(&self) -> String {
        let got: BTreeSet<_> = self.endpoint.got.lock().unwrap().iter().cloned().collect();
        let waiting = self.harness.store.read().scan::<Delivery>().count();
        format!("{} messages arrived, {waiting} wait", got.len())
    }
}

#[tokio::test]
async fn deliveries_survive_repeats_and_failures_at_each_step() {
    let fixture = published(Arc::new(FaultAt::never())).await;
    let waiting = fixture.harness.store.read().scan::<Delivery>().count();
    assert!(waiting >= 2, "two messages, and what the subscription itself sends");
    survives_repeat(published).await;
    survives_failure_at_each_step(published).await;
}

struct Keyed {
    harness: Harness,
    keys: Keys,
}

async fn keyed(fate: Arc<dyn Fate>) -> Keyed {
    let harness = Harness::of(Sns);
    harness.ok("CreateTopic", json!({ "Name": "alerts" }));
    let authority = Risky::new(&Arc::new(FakeAuthorities::new().unwrap()), &fate);
    let keys = Keys { store: harness.store.clone(), cloud: Arc::clone(&harness.cloud), authority };
    Keyed { harness, keys }
}

#[async_trait]
impl Stage for Keyed {
    fn store(&self) -> &Store {
        &self.harness.store
    }
    fn clock(&self) -> &Clock {
        &self.harness.clock
    }
    fn reconcilers(&self) -> Vec<&dyn Driven> {
        vec![&self.keys]
    }
    /// Which key there is differs from run to run.
    async fn world(&self) -> String {
        let key = self.harness.store.read().get::<SigningKey>(signature::KEY);
        format!("{:?}", key.map(|key| key.not_after))
    }
}

#[tokio::test]
async fn signing_key_survives_repeats_and_failures_at_each_step() {
    survives_repeat(keyed).await;
    survives_failure_at_each_step(keyed).await;
}
