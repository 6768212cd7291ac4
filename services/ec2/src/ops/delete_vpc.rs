//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteVpc.html>

use crate::{Error, rules, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{
    DefaultVpc, Endpoint, Group, GroupRule, Interface, InternetGateway, NatGateway, RouteTable, Subnet, Vpc,
    VpcId,
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
        let in_the_way = in_the_way(cx, &vpc.id);
        if !in_the_way.is_empty() {
            return Err(Error::InUse(format!(
                "The vpc '{}' has dependencies and cannot be deleted: {}",
                vpc.id,
                in_the_way.join(", ")
            )));
        }
        let tables: Vec<_> = cx.tx.scan::<RouteTable>().filter(|t| t.vpc == vpc.id).collect();
        for t in &tables {
            cx.tx.delete::<RouteTable>(t.id.as_str());
        }
        let groups: Vec<_> = cx.tx.scan::<Group>().filter(|g| g.vpc == vpc.id).collect();
        for group in groups {
            for rule in shapes::group::rules(cx, &group.id) {
                cx.tx.delete::<GroupRule>(&format!("{}/{}", rule.group, rule.id));
            }
            cx.tx.delete::<Group>(group.id.as_str());
        }
        let gateways: Vec<_> = cx.tx.scan::<NatGateway>().filter(|n| n.vpc == vpc.id).collect();
        for n in &gateways {
            cx.tx.delete::<NatGateway>(n.id.as_str());
        }
        if DefaultVpc::of(cx.tx).as_ref() == Some(&vpc.id) {
            cx.tx.put(DefaultVpc { vpc: None });
        }
        cx.tx.delete::<Vpc>(vpc.id.as_str());
        Ok(())
    }
}

/// What a VPC's deletion does not take along: everything but its main route table and default group.
fn in_the_way(cx: &Cx<'_>, vpc: &VpcId) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    found.extend(cx.tx.scan::<Subnet>().filter(|s| s.vpc == *vpc).map(|s| s.id.to_string()));
    found.extend(cx.tx.scan::<Interface>().filter(|i| i.vpc == *vpc).map(|i| i.id.to_string()));
    let gateways = cx.tx.scan::<InternetGateway>().filter(|g| g.vpc.as_ref() == Some(vpc));
    found.extend(gateways.map(|g| g.id.to_string()));
    found.extend(cx.tx.scan::<Endpoint>().filter(|e| e.vpc == *vpc).map(|e| e.id.to_string()));
    found.extend(cx.tx.scan::<RouteTable>().filter(|t| t.vpc == *vpc && !t.main).map(|t| t.id.to_string()));
    let groups = cx.tx.scan::<Group>().filter(|g| g.vpc == *vpc && g.name != "default");
    found.extend(groups.map(|g| g.id.to_string()));
    found
}
