//! AWS::ElasticLoadBalancingV2::*, in terms of this service's operations.
//!
//! Source: <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_ElasticLoadBalancingV2.html>

use crate::status::{self, BalancerState};
use escale_base::{AwsError, already_gone, wire::Value};
use escale_service::{Created, Cx, Props, Readiness, ResourceType, Resources, answer};
use escale_store::Image;
use escale_tables::elbv2::{BalancerSeen, LoadBalancer};
use serde_json::{Map, json};

pub(crate) fn types() -> Resources {
    vec![
        ResourceType {
            name: "AWS::ElasticLoadBalancingV2::LoadBalancer",
            properties: &[
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
            create: create_balancer,
            ready: balancer_ready,
            delete: |cx, created| delete(cx, "DeleteLoadBalancer", "LoadBalancerArn", created),
            gone: balancer_gone,
        },
        ResourceType {
            name: "AWS::ElasticLoadBalancingV2::TargetGroup",
            properties: &[
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
            create: create_group,
            ready: |_, _| Readiness::ready(),
            delete: |cx, created| delete(cx, "DeleteTargetGroup", "TargetGroupArn", created),
            gone: |_, _| Readiness::ready(),
        },
        ResourceType {
            name: "AWS::ElasticLoadBalancingV2::Listener",
            properties: &["DefaultActions", "LoadBalancerArn", "Port", "Protocol"],
            create: create_listener,
            ready: |_, _| Readiness::ready(),
            delete: |cx, created| delete(cx, "DeleteListener", "ListenerArn", created),
            gone: |_, _| Readiness::ready(),
        },
        ResourceType {
            name: "AWS::ElasticLoadBalancingV2::ListenerRule",
            properties: &["Actions", "Conditions", "ListenerArn", "Priority"],
            create: create_rule,
            ready: |_, _| Readiness::ready(),
            delete: |cx, created| delete(cx, "DeleteRule", "RuleArn", created),
            gone: |_, _| Readiness::ready(),
        },
    ]
}

fn create_balancer(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let mut wish = request(props, &["LoadBalancerAttributes", "Tags", "Name"]);
    wish.insert("Name".into(), props.name_or_generated("Name", 32).into());
    wish.insert("Tags".into(), props.tags());
    let made = cx.call_untyped("elbv2", "CreateLoadBalancer", Value::Object(wish))?;
    let made = &made["LoadBalancers"][0];
    let arn = &made["LoadBalancerArn"];
    if let Some(attributes) = props.get("LoadBalancerAttributes") {
        let wish = json!({"LoadBalancerArn": arn, "Attributes": words(attributes)});
        cx.call_untyped("elbv2", "ModifyLoadBalancerAttributes", wish)?;
    }
    let arn = answer::text(arn, "")?;
    Ok(Created::new(arn)
        .with("LoadBalancerArn", arn)
        .with("DNSName", made["DNSName"].clone())
        .with("CanonicalHostedZoneID", made["CanonicalHostedZoneId"].clone())
        .with("LoadBalancerFullName", after(arn, ":loadbalancer/"))
        .with("LoadBalancerName", made["LoadBalancerName"].clone())
        .with("SecurityGroups", made["SecurityGroups"].clone()))
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
    match image.has::<BalancerSeen>(&created.physical_id) {
        true => Readiness::Pending("the load balancer is still served".into()),
        false => Readiness::ready(),
    }
}

fn create_group(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let mut wish = request(props, &["TargetGroupAttributes", "Targets", "Tags", "Name"]);
    wish.insert("Name".into(), props.name_or_generated("Name", 32).into());
    wish.insert("Tags".into(), props.tags());
    let made = cx.call_untyped("elbv2", "CreateTargetGroup", Value::Object(wish))?;
    let made = &made["TargetGroups"][0];
    let arn = answer::text(made, "/TargetGroupArn")?;
    if let Some(attributes) = props.get("TargetGroupAttributes") {
        let wish = json!({"TargetGroupArn": arn, "Attributes": words(attributes)});
        cx.call_untyped("elbv2", "ModifyTargetGroupAttributes", wish)?;
    }
    if let Some(targets) = props.get("Targets").filter(|t| **t != json!([])) {
        let wish = json!({"TargetGroupArn": arn, "Targets": typed(targets)});
        cx.call_untyped("elbv2", "RegisterTargets", wish)?;
    }
    Ok(Created::new(arn)
        .with("TargetGroupArn", arn)
        .with("TargetGroupFullName", format!("targetgroup/{}", after(arn, ":targetgroup/")))
        .with("TargetGroupName", made["TargetGroupName"].clone())
        .with("LoadBalancerArns", made["LoadBalancerArns"].clone()))
}

fn create_listener(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let made = cx.call_untyped("elbv2", "CreateListener", Value::Object(request(props, &[])))?;
    let arn = answer::text(&made, "/Listeners/0/ListenerArn")?;
    Ok(Created::new(arn).with("ListenerArn", arn))
}

fn create_rule(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let made = cx.call_untyped("elbv2", "CreateRule", Value::Object(request(props, &[])))?;
    let arn = answer::text(&made, "/Rules/0/RuleArn")?;
    Ok(Created::new(arn).with("RuleArn", arn).with("IsDefault", false))
}

/// What is gone already is a success: some of these operations say so themselves, the others by their error.
fn delete(cx: &mut Cx<'_>, operation: &str, member: &str, created: &Created) -> Result<(), AwsError> {
    already_gone(cx.call_untyped("elbv2", operation, json!({ member: created.physical_id })))
}

fn after(arn: &str, mark: &str) -> String {
    arn.split_once(mark).map_or_else(String::new, |(_, rest)| rest.to_owned())
}

/// The properties as members of the operation's input: they have the same names.
fn request(props: &Props<'_>, without: &[&str]) -> Map<String, Value> {
    let own =
        props.values.iter().filter(|(name, value)| !without.contains(&name.as_str()) && !value.is_null());
    own.map(|(name, value)| (name.clone(), member(name, value))).collect()
}

/// Templates may write `"80"` for a number and `80` for a word; the API takes each only as what it is.
fn typed(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            Value::Object(object.iter().map(|(n, v)| (n.clone(), member(n, v))).collect())
        }
        Value::Array(items) => items.iter().map(typed).collect(),
        other => other.clone(),
    }
}

fn member(name: &str, value: &Value) -> Value {
    match (name, value) {
        // Of a redirect it is a word (`#{port}`), elsewhere a number; see `RedirectConfig` below.
        ("RedirectConfig", config) => words(config),
        ("StatusCode" | "HttpCode" | "HealthCheckPort", Value::Number(n)) => n.to_string().into(),
        ("Enabled" | "HealthCheckEnabled", Value::String(s)) if s == "true" || s == "false" => {
            (s == "true").into()
        }
        (
            "Order"
            | "Port"
            | "Priority"
            | "Weight"
            | "DurationSeconds"
            | "HealthCheckIntervalSeconds"
            | "HealthCheckTimeoutSeconds"
            | "HealthyThresholdCount"
            | "UnhealthyThresholdCount",
            Value::String(s),
        ) => s.parse::<i64>().map_or_else(|_| value.clone(), Value::from),
        (_, other) => typed(other),
    }
}

/// Numbers and truth values as words.
fn words(value: &Value) -> Value {
    match value {
        Value::Object(object) => Value::Object(object.iter().map(|(n, v)| (n.clone(), words(v))).collect()),
        Value::Array(items) => items.iter().map(words).collect(),
        Value::Number(n) => n.to_string().into(),
        Value::Bool(b) => b.to_string().into(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::typed;
    use serde_json::json;

    #[test]
    fn what_templates_write() {
        let written = json!({
            "Port": "80", "Priority": "10",
            "DefaultActions": [
                {"Type": "redirect", "Order": "1", "RedirectConfig": {"Port": 443, "StatusCode": "HTTP_301"}},
                {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": 404}},
            ],
        });
        let expected = json!({
            "Port": 80, "Priority": 10,
            "DefaultActions": [
                {"Type": "redirect", "Order": 1, "RedirectConfig": {"Port": "443", "StatusCode": "HTTP_301"}},
                {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}},
            ],
        });
        assert_eq!(typed(&written), expected);
    }
}
