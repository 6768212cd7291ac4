//! A cloud for tests that has only this service.

use crate::Ec2;
use escale_base::wire::Value;
use escale_harness::Harness;
use escale_service::Principal;
use serde_json::json;
use std::ops::Deref;

/// The harness with shorter forms of frequent calls.
pub(crate) struct FakeCloud(Harness);

impl Deref for FakeCloud {
    type Target = Harness;

    fn deref(&self) -> &Harness {
        &self.0
    }
}

impl FakeCloud {
    pub(crate) fn new() -> FakeCloud {
        FakeCloud(Harness::of(Ec2))
    }

    /// The answer to a call by ECS that must succeed.
    pub(crate) fn ok_for_ecs(&self, operation: &str, input: Value) -> Value {
        let principal = Principal::Service("ecs.amazonaws.com".into());
        self.call_as(principal, operation, input).unwrap_or_else(|error| panic!("{operation}: {error}"))
    }

    /// Creates the default VPC, as each start of the daemon does.
    pub(crate) fn install(&self) {
        self.write(|tx| crate::default_vpc::install(tx, &self.cloud.config, self.clock.now()));
    }

    pub(crate) fn vpc(&self) -> String {
        self.text("CreateVpc", json!({"CidrBlock": "10.0.0.0/16"}), "/Vpc/VpcId")
    }

    pub(crate) fn subnet(&self, vpc: &str, cidr: &str) -> String {
        self.text("CreateSubnet", json!({"VpcId": vpc, "CidrBlock": cidr}), "/Subnet/SubnetId")
    }

    pub(crate) fn interface(&self, subnet: &str) -> String {
        let pointer = "/NetworkInterface/NetworkInterfaceId";
        self.text("CreateNetworkInterface", json!({"SubnetId": subnet}), pointer)
    }

    /// Creates an Internet gateway and attaches it to a VPC.
    pub(crate) fn internet(&self, vpc: &str) -> String {
        let id = self.text("CreateInternetGateway", json!({}), "/InternetGateway/InternetGatewayId");
        self.ok("AttachInternetGateway", json!({"InternetGatewayId": id, "VpcId": vpc}));
        id
    }
}
