//! Security groups: one for the load balancer, one for each service and each database. Rules between them name a group, never
//! an address. These rules are separate resources, so that the groups do not depend on each other in a circle.

use super::{Sheet, get_att, internal, name_tag, pascal, reference};
use crate::manifest::{Egress, Manifest, Service};
use serde_json::{Value, json};

/// PostgreSQL's port.
pub(super) const DATABASE_PORT: u16 = 5432;

pub(super) fn resources(sheet: &mut Sheet, manifest: &Manifest) {
    group(sheet, "LoadBalancer", "Users to the load balancer", no_egress());
    sheet.add(
        "LoadBalancerFromUsers",
        "AWS::EC2::SecurityGroupIngress",
        json!({
            "GroupId": id("LoadBalancer"), "IpProtocol": "tcp", "FromPort": 80, "ToPort": 80,
            "CidrIp": "0.0.0.0/0", "Description": "HTTP from users",
        }),
    );
    for service in &manifest.services {
        let name = pascal(&service.name);
        group(sheet, &name, &format!("Tasks of {}", service.name), service_egress(service));
        if let (Some(port), Some(_)) = (service.port, &service.path) {
            allow(sheet, "LoadBalancer", &name, port);
        }
    }
    if manifest.used_services().next().is_some() {
        group(sheet, "InternalLoadBalancer", "Services to services", no_egress());
    }
    for (service, port) in manifest.used_services().filter_map(|s| Some((s, s.port?))) {
        let name = pascal(&service.name);
        allow(sheet, "InternalLoadBalancer", &name, port);
        for user in manifest.users_of(&service.name) {
            let user = pascal(&user.name);
            rules(sheet, [&user, &name], [&user, "InternalLoadBalancer"], port);
        }
    }
    for database in &manifest.databases {
        let name = pascal(&database.name);
        group(sheet, &name, &format!("Database {}", database.name), no_egress());
        let uses = |s: &&Service| s.uses.contains(&database.name);
        for service in manifest.services.iter().filter(uses) {
            allow(sheet, &pascal(&service.name), &name, DATABASE_PORT);
        }
    }
}

/// The rules that must exist before a task's first connection works, both ends of each connection, and the names that it uses.
pub(super) fn rules_of(manifest: &Manifest, service: &Service) -> Vec<String> {
    let name = pascal(&service.name);
    let mut pairs = Vec::new();
    if service.path.is_some() {
        pairs.push(("LoadBalancer".to_owned(), name.clone()));
    }
    let databases = manifest.databases.iter().filter(|d| service.uses.contains(&d.name));
    pairs.extend(databases.map(|d| (name.clone(), pascal(&d.name))));
    if manifest.users_of(&service.name).next().is_some() {
        pairs.push(("InternalLoadBalancer".to_owned(), name.clone()));
    }
    let used: Vec<&Service> = service.uses.iter().filter_map(|used| manifest.service(used)).collect();
    pairs.extend(used.iter().map(|used| (name.clone(), pascal(&used.name))));
    let records = used.iter().map(|used| internal::record(used));
    let rules = pairs.iter().flat_map(|(from, to)| [format!("{from}To{to}"), format!("{to}From{from}")]);
    rules.chain(records).collect()
}

pub(super) fn id(name: &str) -> Value {
    get_att(&format!("{name}SecurityGroup"), "GroupId")
}

fn group(sheet: &mut Sheet, name: &str, description: &str, egress: Value) {
    sheet.add(
        &format!("{name}SecurityGroup"),
        "AWS::EC2::SecurityGroup",
        json!({
            "GroupDescription": description,
            "VpcId": reference("Vpc"),
            "SecurityGroupEgress": egress,
            "Tags": name_tag(&name.to_lowercase()),
        }),
    );
}

/// A security group without egress rules gets AWS's default rule, which allows everything. This rule matches no real address
/// and prevents the default.
fn no_egress() -> Value {
    json!([{"IpProtocol": "-1", "CidrIp": "127.0.0.1/32", "Description": "Nowhere"}])
}

/// Egress out of the VPC and to DNS. Rules between groups allow everything else.
fn service_egress(service: &Service) -> Value {
    let to = |protocol, port: u16, cidr: Value, description: &str| {
        json!({
            "IpProtocol": protocol, "FromPort": port, "ToPort": port, "CidrIp": cidr,
            "Description": description,
        })
    };
    let out = |egress: &Egress| {
        let description = match (egress.port, egress.udp) {
            (443, false) => "HTTPS",
            (80, false) => "HTTP",
            _ => "Out of the VPC",
        };
        let protocol = if egress.udp { "udp" } else { "tcp" };
        to(protocol, egress.port, egress.to.to_string().into(), description)
    };
    let vpc = || get_att("Vpc", "CidrBlock");
    let dns = [to("udp", 53, vpc(), "DNS"), to("tcp", 53, vpc(), "DNS")];
    service.egress.iter().map(out).chain(dns).collect()
}

/// Lets members of one group open connections to a port of another's members.
fn allow(sheet: &mut Sheet, from: &str, to: &str, port: u16) {
    rules(sheet, [from, to], [from, to], port);
}

/// The two rules between two groups, named after the parts that they connect.
fn rules(sheet: &mut Sheet, [from, to]: [&str; 2], [source, target]: [&str; 2], port: u16) {
    let rule = |own: &str, other: &str, other_is: &str, description: String| {
        let mut rule = json!({
            "GroupId": id(own), "IpProtocol": "tcp", "FromPort": port, "ToPort": port,
            "Description": description,
        });
        rule[other_is] = id(other);
        rule
    };
    sheet.add(
        &format!("{from}To{to}"),
        "AWS::EC2::SecurityGroupEgress",
        rule(source, target, "DestinationSecurityGroupId", format!("To {to}")),
    );
    sheet.add(
        &format!("{to}From{from}"),
        "AWS::EC2::SecurityGroupIngress",
        rule(target, source, "SourceSecurityGroupId", format!("From {from}")),
    );
}
