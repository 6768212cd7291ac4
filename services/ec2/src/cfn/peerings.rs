//! VPCPeeringConnection.

use super::{describe, only_tags, shown, tags};
use crate::{
    Error, choices,
    ops::{
        accept_vpc_peering_connection::AcceptVpcPeeringConnection,
        create_vpc_peering_connection::CreateVpcPeeringConnection,
        delete_vpc_peering_connection::DeleteVpcPeeringConnection,
        describe_vpc_peering_connections::DescribeVpcPeeringConnections,
    },
    peerings,
    status::PeeringState,
};
use escale_base::{AwsError, already_gone};
use escale_service::{Created, Cx, InputDraft, Props, Readiness, ResourceType};
use escale_store::Image;
use escale_tables::ec2::{PeeringDecision, VpcPeering, VpcPeeringSeen};

pub(super) const TYPES: &[ResourceType] = &[ResourceType::new(
    "AWS::EC2::VPCPeeringConnection",
    &["PeerOwnerId", "PeerRegion", "PeerVpcId", "Tags", "VpcId"],
    create,
    delete,
)
.update(only_tags)
.read(|cx, c| {
    let answer = describe::<DescribeVpcPeeringConnections>(cx, "VpcPeeringConnectionIds", &c.physical_id)?;
    let peering = answer.and_then(|a| a.vpc_peering_connections.into_iter().next());
    // A deleted connection is still shown for a while.
    let peering =
        peering.filter(|p| !matches!(p.status.code, PeeringState::Deleting | PeeringState::Deleted));
    Ok(peering.map(|peering| {
        let mut properties = shown("AWS::EC2::VPCPeeringConnection", &peering, &peering.tags);
        let (own, peer) = (&peering.requester_vpc_info, &peering.accepter_vpc_info);
        for (name, value) in [
            ("VpcId", own.vpc_id.as_str()),
            ("PeerVpcId", peer.vpc_id.as_str()),
            ("PeerOwnerId", &peer.owner_id),
            ("PeerRegion", &peer.region),
        ] {
            properties.insert(name.into(), value.into());
        }
        properties
    }))
})
.ready(ready)
.gone(gone)];

/// As on AWS, the stack accepts the connection: both VPCs belong to its account.
/// Source: <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-vpcpeeringconnection.html>
fn create(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let input =
        props.input::<CreateVpcPeeringConnection>(&["PeerOwnerId", "PeerRegion", "PeerVpcId", "VpcId"]);
    let tags = tags(props, choices::ResourceType::VpcPeeringConnection)?;
    let id =
        input.with("TagSpecifications", &tags).call(cx)?.vpc_peering_connection.vpc_peering_connection_id;
    if cx.tx.get::<VpcPeering>(id.as_str()).is_some_and(|p| p.decision == PeeringDecision::Failed) {
        return Err(Error::PeeringFailed.into());
    }
    InputDraft::<AcceptVpcPeeringConnection>::new().with("VpcPeeringConnectionId", &id).call(cx)?;
    Ok(Created::new(id.as_str()).with("Id", id.as_str()))
}

fn delete(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let id = &created.physical_id;
    let is_open = cx.tx.get::<VpcPeering>(id).is_some_and(|p| {
        let state = peerings::state(cx.tx, &p, cx.now);
        matches!(state, PeeringState::PendingAcceptance | PeeringState::Provisioning | PeeringState::Active)
    });
    if !is_open {
        return Ok(());
    }
    already_gone(
        InputDraft::<DeleteVpcPeeringConnection>::new().with("VpcPeeringConnectionId", id).call(cx).map(drop),
    )
}

fn linked(image: &Image, row: &VpcPeering) -> usize {
    let prefix = format!("{}/", row.id);
    image.prefix::<VpcPeeringSeen>(&prefix).count()
}

fn ready(image: &Image, created: &Created) -> Readiness {
    match image.get::<VpcPeering>(&created.physical_id) {
        Some(row) if row.decision == PeeringDecision::Accepted => match linked(image, &row) {
            2 => Readiness::ready(),
            _ => Readiness::Pending("the networks of the VPCs are being linked".into()),
        },
        _ => Readiness::Failed(format!("The peering connection {} was deleted", created.physical_id)),
    }
}

fn gone(image: &Image, created: &Created) -> Readiness {
    match image.get::<VpcPeering>(&created.physical_id) {
        Some(row) if linked(image, &row) > 0 => {
            Readiness::Pending("the peering connection is being deleted".into())
        }
        _ => Readiness::ready(),
    }
}
