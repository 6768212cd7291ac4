//! `AWS::ElasticLoadBalancingV2::LoadBalancer`.

use super::{after, changed_attributes, only, read_tags, shown_attributes, update_tags, with_keys};
use crate::{
    attributes, choices,
    ops::{
        create_load_balancer::{self, CreateLoadBalancer},
        delete_load_balancer::DeleteLoadBalancer,
        describe_load_balancer_attributes::DescribeLoadBalancerAttributes,
        describe_load_balancers::DescribeLoadBalancers,
        modify_load_balancer_attributes::ModifyLoadBalancerAttributes,
        set_security_groups::SetSecurityGroups,
        set_subnets::SetSubnets,
    },
    reconcile, rules,
    status::{self, BalancerState},
};
use escale_base::{
    AwsError, found,
    wire::{Map, Value, Wire},
};
use escale_service::{Created, Cx, InputDraft, Props, Readiness, ResourceType, Update, properties_of};
use escale_store::Image;
use escale_tables::elbv2::{BalancerSeen, LoadBalancer};
use serde_json::json;

const NAME: &str = "AWS::ElasticLoadBalancingV2::LoadBalancer";
const ATTRIBUTES: &str = "LoadBalancerAttributes";

pub(super) const TYPE: ResourceType = ResourceType::new(
    NAME,
    &[
        "IpAddressType",
        ATTRIBUTES,
        "Name",
        "Scheme",
        "SecurityGroups",
        "SubnetMappings",
        "Subnets",
        "Tags",
        "Type",
    ],
    create,
    |cx, created| created.delete_by::<DeleteLoadBalancer>(cx, "LoadBalancerArn"),
)
.update(update)
.read(read)
.ready(ready)
.gone(gone);

fn create(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let input = props.input_without::<CreateLoadBalancer>(&[ATTRIBUTES, "Tags", "Name"]);
    let input = input.with("Name", &props.name_or_generated("Name", 32)).with("Tags", &props.tags()?);
    let made = only(input.call(cx)?.load_balancers)?;
    let arn = made.load_balancer_arn;
    if props.get(ATTRIBUTES).is_some() {
        let input = props.input::<ModifyLoadBalancerAttributes>(&[ATTRIBUTES]);
        input.renamed(&[(ATTRIBUTES, "Attributes")]).with("LoadBalancerArn", &arn).call(cx)?;
    }
    let full_name = after(&arn, ":loadbalancer/")?.to_owned();
    let created = Created::new(arn.as_str())
        .with("LoadBalancerArn", arn)
        .with("DNSName", made.dns_name)
        .with("CanonicalHostedZoneID", made.canonical_hosted_zone_id)
        .with("LoadBalancerFullName", full_name)
        .with("LoadBalancerName", made.load_balancer_name)
        .with("SecurityGroups", made.security_groups.unwrap_or_default().write());
    with_keys(created, props, ATTRIBUTES)
}

fn update(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    let arn = &update.created.physical_id;
    let mut created = update.created.clone();
    if update.changed("IpAddressType") {
        let kind: Option<choices::IpAddressType> = update.after.read("IpAddressType")?;
        create_load_balancer::supported_addresses(kind)?;
    }
    // Groups before subnets: new nodes get the groups that the balancer then has.
    if update.changed("SecurityGroups") {
        let vpc = rules::load_balancer(cx, arn)?.vpc.clone();
        // Without the property, the balancer has the VPC's default group.
        let groups = rules::groups(cx, &vpc, update.after.read("SecurityGroups")?)?;
        let input = InputDraft::<SetSecurityGroups>::new().with("LoadBalancerArn", arn);
        let set = input.with("SecurityGroups", &groups).call(cx)?.security_group_ids;
        created = created.with("SecurityGroups", set.write());
    }
    if update.any_changed(&["SubnetMappings", "Subnets"]) {
        let input = update.after.input::<SetSubnets>(&["SubnetMappings", "Subnets"]);
        input.with("LoadBalancerArn", arn).call(cx)?;
    }
    if update.changed(ATTRIBUTES) {
        let known = attributes::of_balancer(rules::load_balancer(cx, arn)?.kind);
        let changed = changed_attributes(known, update, ATTRIBUTES)?;
        let input = InputDraft::<ModifyLoadBalancerAttributes>::new().with("LoadBalancerArn", arn);
        input.with("Attributes", &changed).call(cx)?;
        created = with_keys(created, update.after, ATTRIBUTES)?;
    }
    update_tags(cx, update)?;
    Ok(created)
}

fn read(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let arn = &created.physical_id;
    let input = InputDraft::<DescribeLoadBalancers>::new().with("LoadBalancerArns", &vec![arn.clone()]);
    let Some(described) = found(input.call(cx))? else { return Ok(None) };
    let balancer = only(described.load_balancers)?;
    let mut properties = properties_of(NAME, &balancer, &[("Name", "LoadBalancerName")]);
    let subnets: Vec<_> = balancer.availability_zones.iter().map(|zone| zone.subnet_id.as_str()).collect();
    // A template has one of the two.
    let mappings: Value = subnets.iter().map(|id| json!({"SubnetId": id})).collect();
    properties.insert("SubnetMappings".into(), mappings);
    properties.insert("Subnets".into(), subnets.into());
    let input = InputDraft::<DescribeLoadBalancerAttributes>::new().with("LoadBalancerArn", arn);
    let known = attributes::of_balancer(rules::load_balancer(cx, arn)?.kind);
    let shown = shown_attributes(known, created, input.call(cx)?.attributes);
    properties.insert(ATTRIBUTES.into(), shown);
    properties.insert("Tags".into(), read_tags(cx, arn)?);
    Ok(Some(properties))
}

fn ready(image: &Image, created: &Created) -> Readiness {
    let Some(row) = image.get::<LoadBalancer>(&created.physical_id) else {
        return Readiness::Failed(format!("{} was deleted", created.physical_id));
    };
    match status::balancer(image, &row) {
        (BalancerState::Active, _) => served(image, &row),
        (BalancerState::Failed, why) => Readiness::Failed(why.unwrap_or_default()),
        (BalancerState::ActiveImpaired, why) => Readiness::failing(&why.unwrap_or_default()),
        (state, why) => Readiness::Pending(why.unwrap_or_else(|| format!("the load balancer is {state}"))),
    }
}

/// Whether the proxy serves the load balancer with the last change of it, its listeners and their rules.
pub(super) fn served(image: &Image, row: &LoadBalancer) -> Readiness {
    if reconcile::is_current(image, row) {
        Readiness::ready()
    } else {
        Readiness::Pending("the proxy applies the change".into())
    }
}

fn gone(image: &Image, created: &Created) -> Readiness {
    if image.has::<BalancerSeen>(&created.physical_id) {
        Readiness::Pending("the proxy still serves the load balancer".into())
    } else {
        Readiness::ready()
    }
}
