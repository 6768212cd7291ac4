//! Network ACLs: the default ACL of a VPC, the ACL of a subnet, and entries from the parameters of requests to rows.

use crate::{
    Error,
    choices::RuleAction,
    rules,
    shapes::network_acl::{IcmpTypeCode, PortRange},
};
use escale_store::{Image, Tx};
use escale_tables::ec2::{
    AclEntry, NetworkAcl, NetworkAclAssociation, NetworkAclAssociationId, NetworkAclId, Subnet, SubnetId,
    Vpc, VpcId,
};
use ipnet::{IpNet, Ipv4Net};

/// The numbers of the protocols that have ports or types.
const ICMP: &str = "1";
const TCP: &str = "6";
pub(crate) const UDP: &str = "17";
const ICMP_V6: &str = "58";

/// The number of the last entry of every ACL, which denies all; requests can use the numbers below it.
pub(crate) const LAST: u16 = 32767;

/// The id of a VPC's default ACL. It is derived from the VPC's id.
pub(crate) fn default_id(vpc: &VpcId) -> NetworkAclId {
    vpc.as_str().replacen("vpc-", "acl-", 1).into()
}

/// The default ACL of a new VPC: it allows all traffic.
pub(crate) fn default_acl(vpc: &Vpc) -> NetworkAcl {
    let entry = |egress| AclEntry {
        number: 100,
        egress,
        allow: true,
        protocol: "-1".into(),
        cidr: Ipv4Net::default().into(),
        ports: None,
        icmp: None,
    };
    NetworkAcl {
        id: default_id(&vpc.id),
        vpc: vpc.id.clone(),
        default: true,
        entries: vec![entry(true), entry(false)],
        tags: Vec::new(),
    }
}

/// Creates the default ACLs of VPCs that a version without ACLs has created.
pub(crate) fn install(tx: &mut Tx) {
    let without = |vpc: &Vpc| !tx.has::<NetworkAcl>(default_id(&vpc.id).as_str());
    let missing: Vec<_> = tx.scan::<Vpc>().filter(|vpc| without(vpc)).map(|vpc| default_acl(&vpc)).collect();
    missing.into_iter().for_each(|acl| tx.put(acl));
}

/// A subnet's association with its ACL. Until it is replaced for the first time, its id is derived from the subnet's id.
pub(crate) fn association_of(image: &Image, subnet: &Subnet) -> NetworkAclAssociation {
    let stored = image.get::<NetworkAclAssociation>(subnet.id.as_str());
    stored.map_or_else(|| default_association(subnet), |row| row.as_ref().clone())
}

pub(crate) fn default_association(subnet: &Subnet) -> NetworkAclAssociation {
    NetworkAclAssociation {
        id: subnet.id.as_str().replacen("subnet-", "aclassoc-", 1).into(),
        subnet: subnet.id.clone(),
        acl: default_id(&subnet.vpc),
    }
}

/// The association with this id.
pub(crate) fn association(image: &Image, id: &str) -> Option<NetworkAclAssociation> {
    image.scan::<Subnet>().map(|subnet| association_of(image, &subnet)).find(|a| a.id.as_str() == id)
}

/// The associations of an ACL.
pub(crate) fn associations<'a>(
    image: &'a Image,
    acl: &'a NetworkAcl,
) -> impl Iterator<Item = NetworkAclAssociation> + 'a {
    let subnets = image.scan::<Subnet>().filter(|s| s.vpc == acl.vpc);
    subnets.map(|subnet| association_of(image, &subnet)).filter(|a| a.acl == acl.id)
}

/// Associates a subnet with another ACL; as on AWS, the association gets a new id.
pub(crate) fn associate(tx: &mut Tx, subnet: &SubnetId, acl: &NetworkAclId) -> NetworkAclAssociationId {
    let id = NetworkAclAssociationId::random();
    tx.put(NetworkAclAssociation { id: id.clone(), subnet: subnet.clone(), acl: acl.clone() });
    id
}

/// An entry in the parameters of a request.
pub(crate) struct Parameters {
    pub rule_number: i32,
    pub egress: bool,
    pub protocol: String,
    pub rule_action: RuleAction,
    pub cidr_block: Option<String>,
    pub ipv6_cidr_block: Option<String>,
    pub icmp_type_code: Option<IcmpTypeCode>,
    pub port_range: Option<PortRange>,
}

/// Source: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNetworkAclEntry.html>
pub(crate) fn entry(parameters: Parameters) -> Result<AclEntry, Error> {
    let Parameters { rule_number, egress, protocol, rule_action, icmp_type_code, port_range, .. } =
        parameters;
    let cidr = match (parameters.cidr_block, parameters.ipv6_cidr_block) {
        (Some(text), None) => IpNet::V4(rules::cidr("cidrBlock", &text)?),
        (None, Some(text)) => IpNet::V6(rules::ipv6_cidr("ipv6CidrBlock", &text)?),
        (None, None) => return Err(Error::Missing("cidrBlock or ipv6CidrBlock")),
        (Some(_), Some(_)) => {
            let why = "An entry has one block: cidrBlock or ipv6CidrBlock.";
            return Err(Error::Combination(why.into()));
        }
    };
    if protocol != "-1" && protocol.parse::<u8>().is_err() {
        let why = "Unknown protocol. Use -1 or a number from 0 to 255, for example 6 for TCP.";
        return Err(Error::invalid("protocol", protocol, why));
    }
    // AWS ignores the ports of all other protocols: such an entry covers all ports.
    let ports = match protocol.as_str() {
        protocol if has_ports(protocol) => Some(ports(port_range.ok_or(Error::Missing("portRange"))?)?),
        _ => None,
    };
    let icmp = match (protocol.as_str(), cidr) {
        (ICMP, IpNet::V4(_)) | (ICMP_V6, IpNet::V6(_)) => {
            Some(icmp(icmp_type_code.ok_or(Error::Missing("icmpTypeCode"))?)?)
        }
        _ => None,
    };
    Ok(AclEntry {
        number: number(rule_number)?,
        egress,
        allow: rule_action == RuleAction::Allow,
        protocol: protocol.into(),
        cidr,
        ports,
        icmp,
    })
}

/// Whether entries of the protocol have ports.
pub(crate) fn has_ports(protocol: &str) -> bool {
    matches!(protocol, TCP | UDP)
}

/// Whether entries of the protocol have an ICMP type.
pub(crate) fn is_icmp(protocol: &str) -> bool {
    matches!(protocol, ICMP | ICMP_V6)
}

/// The place of an entry in its ACL.
pub(crate) fn position(acl: &NetworkAcl, number: i32, egress: bool) -> Result<usize, Error> {
    let at = acl.entries.iter().position(|e| i32::from(e.number) == number && e.egress == egress);
    let way = if egress { "egress" } else { "ingress" };
    at.ok_or_else(|| Error::NoEntry(acl.id.to_string(), way, number))
}

fn number(requested: i32) -> Result<u16, Error> {
    let number = u16::try_from(requested).ok().filter(|n| (1..LAST).contains(n));
    number.ok_or_else(|| Error::invalid("ruleNumber", requested, "Rule numbers are 1 to 32766."))
}

fn ports(range: PortRange) -> Result<(u16, u16), Error> {
    let (Some(from), Some(to)) = (range.from, range.to) else {
        return Err(Error::Missing("portRange.from and portRange.to"));
    };
    // -1 means all ports, as in security groups.
    let (from, to) = if (from, to) == (-1, -1) { (0, i32::from(u16::MAX)) } else { (from, to) };
    match (u16::try_from(from), u16::try_from(to)) {
        (Ok(from), Ok(to)) if from <= to => Ok((from, to)),
        _ => {
            let why = "Ports are 0 to 65535, and the first must not be above the last.";
            Err(Error::invalid("portRange", format!("{from}-{to}"), why))
        }
    }
}

fn icmp(requested: IcmpTypeCode) -> Result<(i16, i16), Error> {
    let (Some(kind), Some(code)) = (requested.kind, requested.code) else {
        return Err(Error::Missing("icmpTypeCode.type and icmpTypeCode.code"));
    };
    let fits = |n: &i16| (-1..=255).contains(n);
    let both = (i16::try_from(kind).ok().filter(fits), i16::try_from(code).ok().filter(fits));
    match both {
        (Some(kind), Some(code)) if kind != -1 || code == -1 => Ok((kind, code)),
        _ => {
            let why = "ICMP types and codes are -1 to 255. -1 means all; a code requires a type.";
            Err(Error::invalid("icmpTypeCode", format!("{kind}/{code}"), why))
        }
    }
}

#[cfg(test)]
mod tests;
