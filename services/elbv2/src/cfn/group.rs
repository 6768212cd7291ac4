//! `AWS::ElasticLoadBalancingV2::TargetGroup`.

use super::{after, changed_attributes, only, read_tags, shown_attributes, update_tags, with_keys};
use crate::{
    attributes, network,
    ops::{
        create_target_group::CreateTargetGroup,
        delete_target_group::DeleteTargetGroup,
        deregister_targets::DeregisterTargets,
        describe_target_group_attributes::DescribeTargetGroupAttributes,
        describe_target_groups::DescribeTargetGroups,
        describe_target_health::DescribeTargetHealth,
        modify_target_group::ModifyTargetGroup,
        modify_target_group_attributes::ModifyTargetGroupAttributes,
        register_targets::{RegisterTargets, TargetShape},
    },
    rules,
};
use escale_base::{
    AwsError, found,
    wire::{Map, Value, Wire},
};
use escale_service::{Created, Cx, InputDraft, Props, ResourceType, Update, properties_of};
use escale_tables::elbv2::{TargetHealthState, TargetProtocol, TargetVersion};
use serde_json::json;

const NAME: &str = "AWS::ElasticLoadBalancingV2::TargetGroup";
const ATTRIBUTES: &str = "TargetGroupAttributes";

pub(super) const TYPE: ResourceType = ResourceType::new(
    NAME,
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
        ATTRIBUTES,
        "TargetType",
        "Targets",
        "UnhealthyThresholdCount",
        "VpcId",
    ],
    create,
    |cx, created| created.delete_by::<DeleteTargetGroup>(cx, "TargetGroupArn"),
)
.update(update)
.read(read);

/// The properties that ModifyTargetGroup changes.
const HEALTH: &[&str] = &[
    "HealthCheckEnabled",
    "HealthCheckIntervalSeconds",
    "HealthCheckPath",
    "HealthCheckPort",
    "HealthCheckProtocol",
    "HealthCheckTimeoutSeconds",
    "HealthyThresholdCount",
    "Matcher",
    "UnhealthyThresholdCount",
];

fn create(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let without = [ATTRIBUTES, "Targets", "Tags", "Name"];
    let input = props.input_without::<CreateTargetGroup>(&without);
    let input = input.with("Name", &props.name_or_generated("Name", 32)).with("Tags", &props.tags()?);
    let made = only(input.call(cx)?.target_groups)?;
    let arn = made.target_group_arn;
    if props.get(ATTRIBUTES).is_some() {
        let input = props.input::<ModifyTargetGroupAttributes>(&[ATTRIBUTES]);
        input.renamed(&[(ATTRIBUTES, "Attributes")]).with("TargetGroupArn", &arn).call(cx)?;
    }
    if props.get("Targets").and_then(Value::as_array).is_some_and(|targets| !targets.is_empty()) {
        props.input::<RegisterTargets>(&["Targets"]).with("TargetGroupArn", &arn).call(cx)?;
    }
    let full_name = format!("targetgroup/{}", after(&arn, ":targetgroup/")?);
    let created = Created::new(arn.as_str())
        .with("TargetGroupArn", arn)
        .with("TargetGroupFullName", full_name)
        .with("TargetGroupName", made.target_group_name)
        .with("LoadBalancerArns", made.load_balancer_arns);
    with_keys(created, props, ATTRIBUTES)
}

fn update(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    let arn = &update.created.physical_id;
    let mut created = update.created.clone();
    if update.any_changed(HEALTH) {
        health(cx, update)?;
    }
    if update.changed(ATTRIBUTES) {
        let known = attributes::of_group(rules::target_group(cx, arn)?.protocol);
        let changed = changed_attributes(known, update, ATTRIBUTES)?;
        let input = InputDraft::<ModifyTargetGroupAttributes>::new().with("TargetGroupArn", arn);
        input.with("Attributes", &changed).call(cx)?;
        created = with_keys(created, update.after, ATTRIBUTES)?;
    }
    if update.changed("Targets") {
        targets(cx, update)?;
    }
    update_tags(cx, update)?;
    Ok(created)
}

/// Sets all health check settings at once: single ones may contradict the old values of others.
fn health(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<(), AwsError> {
    let row = rules::target_group(cx, &update.created.physical_id)?;
    let group = row.protocol;
    let is_tcp_check = match update.after.str("HealthCheckProtocol") {
        Some(protocol) => protocol == TargetProtocol::Tcp.as_str(),
        None => group == TargetProtocol::Tcp,
    };
    let mut input = update.after.input::<ModifyTargetGroup>(HEALTH);
    for (name, default) in defaults(group, row.version) {
        // A TCP check has neither.
        let is_of_http = matches!(name.as_str(), "HealthCheckPath" | "Matcher");
        if !(is_tcp_check && is_of_http) && update.after.get(&name).is_none() {
            input = input.with(&name, &default);
        }
    }
    input.with("TargetGroupArn", &update.created.physical_id).call(cx)?;
    Ok(())
}

/// The settings of a target group whose template has none of the properties.
fn defaults(protocol: TargetProtocol, version: TargetVersion) -> Map<String, Value> {
    let health = network::default_check(protocol, version);
    let code = if version == TargetVersion::Grpc { "GrpcCode" } else { "HttpCode" };
    let members = [
        ("HealthCheckEnabled", true.into()),
        ("HealthCheckIntervalSeconds", health.interval_secs.into()),
        ("HealthCheckPath", health.path.into()),
        ("HealthCheckPort", "traffic-port".into()),
        ("HealthCheckProtocol", health.protocol.write()),
        ("HealthCheckTimeoutSeconds", health.timeout_secs.into()),
        ("HealthyThresholdCount", health.healthy_threshold.into()),
        ("Matcher", json!({code: health.matcher})),
        ("UnhealthyThresholdCount", health.unhealthy_threshold.into()),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Registers new targets before it deregisters old ones. Others, such as the tasks of an ECS service, stay registered.
fn targets(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<(), AwsError> {
    let arn = &update.created.physical_id;
    let port = rules::target_group(cx, arn)?.port;
    let (mut removed, added) = update.list::<TargetShape>("Targets")?;
    if !added.is_empty() {
        let input = InputDraft::<RegisterTargets>::new().with("TargetGroupArn", arn);
        input.with("Targets", &added).call(cx)?;
    }
    for target in &mut removed {
        // A target without a port would be deregistered on all of its ports.
        target.port = target.port.or(Some(port));
    }
    let kept: Vec<TargetShape> = update.after.read("Targets")?;
    removed.retain(|old| !kept.iter().any(|new| new.id == old.id && new.port.or(Some(port)) == old.port));
    if !removed.is_empty() {
        let input = InputDraft::<DeregisterTargets>::new().with("TargetGroupArn", arn);
        input.with("Targets", &removed).call(cx)?;
    }
    Ok(())
}

fn read(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let arn = &created.physical_id;
    let input = InputDraft::<DescribeTargetGroups>::new().with("TargetGroupArns", &vec![arn.clone()]);
    let Some(described) = found(input.call(cx))? else { return Ok(None) };
    let group = only(described.target_groups)?;
    let mut properties = properties_of(NAME, &group, &[("Name", "TargetGroupName")]);
    let input = InputDraft::<DescribeTargetGroupAttributes>::new().with("TargetGroupArn", arn);
    let known = attributes::of_group(rules::target_group(cx, arn)?.protocol);
    let shown = shown_attributes(known, created, input.call(cx)?.attributes);
    properties.insert(ATTRIBUTES.into(), shown);
    let input = InputDraft::<DescribeTargetHealth>::new().with("TargetGroupArn", arn);
    let described = input.call(cx)?.target_health_descriptions;
    let registered = described.into_iter().filter(|d| d.target_health.state != TargetHealthState::Draining);
    let registered: Value = registered.map(|d| d.target.write()).collect();
    properties.insert("Targets".into(), registered);
    properties.insert("Tags".into(), read_tags(cx, arn)?);
    Ok(Some(properties))
}
