//! VPC peering connections.

use super::{cloud, rename, table};
use escale_base::wire::Value;
use escale_harness::Harness;
use escale_tables::ec2::VpcPeering;
use serde_json::json;

/// Requests two peering connections of a VPC, `pcx-one` and `pcx-two`.
pub(super) fn two(cloud: &Harness, vpc: &str) {
    for (name, block) in [("one", "10.1.0.0/16"), ("two", "10.2.0.0/16")] {
        let peer = cloud.text("CreateVpc", json!({"CidrBlock": block}), "/Vpc/VpcId");
        let input = json!({"VpcId": vpc, "PeerVpcId": peer});
        let pointer = "/VpcPeeringConnection/VpcPeeringConnectionId";
        let id = cloud.text("CreateVpcPeeringConnection", input, pointer);
        rename::<VpcPeering>(cloud, &id, |peering| peering.id = format!("pcx-{name}").into());
    }
}

fn peering() -> (Harness, Value) {
    let (cloud, vpc) = cloud();
    let peer = cloud.text("CreateVpc", json!({"CidrBlock": "10.1.0.0/16"}), "/Vpc/VpcId");
    (cloud, json!({"VpcId": vpc, "PeerVpcId": peer}))
}

#[test]
fn peering_connections_update_every_property() {
    table("AWS::EC2::VPCPeeringConnection", peering).check();
}
