//! A fake cloud for tests, with this service only.

use escale_base::{AwsError, Clock, Timestamp, wire::Value};
use escale_service::{Asked, Caller, Cloud, Config, Credential, Decision, Identity};
use escale_store::{Image, Store};
use std::sync::Arc;

pub(crate) struct FakeCloud {
    pub(crate) store: Store,
    pub(crate) inner: Cloud,
    _dir: tempfile::TempDir,
}

struct AllowAll;

impl Identity for AllowAll {
    fn credential(&self, _: &Image, _: &str) -> Option<Credential> {
        None
    }
    fn decide(&self, _: &Image, _: &Caller, _: &Asked<'_>) -> Decision {
        Decision::Allow
    }
}

impl FakeCloud {
    pub(crate) fn new() -> FakeCloud {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("state.db"), &escale_tables::all()).unwrap();
        let clock = Clock::by_hand(Timestamp(1_700_000_000_000));
        let services: Vec<Arc<dyn escale_service::Service>> = vec![Arc::new(crate::Ssm)];
        let cloud = Cloud::new(Arc::new(Config::default()), clock, Arc::new(AllowAll), services);
        FakeCloud { store, inner: cloud, _dir: dir }
    }

    pub(crate) fn call(&self, operation: &str, input: Value) -> Result<Value, AwsError> {
        let mut caller = Caller::service("root");
        caller.principal = escale_service::Principal::Root;
        self.inner.call(&self.store, &caller, "ssm", operation, input)
    }
}
