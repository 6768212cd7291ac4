//! A cloud with this service alone, for tests.

use escale_base::{AwsError, Clock, Timestamp, wire::Value};
use escale_service::{Asked, Caller, Cloud, Config, Credential, Decision, Identity};
use escale_store::{Image, Store};
use std::sync::Arc;

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) cloud: Cloud,
    pub(crate) clock: Clock,
    _dir: tempfile::TempDir,
}

struct Nobody;

impl Identity for Nobody {
    fn credential(&self, _: &Image, _: &str) -> Option<Credential> {
        None
    }
    fn decide(&self, _: &Image, _: &Caller, _: &Asked<'_>) -> Decision {
        Decision::Allow
    }
}

impl World {
    pub(crate) fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("state.db"), &escale_tables::all()).unwrap();
        let clock = Clock::by_hand(Timestamp(1_700_000_000_000));
        let services: Vec<Arc<dyn escale_service::Service>> = vec![Arc::new(crate::SecretsManager)];
        let cloud = Cloud::new(Arc::new(Config::default()), clock.clone(), Arc::new(Nobody), services);
        World { store, cloud, clock, _dir: dir }
    }

    pub(crate) fn call(&self, operation: &str, input: Value) -> Result<Value, AwsError> {
        let mut caller = Caller::service("root");
        caller.principal = escale_service::Principal::Root;
        self.cloud.call(&self.store, &caller, "secretsmanager", operation, input)
    }
}
