//! A test harness: a cloud that has only this service, with its state in a temporary file.

use crate::Ec2;
use escale_base::{AwsError, Clock, Timestamp, wire::Value};
use escale_service::{Asked, Caller, Cloud, Config, Credential, Decision, Identity, Principal};
use escale_store::{Image, Store};
use serde_json::json;
use std::sync::Arc;

/// Allows every caller every action.
struct AllowAll;

impl Identity for AllowAll {
    fn credential(&self, _: &Image, _: &str) -> Option<Credential> {
        None
    }
    fn decide(&self, _: &Image, _: &Caller, _: &Asked<'_>) -> Decision {
        Decision::Allow
    }
}

pub(crate) struct Harness {
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) store: Store,
    _dir: tempfile::TempDir,
}

impl Harness {
    pub(crate) fn new() -> Harness {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("state.db"), &escale_tables::all()).unwrap();
        let clock = Clock::by_hand(Timestamp(1_700_000_000_000));
        let cloud = Cloud::new(Arc::new(Config::default()), clock, Arc::new(AllowAll), vec![Arc::new(Ec2)]);
        Harness { cloud: Arc::new(cloud), store, _dir: dir }
    }

    pub(crate) fn try_as(&self, principal: Principal, name: &str, input: Value) -> Result<Value, AwsError> {
        let caller = Caller { principal, ..Caller::service("") };
        self.cloud.call(&self.store, &caller, "ec2", name, input)
    }

    pub(crate) fn call(&self, name: &str, input: Value) -> Value {
        self.try_as(Principal::Root, name, input).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub(crate) fn service(&self, name: &str, input: Value) -> Value {
        let principal = Principal::Service("ecs.amazonaws.com".into());
        self.try_as(principal, name, input).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// The error code of a call that must fail.
    pub(crate) fn fails(&self, name: &str, input: Value) -> String {
        match self.try_as(Principal::Root, name, input) {
            Ok(answer) => panic!("{name} succeeded: {answer}"),
            Err(e) => e.code,
        }
    }

    /// A string in an operation's response.
    pub(crate) fn id(&self, name: &str, input: Value, pointer: &str) -> String {
        let answer = self.call(name, input);
        answer
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("{pointer}: {answer}"))
            .into()
    }

    /// Creates the default VPC, as each start of the daemon does.
    pub(crate) fn install(&self) {
        let (config, now) = (&self.cloud.config, self.cloud.clock.now());
        let done = self.store.write(|tx| {
            crate::default_vpc::install(tx, config, now);
            Ok::<(), escale_store::StoreError>(())
        });
        done.unwrap();
    }

    pub(crate) fn vpc(&self) -> String {
        self.id("CreateVpc", json!({"CidrBlock": "10.0.0.0/16"}), "/Vpc/VpcId")
    }

    pub(crate) fn subnet(&self, vpc: &str, cidr: &str) -> String {
        self.id("CreateSubnet", json!({"VpcId": vpc, "CidrBlock": cidr}), "/Subnet/SubnetId")
    }

    pub(crate) fn interface(&self, subnet: &str) -> String {
        let pointer = "/NetworkInterface/NetworkInterfaceId";
        self.id("CreateNetworkInterface", json!({"SubnetId": subnet}), pointer)
    }

    /// Creates an Internet gateway and attaches it to a VPC.
    pub(crate) fn internet(&self, vpc: &str) -> String {
        let id = self.id("CreateInternetGateway", json!({}), "/InternetGateway/InternetGatewayId");
        self.call("AttachInternetGateway", json!({"InternetGatewayId": id, "VpcId": vpc}));
        id
    }
}
