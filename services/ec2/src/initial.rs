//! The resources that every VPC is created with: its main route table and its security group `default`.

use escale_store::Tx;
use escale_tables::ec2::{
    Group, GroupId, GroupRule, Peer, Route, RouteTable, RouteTableAssociation, RouteTableAssociationId,
    RouteTableId, RuleId, Vpc,
};
use ipnet::Ipv4Net;

pub(crate) fn main_route_table(vpc: &Vpc, routes: Vec<Route>) -> RouteTable {
    RouteTable {
        id: RouteTableId::random(),
        vpc: vpc.id.clone(),
        main: true,
        routes,
        associations: vec![RouteTableAssociation { id: RouteTableAssociationId::random(), subnet: None }],
        tags: Vec::new(),
        created: vpc.created,
    }
}

/// Writes the group `default`: it allows inbound traffic from its own members and all outbound traffic.
pub(crate) fn default_group(tx: &mut Tx, vpc: &Vpc) {
    let group = Group {
        id: GroupId::random(),
        vpc: vpc.id.clone(),
        name: "default".into(),
        description: "default VPC security group".into(),
        tags: Vec::new(),
    };
    for (egress, peer) in
        [(false, Peer::Group(group.id.clone())), (true, Peer::Cidr(Ipv4Net::default().into()))]
    {
        tx.put(all_traffic(&group.id, egress, peer));
    }
    tx.put(group);
}

/// A rule for all protocols and ports.
pub(crate) fn all_traffic(group: &GroupId, egress: bool, peer: Peer) -> GroupRule {
    GroupRule {
        id: RuleId::random(),
        group: group.clone(),
        egress,
        protocol: "-1".into(),
        from_port: -1,
        to_port: -1,
        peer,
        description: None,
        tags: Vec::new(),
    }
}
