//! Security groups, one for the load balancer, one a service, one a database. What one lets in from another names
//! its group, never an address; such rules are resources of their own, so that no two groups wait for each other.

use super::{Sheet, get_att, name_tag, pascal, reference};
use crate::manifest::{Manifest, Service};
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
        group(sheet, &name, &format!("Tasks of {}", service.name), service_egress());
        if let (Some(port), Some(_)) = (service.port, &service.path) {
            allow(sheet, "LoadBalancer", &name, port);
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

/// What a task needs before its first connection works: its own rules, both ends of each.
pub(super) fn rules_of(manifest: &Manifest, service: &Service) -> Vec<String> {
    let name = pascal(&service.name);
    let mut pairs = Vec::new();
    if service.path.is_some() {
        pairs.push(("LoadBalancer".to_owned(), name.clone()));
    }
    let databases = manifest.databases.iter().filter(|d| service.uses.contains(&d.name));
    pairs.extend(databases.map(|d| (name.clone(), pascal(&d.name))));
    pairs.iter().flat_map(|(from, to)| [format!("{from}To{to}"), format!("{to}From{from}")]).collect()
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

/// A group made without egress rules gets one that allows everything; this rule leads nowhere and takes its place.
fn no_egress() -> Value {
    json!([{"IpProtocol": "-1", "CidrIp": "127.0.0.1/32", "Description": "Nowhere"}])
}

/// Web and names; everything else by group.
fn service_egress() -> Value {
    let to = |protocol, port: u16, cidr: Value, description: &str| {
        json!({
            "IpProtocol": protocol, "FromPort": port, "ToPort": port, "CidrIp": cidr,
            "Description": description,
        })
    };
    let vpc = || get_att("Vpc", "CidrBlock");
    json!([
        to("tcp", 443, "0.0.0.0/0".into(), "HTTPS"),
        to("tcp", 80, "0.0.0.0/0".into(), "HTTP"),
        to("udp", 53, vpc(), "DNS"),
        to("tcp", 53, vpc(), "DNS"),
    ])
}

/// Lets members of one group open connections to a port of another's members.
fn allow(sheet: &mut Sheet, from: &str, to: &str, port: u16) {
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
        rule(from, to, "DestinationSecurityGroupId", format!("To {to}")),
    );
    sheet.add(
        &format!("{to}From{from}"),
        "AWS::EC2::SecurityGroupIngress",
        rule(to, from, "SourceSecurityGroupId", format!("From {from}")),
    );
}
