//! A cloud of chosen services for the tests of a service: real operations, a real store in a temporary folder, a clock that the test
//! moves, and an identity that allows or denies everything.
//!
//! It starts no reconcilers and no planes. Policies are the IAM service's own tests' subject, and those of `tests/sim`, which wires all
//! services together.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by it")]

use escale_base::{AwsError, Clock, Timestamp, wire::Value};
use escale_service::{
    Asked, Caller, Cloud, Config, Credential, Decision, DenialReason, Identity, Principal, Service,
};
use escale_store::{Image, Store, StoreError, TableDef, Tx};
use std::sync::Arc;

/// Allows every caller everything.
pub struct AllowAll;

impl Identity for AllowAll {
    fn credential(&self, _: &Image, _: &str) -> Option<Credential> {
        None
    }
    fn decide(&self, _: &Image, _: &Caller, _: &Asked<'_>) -> Decision {
        Decision::Allow
    }
}

/// Denies everything. Root and services are allowed without a call of this identity.
pub struct DenyAll;

impl Identity for DenyAll {
    fn credential(&self, _: &Image, _: &str) -> Option<Credential> {
        None
    }
    fn decide(&self, _: &Image, _: &Caller, _: &Asked<'_>) -> Decision {
        Decision::Deny { why: "no policy allows anything".into(), reason: DenialReason::NoAllow }
    }
}

/// The cloud and what a test needs beside it.
pub struct Harness {
    pub store: Store,
    pub cloud: Arc<Cloud>,
    /// Starts in November 2023 and moves when the test moves it.
    pub clock: Clock,
    /// The id of the service that is tested.
    subject: &'static str,
    _dir: tempfile::TempDir,
}

impl Harness {
    /// With an identity that allows everything. The first service is the one that is tested.
    pub fn new(services: Vec<Arc<dyn Service>>) -> Harness {
        Harness::with(services, Arc::new(AllowAll), &[])
    }

    /// `tables` are those that the test has in addition to the product's.
    pub fn with(
        services: Vec<Arc<dyn Service>>,
        identity: Arc<dyn Identity>,
        tables: &[TableDef],
    ) -> Harness {
        let dir = tempfile::tempdir().unwrap();
        let tables = [&escale_tables::all(), tables].concat();
        let store = Store::open(&dir.path().join("state.db"), &tables).unwrap();
        let clock = Clock::by_hand(Timestamp(1_700_000_000_000));
        let subject = services[0].id();
        let cloud = Cloud::new(Arc::new(Config::default()), clock.clone(), identity, services);
        Harness { store, cloud: Arc::new(cloud), clock, subject, _dir: dir }
    }

    pub fn call_as(&self, principal: Principal, operation: &str, input: Value) -> Result<Value, AwsError> {
        let caller = Caller { principal, ..Caller::service("") };
        self.cloud.call(&self.store, &caller, self.subject, operation, input)
    }

    /// As root.
    pub fn call(&self, operation: &str, input: Value) -> Result<Value, AwsError> {
        self.call_as(Principal::Root, operation, input)
    }

    /// As root; the test fails with the error.
    pub fn ok(&self, operation: &str, input: Value) -> Value {
        self.call(operation, input).unwrap_or_else(|error| panic!("{operation}: {error}"))
    }

    /// The error that a call by root must fail with.
    pub fn error(&self, operation: &str, input: Value) -> AwsError {
        match self.call(operation, input) {
            Ok(answer) => panic!("{operation} succeeded: {answer}"),
            Err(error) => error,
        }
    }

    /// Writes rows as a reconciler would.
    pub fn write<T>(&self, change: impl FnOnce(&mut Tx) -> T) -> T {
        self.store.write(|tx| Ok::<_, StoreError>(change(tx))).unwrap()
    }
}
