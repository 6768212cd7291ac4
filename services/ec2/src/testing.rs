//! A cloud of this service alone, in memory but for a temporary file, for tests.

use crate::Ec2;
use escale_base::{AwsError, Clock, Timestamp, wire::Value};
use escale_service::{Asked, Caller, Cloud, Config, Credential, Decision, Identity, Principal};
use escale_store::{Image, Store};
use serde_json::json;
use std::sync::Arc;

/// Everybody may do everything.
struct Anybody;

impl Identity for Anybody {
    fn credential(&self, _: &Image, _: &str) -> Option<Credential> {
        None
    }
    fn decide(&self, _: &Image, _: &Caller, _: &Asked<'_>) -> Decision {
        Decision::Allow
    }
}

pub(crate) struct Bench {
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) store: Store,
    _dir: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("state.db"), &escale_tables::all()).unwrap();
        let clock = Clock::by_hand(Timestamp(1_700_000_000_000));
        let cloud = Cloud::new(Arc::new(Config::default()), clock, Arc::new(Anybody), vec![Arc::new(Ec2)]);
        Bench { cloud: Arc::new(cloud), store, _dir: dir }
    }

    pub(crate) fn try_as(&self, who: Principal, name: &str, input: Value) -> Result<Value, AwsError> {
        let caller = Caller { principal: who, ..Caller::service("") };
        self.cloud.call(&self.store, &caller, "ec2", name, input)
    }

    pub(crate) fn call(&self, name: &str, input: Value) -> Value {
        self.try_as(Principal::Root, name, input).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub(crate) fn service(&self, name: &str, input: Value) -> Value {
        let who = Principal::Service("ecs.amazonaws.com".into());
        self.try_as(who, name, input).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// The code that a call fails with.
    pub(crate) fn fails(&self, name: &str, input: Value) -> String {
        match self.try_as(Principal::Root, name, input) {
            Ok(answer) => panic!("{name} succeeded: {answer}"),
            Err(e) => e.code,
        }
    }

    /// A text in an operation's answer.
    pub(crate) fn id(&self, name: &str, input: Value, pointer: &str) -> String {
        let answer = self.call(name, input);
        answer
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("{pointer}: {answer}"))
            .into()
    }

    /// What each start of the daemon does.
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

    /// An Internet gateway that is attached.
    pub(crate) fn internet(&self, vpc: &str) -> String {
        let id = self.id("CreateInternetGateway", json!({}), "/InternetGateway/InternetGatewayId");
        self.call("AttachInternetGateway", json!({"InternetGatewayId": id, "VpcId": vpc}));
        id
    }
}
