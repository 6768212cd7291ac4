//! The load balancer: one listener, a rule for each path, a target group for each service behind it.

use super::{Sheet, get_att, name_tag, network, pascal, reference, security};
use crate::manifest::{Manifest, Service};
use serde_json::{Value, json};

pub(super) fn resources(sheet: &mut Sheet, manifest: &Manifest) {
    sheet.add(
        "LoadBalancer",
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        json!({
            "Type": "application",
            "Scheme": "internet-facing",
            "Subnets": network::subnets(manifest, "Public"),
            "SecurityGroups": [security::id("LoadBalancer")],
            "LoadBalancerAttributes": [
                {"Key": "deletion_protection.enabled", "Value": manifest.environment.protect.to_string()},
                {"Key": "routing.http.drop_invalid_header_fields.enabled", "Value": "true"},
            ],
            "Tags": name_tag("load-balancer"),
        }),
    );
    // AWS refuses an internet-facing load balancer in subnets without a route to the Internet
    sheet.attribute("LoadBalancer", "DependsOn", "PublicDefaultRoute");
    let routed: Vec<&Service> = manifest.services.iter().filter(|s| s.path.is_some()).collect();
    for service in &routed {
        let id = format!("{}TargetGroup", pascal(&service.name));
        target_group(sheet, &id, service);
        let what = format!("Target group of {}", service.name);
        sheet.output(&format!("{id}Arn"), &what, reference(&id));
    }
    sheet.add(
        "Listener",
        "AWS::ElasticLoadBalancingV2::Listener",
        json!({
            "LoadBalancerArn": reference("LoadBalancer"),
            "Port": 80,
            "Protocol": "HTTP",
            "DefaultActions": [default_action(&routed)],
        }),
    );
    for (i, service) in by_precedence(&routed).into_iter().enumerate() {
        sheet.add(
            &format!("{}Rule", pascal(&service.name)),
            "AWS::ElasticLoadBalancingV2::ListenerRule",
            json!({
                "ListenerArn": reference("Listener"),
                "Priority": (i + 1) * 10,
                "Conditions": [{"Field": "path-pattern", "PathPatternConfig": {"Values": [service.path]}}],
                "Actions": [forward(service)],
            }),
        );
    }
    sheet.output("LoadBalancerDns", "The load balancer's DNS name", get_att("LoadBalancer", "DNSName"));
}

/// The resource that connects a service's target group to the load balancer, and the target group. ECS refuses a service before
/// that.
pub(super) fn attached_by(service: &Service) -> Option<(String, String)> {
    let name = pascal(&service.name);
    let attached_by = match service.path.as_deref()? {
        "/" => "Listener".to_owned(),
        _ => format!("{name}Rule"),
    };
    Some((attached_by, format!("{name}TargetGroup")))
}

pub(super) fn target_group(sheet: &mut Sheet, id: &str, service: &Service) {
    sheet.add(
        id,
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        json!({
            "VpcId": reference("Vpc"),
            "TargetType": "ip",
            "Protocol": "HTTP",
            "Port": service.port,
            "HealthCheckPath": service.health.path,
            "HealthCheckIntervalSeconds": 5,
            "HealthCheckTimeoutSeconds": 3,
            "HealthyThresholdCount": 2,
            "UnhealthyThresholdCount": 2,
            "Matcher": {"HttpCode": "200"},
            "TargetGroupAttributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}],
            "Tags": name_tag(&service.name),
        }),
    );
}

fn default_action(routed: &[&Service]) -> Value {
    match routed.iter().find(|s| s.path.as_deref() == Some("/")) {
        Some(service) => forward(service),
        None => json!({
            "Type": "fixed-response",
            "FixedResponseConfig": {"StatusCode": "404", "ContentType": "text/plain", "MessageBody": "Not found"},
        }),
    }
}

/// Services with their own path, the most specific path first.
fn by_precedence<'a>(routed: &[&'a Service]) -> Vec<&'a Service> {
    let mut ruled: Vec<&Service> =
        routed.iter().copied().filter(|s| s.path.as_deref() != Some("/")).collect();
    let literal =
        |s: &Service| s.path.as_deref().unwrap_or_default().split(['*', '?']).next().map_or(0, str::len);
    ruled.sort_by_key(|s| std::cmp::Reverse(literal(s)));
    ruled
}

fn forward(service: &Service) -> Value {
    let id = format!("{}TargetGroup", pascal(&service.name));
    json!({"Type": "forward", "TargetGroupArn": reference(&id)})
}
