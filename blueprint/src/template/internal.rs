//! Services that other services use: an internal load balancer with a listener for each, and their names in a private zone.
//!
//! A used service `api` of the application `shop` is `http://api.shop.internal:PORT` in the VPC, at the port on which it listens.
//! The listener's port identifies the service, so a security group rule for it allows connections to that service only.

use super::{Sheet, balancer, get_att, name_tag, network, pascal, reference, security};
use crate::manifest::{Manifest, Service};
use serde_json::json;

pub(super) fn resources(sheet: &mut Sheet, manifest: &Manifest) {
    let used: Vec<&Service> = manifest.used_services().collect();
    if used.is_empty() {
        return;
    }
    sheet.add(
        "InternalLoadBalancer",
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        json!({
            "Type": "application",
            "Scheme": "internal",
            "Subnets": network::subnets(manifest, "App"),
            "SecurityGroups": [security::id("InternalLoadBalancer")],
            "LoadBalancerAttributes": [
                {"Key": "deletion_protection.enabled", "Value": manifest.environment.protect.to_string()},
                {"Key": "routing.http.drop_invalid_header_fields.enabled", "Value": "true"},
            ],
            "Tags": name_tag("internal"),
        }),
    );
    sheet.add(
        "InternalZone",
        "AWS::Route53::HostedZone",
        json!({
            "Name": zone(manifest),
            "VPCs": [{"VPCId": reference("Vpc"), "VPCRegion": reference("AWS::Region")}],
        }),
    );
    for service in used {
        one(sheet, manifest, service);
    }
}

fn one(sheet: &mut Sheet, manifest: &Manifest, service: &Service) {
    let name = pascal(&service.name);
    let target_group = format!("{name}InternalTargetGroup");
    balancer::target_group(sheet, &target_group, service);
    sheet.add(
        &format!("{name}InternalListener"),
        "AWS::ElasticLoadBalancingV2::Listener",
        json!({
            "LoadBalancerArn": reference("InternalLoadBalancer"),
            "Port": service.port,
            "Protocol": "HTTP",
            "DefaultActions": [{"Type": "forward", "TargetGroupArn": reference(&target_group)}],
        }),
    );
    sheet.add(
        &record(service),
        "AWS::Route53::RecordSet",
        json!({
            "HostedZoneId": reference("InternalZone"),
            "Name": host(manifest, service),
            "Type": "A",
            "AliasTarget": {
                "DNSName": get_att("InternalLoadBalancer", "DNSName"),
                "HostedZoneId": get_att("InternalLoadBalancer", "CanonicalHostedZoneID"),
            },
        }),
    );
}

/// The resource that connects a used service's target group to the load balancer, and the target group.
pub(super) fn attached_by(manifest: &Manifest, service: &Service) -> Option<(String, String)> {
    manifest.users_of(&service.name).next()?;
    let name = pascal(&service.name);
    Some((format!("{name}InternalListener"), format!("{name}InternalTargetGroup")))
}

/// The record of a used service's name.
pub(super) fn record(service: &Service) -> String {
    format!("{}InternalRecord", pascal(&service.name))
}

/// The name of a used service inside the VPC. ICANN has reserved the top-level domain `internal` for private use, so no name of the
/// Internet is hidden by it.
pub(crate) fn host(manifest: &Manifest, service: &Service) -> String {
    format!("{}.{}", service.name, zone(manifest))
}

fn zone(manifest: &Manifest) -> String {
    format!("{}.internal", manifest.app)
}
