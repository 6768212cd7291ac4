//! The resource types `AWS::ElasticLoadBalancingV2::*`, implemented with this service's operations.
//!
//! Source: <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_ElasticLoadBalancingV2.html>

use crate::{
    ops::{
        create_listener::CreateListener, create_load_balancer::CreateLoadBalancer, create_rule::CreateRule,
        create_target_group::CreateTargetGroup, delete_listener::DeleteListener,
        delete_load_balancer::DeleteLoadBalancer, delete_rule::DeleteRule,
        delete_target_group::DeleteTargetGroup,
        modify_load_balancer_attributes::ModifyLoadBalancerAttributes,
        modify_target_group_attributes::ModifyTargetGroupAttributes, register_targets::RegisterTargets,
    },
    status::{self, BalancerState},
};
use escale_base::{
    AwsError,
    wire::{Value, Wire},
};
use escale_service::{Created, Cx, Props, Readiness, ResourceType, Resources};
use escale_store::Image;
use escale_tables::elbv2::{BalancerSeen, LoadBalancer};

pub(crate) fn types() -> Resources {
    vec![
        ResourceType::new(
            "AWS::ElasticLoadBalancingV2::LoadBalancer",
            &[
                "IpAddressType",
                "LoadBalancerAttributes",
                "Name",
                "Scheme",
                "SecurityGroups",
                "SubnetMappings",
                "Subnets",
                "Tags",
                "Type",
            ],
            create_balancer,
            |cx, created| created.delete_by::<DeleteLoadBalancer>(cx, "LoadBalancerArn"),
        )
        .ready(balancer_ready)
        .gone(balancer_gone),
        ResourceType::new(
            "AWS::ElasticLoadBalancingV2::TargetGroup",
            &[
                "HealthCheckEnabled",
                "HealthCheckIntervalSeconds",
                "HealthCheckPath",
                "HealthCheckPort",
                "HealthCheckProtocol",
                "HealthCheckTimeoutSeconds",
                "HealthyThresholdCount",
                "IpAddressType",
                "Matcher",
                "Name",
                "Port",
                "Protocol",
                "ProtocolVersion",
                "Tags",
                "TargetGroupAttributes",
                "TargetType",
                "Targets",
                "UnhealthyThresholdCount",
                "VpcId",
            ],
            create_group,
            |cx, created| created.delete_by::<DeleteTargetGroup>(cx, "TargetGroupArn"),
        ),
        ResourceType::new(
            "AWS::ElasticLoadBalancingV2::Listener",
            &["DefaultActions", "LoadBalancerArn", "Port", "Protocol"],
            create_listener,
            |cx, created| created.delete_by::<DeleteListener>(cx, "ListenerArn"),
        ),
        ResourceType::new(
            "AWS::ElasticLoadBalancingV2::ListenerRule",
            &["Actions", "Conditions", "ListenerArn", "Priority"],
            create_rule,
            |cx, created| created.delete_by::<DeleteRule>(cx, "RuleArn"),
        ),
    ]
}

fn create_balancer(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let input = props.input_without::<CreateLoadBalancer>(&["LoadBalancerAttributes", "Tags", "Name"]);
    let input = input.with("Name", &props.name_or_generated("Name", 32)).with("Tags", &props.tags()?);
    let made = only(input.call(cx)?.load_balancers)?;
    let arn = made.load_balancer_arn;
    if props.get("LoadBalancerAttributes").is_some() {
        let input = props.input::<ModifyLoadBalancerAttributes>(&["LoadBalancerAttributes"]);
        input.renamed(&[("LoadBalancerAttributes", "Attributes")]).with("LoadBalancerArn", &arn).call(cx)?;
    }
    let full_name = after(&arn, ":loadbalancer/")?.to_owned();
    Ok(Created::new(arn.as_str())
        .with("LoadBalancerArn", arn)
        .with("DNSName", made.dns_name)
        .with("CanonicalHostedZoneID", made.canonical_hosted_zone_id)
        .with("LoadBalancerFullName", full_name)
        .with("LoadBalancerName", made.load_balancer_name)
        .with("SecurityGroups", made.security_groups.write()))
}

fn balancer_ready(image: &Image, created: &Created) -> Readiness {
    let Some(row) = image.get::<LoadBalancer>(&created.physical_id) else {
        return Readiness::Failed(format!("{} was deleted", created.physical_id));
    };
    match status::balancer(image, &row) {
        (BalancerState::Active, _) => Readiness::ready(),
        (BalancerState::Failed, why) => Readiness::Failed(why.unwrap_or_default()),
        (state, why) => Readiness::Pending(why.unwrap_or_else(|| format!("the load balancer is {state}"))),
    }
}

fn balancer_gone(image: &Image, created: &Created) -> Readiness {
    if image.has::<BalancerSeen>(&created.physical_id) {
        Readiness::Pending("the proxy still serves the load balancer".into())
    } else {
        Readiness::ready()
    }
}

fn create_group(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let without = ["TargetGroupAttributes", "Targets", "Tags", "Name"];
    let input = props.input_without::<CreateTargetGroup>(&without);
    let input = input.with("Name", &props.name_or_generated("Name", 32)).with("Tags", &props.tags()?);
    let made = only(input.call(cx)?.target_groups)?;
    let arn = made.target_group_arn;
    if props.get("TargetGroupAttributes").is_some() {
        let input = props.input::<ModifyTargetGroupAttributes>(&["TargetGroupAttributes"]);
        input.renamed(&[("TargetGroupAttributes", "Attributes")]).with("TargetGroupArn", &arn).call(cx)?;
    }
    if props.get("Targets").and_then(Value::as_array).is_some_and(|targets| !targets.is_empty()) {
        props.input::<RegisterTargets>(&["Targets"]).with("TargetGroupArn", &arn).call(cx)?;
    }
    let full_name = format!("targetgroup/{}", after(&arn, ":targetgroup/")?);
    Ok(Created::new(arn.as_str())
        .with("TargetGroupArn", arn)
        .with("TargetGroupFullName", full_name)
        .with("TargetGroupName", made.target_group_name)
        .with("LoadBalancerArns", made.load_balancer_arns))
}

fn create_listener(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let arn = only(props.input_without::<CreateListener>(&[]).call(cx)?.listeners)?.listener_arn;
    Ok(Created::new(arn.as_str()).with("ListenerArn", arn))
}

fn create_rule(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let arn = only(props.input_without::<CreateRule>(&[]).call(cx)?.rules)?.rule_arn;
    Ok(Created::new(arn.as_str()).with("RuleArn", arn).with("IsDefault", false))
}

/// The single item of a creation's answer, which is a list.
fn only<T>(made: Vec<T>) -> Result<T, AwsError> {
    made.into_iter().next().ok_or_else(AwsError::internal)
}

fn after<'a>(arn: &'a str, mark: &str) -> Result<&'a str, AwsError> {
    arn.split_once(mark).map(|(_, rest)| rest).ok_or_else(AwsError::internal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The API has ports and status codes as numbers in some places and as strings in others; templates use either in both.
    #[test]
    fn coerces_actions_to_the_types_of_the_api() {
        let written = json!({
            "LoadBalancerArn": "arn:aws:x", "Port": "80", "Protocol": "HTTP",
            "DefaultActions": [
                {"Type": "redirect", "Order": "1", "RedirectConfig": {"Port": 443, "StatusCode": "HTTP_301"}},
                {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": 404}},
            ],
        });
        let schema = escale_schema::schema("AWS::ElasticLoadBalancingV2::Listener").unwrap();
        let values = schema.coerce(written.as_object().unwrap()).unwrap();
        let props = Props { values: &values, stack_name: "shop", logical_id: "Web", stack_tags: &[] };
        let input = props.input_without::<CreateListener>(&[]).read().unwrap().write();
        let config = |at: usize, name: &str| input["DefaultActions"][at][name].clone();
        assert_eq!(input["Port"], 80);
        assert_eq!(config(0, "Order"), 1);
        assert_eq!(config(0, "RedirectConfig")["Port"], "443");
        assert_eq!(config(1, "FixedResponseConfig")["StatusCode"], "404");
    }
}
