//! What operations share: the parts of a scalable target's name, ARNs, and the checks of AWS.

use crate::{
    Error,
    choices::{Dimension, Namespace},
};
use escale_base::{Arn, AwsError, Tag, paging};
use escale_requests::iam::CreateServiceLinkedRole;
use escale_service::{Config, Cx};
use escale_store::Image;
use escale_tables::{
    autoscaling::{Policy, PolicyName, ResourceId, ScalableTarget},
    iam::Role,
};
use std::collections::BTreeMap;

/// The service principal under which services are scaled and alarms are made.
pub(crate) const PRINCIPAL: &str = "ecs.application-autoscaling.amazonaws.com";

/// The role that AWS creates for it.
const LINKED_ROLE: &str = "AWSServiceRoleForApplicationAutoScaling_ECSService";

/// The quotas of AWS: <https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-limits.html>
pub(crate) const POLICIES: usize = 50;
pub(crate) const SCHEDULED_ACTIONS: usize = 200;
pub(crate) const STEPS: usize = 20;
const TAGS: usize = 50;

/// The largest page of a list.
const PAGE: usize = 50;

/// The dimension that ECS services have.
pub(crate) const DIMENSION: Dimension = Dimension::EcsServiceDesiredCount;

pub(crate) fn check_namespace(namespace: Namespace) -> Result<(), Error> {
    match namespace {
        Namespace::Ecs => Ok(()),
        other => Err(AwsError::not_supported(format_args!("Scaling resources of {other}"))
            .hint("Use the namespace ecs: Escale scales ECS services.")
            .into()),
    }
}

/// The resource of a request.
pub(crate) fn resource(
    namespace: Namespace,
    resource: &str,
    dimension: Dimension,
) -> Result<ResourceId, Error> {
    check_namespace(namespace)?;
    let Dimension::EcsServiceDesiredCount = dimension;
    let parts: Vec<&str> = resource.split('/').collect();
    match parts.as_slice() {
        ["service", cluster, service] if !cluster.is_empty() && !service.is_empty() => Ok(resource.into()),
        _ => Err(Error::Invalid(format!(
            "Unsupported service namespace, resource type or scalable dimension: the resource ID {resource} is not service/CLUSTER/SERVICE"
        ))),
    }
}

/// How AWS's messages name a scalable target.
pub(crate) fn named(resource: &str) -> String {
    format!("service namespace: ecs, resource ID: {resource}, scalable dimension: {DIMENSION}")
}

pub(crate) fn registered(image: &Image, resource: &ResourceId) -> Result<ScalableTarget, Error> {
    let target = image.get::<ScalableTarget>(resource).map(|target| (*target).clone());
    target.ok_or_else(|| Error::NotFound(format!("No scalable target registered for {}", named(resource))))
}

pub(crate) fn policies_of<'a>(
    image: &'a Image,
    resource: &'a ResourceId,
) -> impl Iterator<Item = std::sync::Arc<Policy>> + 'a {
    let policies = image.scan::<Policy>();
    policies.filter(move |policy| policy.resource == *resource)
}

/// The ARN of a scalable target for policies of IAM. One that is not registered yet has no id.
pub(crate) fn target_resource(cx: &Cx<'_>, resource: &str) -> Vec<String> {
    let target = cx.tx.get::<ScalableTarget>(resource);
    vec![target_arn(cx.config, target.as_ref().map_or("*", |target| &target.id))]
}

pub(crate) fn target_arn(config: &Config, id: &str) -> String {
    let resource = format!("scalable-target/{id}");
    Arn::new("application-autoscaling", &config.region, &config.account, resource).to_string()
}

/// The scalable target with an ARN.
pub(crate) fn target_of_arn(image: &Image, arn: &str) -> Result<ScalableTarget, Error> {
    let parsed: Option<Arn> = arn.parse().ok();
    let id =
        parsed.filter(|a| a.service == "application-autoscaling" && a.resource_type() == "scalable-target");
    let target = id.and_then(|a| image.scan::<ScalableTarget>().find(|t| t.id == a.resource_id()));
    target.map(|t| (*t).clone()).ok_or_else(|| Error::NoResource(arn.to_owned()))
}

pub(crate) fn policy_arn(config: &Config, uuid: &str, resource: &ResourceId, name: &PolicyName) -> String {
    let rest = format!("scalingPolicy:{uuid}:resource/ecs/{resource}:policyName/{name}");
    Arn::new("autoscaling", &config.region, &config.account, rest).to_string()
}

/// The resource in the ARN of a policy.
pub(crate) fn resource_of_policy(arn: &str) -> Option<ResourceId> {
    let (_, rest) = arn.split_once(":resource/ecs/")?;
    rest.split_once(":policyName/").map(|(resource, _)| resource.into())
}

pub(crate) fn role_arn(config: &Config) -> String {
    let name = format!("role/aws-service-role/{PRINCIPAL}/{LINKED_ROLE}");
    Arn::new("iam", "", &config.account, name).to_string()
}

/// Creates the service-linked role if it does not exist. The caller needs the permission for that, as on AWS.
///
/// Source: <https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-service-linked-roles.html>
pub(crate) fn ensure_role(cx: &mut Cx<'_>) -> Result<(), Error> {
    if !cx.tx.has::<Role>(LINKED_ROLE) {
        cx.call(CreateServiceLinkedRole { service: PRINCIPAL.to_owned() })?;
    }
    Ok(())
}

pub(crate) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), Error> {
    if tags.len() > TAGS {
        return Err(Error::Invalid(format!("A scalable target can have at most {TAGS} tags.")));
    }
    Ok(())
}

pub(crate) fn tag_list(tags: BTreeMap<String, String>) -> Vec<Tag> {
    tags.into_iter().map(|(key, value)| Tag::new(key, value)).collect()
}

pub(crate) fn tag_map(tags: &[Tag]) -> BTreeMap<String, String> {
    tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect()
}

/// A page of a list, with the token of the next one.
pub(crate) fn page<T>(
    all: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> String,
    token: Option<&str>,
    size: Option<usize>,
) -> Result<(Vec<T>, Option<String>), Error> {
    let size = size.unwrap_or(PAGE);
    if !(1..=PAGE).contains(&size) {
        return Err(Error::Invalid(format!("MaxResults must be between 1 and {PAGE}")));
    }
    let mut all: Vec<(String, T)> = all.into_iter().map(|item| (key(&item), item)).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    let page = paging::page(all, |(key, _)| key.clone(), token, size);
    let page = page.map_err(|_| Error::Token(token.unwrap_or_default().to_owned()))?;
    Ok((page.items.into_iter().map(|(_, item)| item).collect(), page.next))
}

/// A filter by resource and dimension. A dimension needs a resource, as on AWS.
pub(crate) fn check_filter(
    namespace: Namespace,
    resource: Option<&str>,
    dimension: Option<Dimension>,
) -> Result<(), Error> {
    check_namespace(namespace)?;
    if dimension.is_some() && resource.is_none() {
        return Err(Error::Invalid("A scalable dimension needs a resource ID".into()));
    }
    Ok(())
}
