//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteVpc.html>

use crate::{Error, acls, peerings, rules, shapes, status::PeeringState};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{
    DefaultVpc, DhcpOptionsAssociation, EgressOnlyInternetGateway, Endpoint, Group, GroupRule, Interface,
    InternetGateway, NatGateway, NetworkAcl, RouteTable, Subnet, Vpc, VpcId, VpcIpv6Block, VpcPeering,
};

pub(crate) struct DeleteVpc;

#[derive(Wire)]
pub(crate) struct Input {
    vpc_id: VpcId,
}

impl Operation for DeleteVpc {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let vpc = rules::find::<Vpc>(cx, input.vpc_id.as_str())?;
        let dependencies = dependencies(cx, &vpc.id);
        if !dependencies.is_empty() {
            return Err(Error::InUse(format!(
                "The vpc '{}' has dependencies and cannot be deleted: {}",
                vpc.id,
                dependencies.join(", ")
            )));
        }
        let tables: Vec<_> = cx.tx.scan::<RouteTable>().filter(|t| t.vpc == vpc.id).collect();
        for t in &tables {
            cx.tx.delete::<RouteTable>(t.id.as_str());
        }
        cx.tx.delete::<NetworkAcl>(acls::default_id(&vpc.id).as_str());
        let groups: Vec<_> = cx.tx.scan::<Group>().filter(|g| g.vpc == vpc.id).collect();
        for group in groups {
            for rule in shapes::group::rules(cx, &group.id) {
                cx.tx.delete::<GroupRule>(&format!("{}/{}", rule.group, rule.id));
            }
            cx.tx.delete::<Group>(group.id.as_str());
        }
        // These gateways are deleted or failed: an available one has an interface, which is a dependency.
        let gateways: Vec<_> = cx.tx.scan::<NatGateway>().filter(|n| n.vpc == vpc.id).collect();
        for n in &gateways {
            cx.tx.delete::<NatGateway>(n.id.as_str());
        }
        // The row stays, without a VPC, so that the next start does not create another default VPC.
        if DefaultVpc::of(cx.tx).as_ref() == Some(&vpc.id) {
            cx.tx.put(DefaultVpc { vpc: None });
        }
        cx.tx.delete::<DhcpOptionsAssociation>(vpc.id.as_str());
        cx.tx.delete::<VpcIpv6Block>(vpc.id.as_str());
        cx.tx.delete::<Vpc>(vpc.id.as_str());
        Ok(())
    }
}

/// The resources that prevent a VPC's deletion: all but its main route table, its default group and its default
/// network ACL.
fn dependencies(cx: &Cx<'_>, vpc: &VpcId) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    found.extend(cx.tx.scan::<Subnet>().filter(|s| s.vpc == *vpc).map(|s| s.id.to_string()));
    found.extend(cx.tx.scan::<Interface>().filter(|i| i.vpc == *vpc).map(|i| i.id.to_string()));
    let gateways = cx.tx.scan::<InternetGateway>().filter(|g| g.vpc.as_ref() == Some(vpc));
    found.extend(gateways.map(|g| g.id.to_string()));
    found.extend(cx.tx.scan::<Endpoint>().filter(|e| e.vpc == *vpc).map(|e| e.id.to_string()));
    found.extend(cx.tx.scan::<RouteTable>().filter(|t| t.vpc == *vpc && !t.main).map(|t| t.id.to_string()));
    let outbound = cx.tx.scan::<EgressOnlyInternetGateway>().filter(|g| g.vpc == *vpc);
    found.extend(outbound.map(|g| g.id.to_string()));
    let open = cx.tx.scan::<VpcPeering>().filter(|p| {
        let state = peerings::state(cx.tx, p, cx.now);
        let is_open = matches!(
            state,
            PeeringState::PendingAcceptance | PeeringState::Provisioning | PeeringState::Active
        );
        is_open && p.sides(vpc).is_some()
    });
    found.extend(open.map(|p| p.id.to_string()));
    let acls = cx.tx.scan::<NetworkAcl>().filter(|a| a.vpc == *vpc && !a.default);
    found.extend(acls.map(|a| a.id.to_string()));
    let groups = cx.tx.scan::<Group>().filter(|g| g.vpc == *vpc && g.name != "default");
    found.extend(groups.map(|g| g.id.to_string()));
    found
}
