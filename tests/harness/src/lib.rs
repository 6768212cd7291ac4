//! A cloud of chosen services for the tests of a service: real operations, a real store in a temporary folder, a clock that the test
//! moves, and an identity that allows or denies everything.
//!
//! It starts no reconcilers and no planes. The tests of the IAM service test policies, and so do those of `tests/sim`, which wires all
//! services together.
//!
//! Start at [`Harness::of`]. [`FakeEc2`] is for services that create network interfaces.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by it")]

mod fake_ec2;
mod property_table;
mod resource;

pub use fake_ec2::FakeEc2;
pub use property_table::{PropertyTable, Removal};
pub use resource::Resource;

use escale_base::{AwsError, Clock, Timestamp, wire::Value};
use escale_service::{
    Asked, Caller, Cloud, Config, Credential, Decision, DenialReason, Identity, Principal, Service,
};
use escale_store::{Image, Store, StoreError, TableDef, Tx};
use std::sync::Arc;

/// Allows every caller every action.
pub struct AllowAll;

impl Identity for AllowAll {
    fn credential(&self, _: &Image, _: &str) -> Option<Credential> {
        None
    }
    fn decide(&self, _: &Image, _: &Caller, _: &Asked<'_>) -> Decision {
        Decision::Allow
    }
}

/// Denies every action that the cloud asks it about. The cloud does not ask about the root principal and about services.
pub struct DenyAll;

impl Identity for DenyAll {
    fn credential(&self, _: &Image, _: &str) -> Option<Credential> {
        None
    }
    fn decide(&self, _: &Image, _: &Caller, _: &Asked<'_>) -> Decision {
        Decision::Deny { why: "no policy allows anything".into(), reason: DenialReason::NoAllow }
    }
}

/// A cloud, its store and its clock.
pub struct Harness {
    pub store: Store,
    pub cloud: Arc<Cloud>,
    /// Starts in November 2023 and moves when the test moves it.
    pub clock: Clock,
    /// The id of the service that is tested.
    subject: &'static str,
    tables: Vec<TableDef>,
    dir: tempfile::TempDir,
}

impl Harness {
    /// With a single service, and an identity that allows everything.
    pub fn of(service: impl Service + 'static) -> Harness {
        Harness::new(vec![Arc::new(service)])
    }

    /// With an identity that allows everything. The first service is the one that is tested: the operations of the methods below
    /// are its operations.
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
        let store = open(&dir, &tables);
        let clock = Clock::by_hand(Timestamp(1_700_000_000_000));
        let subject = services[0].id();
        let cloud = Cloud::new(Arc::new(Config::default()), clock.clone(), identity, services);
        Harness { store, cloud: Arc::new(cloud), clock, subject, tables, dir }
    }

    /// Opens the state file again, as the next daemon does after a crash.
    pub fn reopen(&mut self) {
        self.store = open(&self.dir, &self.tables);
    }

    /// The root principal, with a request id of its own.
    pub fn root() -> Caller {
        Caller { principal: Principal::Root, ..Caller::service("") }
    }

    pub fn call_as(&self, principal: Principal, operation: &str, input: Value) -> Result<Value, AwsError> {
        let caller = Caller { principal, ..Harness::root() };
        self.cloud.call(&self.store, &caller, self.subject, operation, input)
    }

    /// Calls an operation as root.
    pub fn call(&self, operation: &str, input: Value) -> Result<Value, AwsError> {
        self.call_as(Principal::Root, operation, input)
    }

    /// The answer to a call by root that must succeed.
    pub fn ok(&self, operation: &str, input: Value) -> Value {
        self.call(operation, input).unwrap_or_else(|error| panic!("{operation}: {error}"))
    }

    /// A string in the answer to a call by root that must succeed, for example `/Vpc/VpcId`.
    pub fn text(&self, operation: &str, input: Value, pointer: &str) -> String {
        let answer = self.ok(operation, input);
        let text = answer.pointer(pointer).and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("{operation} has no text at {pointer}: {answer}")).into()
    }

    /// The error of a call by root that must fail.
    pub fn error(&self, operation: &str, input: Value) -> AwsError {
        match self.call(operation, input) {
            Ok(answer) => panic!("{operation} succeeded: {answer}"),
            Err(error) => error,
        }
    }

    /// Writes rows as a reconciler does.
    pub fn write<T>(&self, change: impl FnOnce(&mut Tx) -> T) -> T {
        self.store.write(|tx| Ok::<_, StoreError>(change(tx))).unwrap()
    }
}

fn open(dir: &tempfile::TempDir, tables: &[TableDef]) -> Store {
    Store::open(&dir.path().join("state.db"), tables).unwrap()
}
