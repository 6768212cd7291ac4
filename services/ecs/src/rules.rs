//! Lookups and checks that the operations share.

use crate::{Error, calls::ECS_TASKS};
use escale_base::{Arn, AwsError, Tag, Wire};
use escale_service::{Config, Cx};
use escale_store::Image;
use escale_tables::{
    PrincipalArn,
    ecs::{
        AccountSetting, CapacityProvider, Cluster, ClusterSetting, ClusterSettingName, PlatformVersion,
        RoleReference, Service, SettingName, StrategyItem, Task, TaskDefinition,
    },
    iam::Role,
};
use std::sync::Arc;

/// A tag with ECS's member names.
#[derive(Clone, Debug, Wire)]
#[wire(camelCase)]
pub(crate) struct TagShape {
    pub key: String,
    pub value: Option<String>,
}

pub(crate) fn tags_in(tags: Vec<TagShape>) -> Vec<Tag> {
    tags.into_iter().map(|t| Tag::new(t.key, t.value.unwrap_or_default())).collect()
}

pub(crate) fn tags_out(tags: &[Tag]) -> Vec<TagShape> {
    tags.iter().map(|t| TagShape { key: t.key.clone(), value: Some(t.value.clone()) }).collect()
}

/// A resource that a describe operation did not find.
#[derive(Debug, Wire)]
#[wire(camelCase)]
pub(crate) struct Failure {
    pub arn: String,
    pub reason: &'static str,
}

pub(crate) fn arn(config: &Config, resource: String) -> String {
    Arn::new("ecs", &config.region, &config.account, resource).to_string()
}

pub(crate) fn cluster_arn(config: &Config, name: &str) -> String {
    arn(config, format!("cluster/{name}"))
}

pub(crate) fn service_arn(config: &Config, row: &Service) -> String {
    arn(config, format!("service/{}/{}", row.cluster, row.name))
}

pub(crate) fn task_arn(config: &Config, row: &Task) -> String {
    arn(config, format!("task/{}/{}", row.cluster, row.id))
}

pub(crate) fn definition_arn(config: &Config, family: &str, revision: u32) -> String {
    arn(config, format!("task-definition/{family}:{revision}"))
}

/// The name of a cluster that is given by name or ARN. Without either it is `default`.
pub(crate) fn cluster_name(given: Option<&str>) -> String {
    match given {
        None | Some("") => "default".to_owned(),
        Some(text) => text.rsplit_once("cluster/").map_or(text, |(_, name)| name).to_owned(),
    }
}

pub(crate) fn cluster(image: &Image, given: Option<&str>) -> Result<Arc<Cluster>, Error> {
    let found = image.get::<Cluster>(&cluster_name(given));
    found.filter(|c| c.deleted.is_none()).ok_or(Error::NoCluster)
}

/// The settings of a cluster that sets none: those of the account, else AWS's default.
///
/// Source: <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ClusterSetting.html>
pub(crate) fn settings(image: &Image) -> Vec<ClusterSetting> {
    let of_account = image.get::<AccountSetting>(SettingName::ContainerInsights.as_str());
    let value = of_account.map_or_else(|| "disabled".to_owned(), |setting| setting.value.clone());
    vec![ClusterSetting { name: ClusterSettingName::ContainerInsights, value }]
}

/// The last part of an id or ARN.
pub(crate) fn last_part(text: &str) -> &str {
    text.rsplit('/').next().unwrap_or(text)
}

pub(crate) fn service(image: &Image, cluster: &str, given: &str) -> Result<Arc<Service>, Error> {
    image.get::<Service>(&format!("{cluster}/{}", last_part(given))).ok_or(Error::NoService)
}

/// Refuses a list with no member, or with more than `most`.
pub(crate) fn check_number(name: &str, list: &[String], most: usize) -> Result<(), Error> {
    if (1..=most).contains(&list.len()) {
        return Ok(());
    }
    Err(Error::Invalid(format!("{name} must have between 1 and {most} members; it has {}.", list.len())))
}

/// A task of this cluster, by id or ARN.
pub(crate) fn task(image: &Image, cluster: &str, given: &str) -> Option<Arc<Task>> {
    image.get::<Task>(last_part(given)).filter(|t| t.cluster == cluster)
}

/// The ARN of a task definition for the evaluation of policies. The definition need not exist.
pub(crate) fn definition_resource(cx: &Cx<'_>, named: &str) -> String {
    match definition(cx.tx, named) {
        Some(d) => definition_arn(cx.config, &d.family, d.revision),
        None => arn(cx.config, format!("task-definition/{}", last_part(named))),
    }
}

/// Finds a definition by `family:revision`, ARN or `family`. A family alone means its latest active revision.
pub(crate) fn definition(image: &Image, given: &str) -> Option<Arc<TaskDefinition>> {
    let text = given.rsplit_once("task-definition/").map_or(given, |(_, rest)| rest);
    match text.split_once(':') {
        Some((family, revision)) => {
            image.get::<TaskDefinition>(&TaskDefinition::key_of(family, revision.parse().ok()?))
        }
        None => {
            let prefix = format!("{text}/");
            // Keys sort by revision, so the last active one is the latest.
            image.prefix::<TaskDefinition>(&prefix).filter(|d| d.deregistered.is_none()).last()
        }
    }
}

/// A task definition that may start new tasks.
pub(crate) fn active_definition(image: &Image, given: &str) -> Result<Arc<TaskDefinition>, Error> {
    let found = definition(image, given).ok_or(Error::NoActiveDefinition)?;
    if found.deregistered.is_some() {
        return Err(Error::Client("TaskDefinition is inactive".into()));
    }
    Ok(found)
}

/// Names of clusters, services, families: letters, digits, `-`, `_`, up to 255.
pub(crate) fn check_name(what: &str, name: &str) -> Result<(), Error> {
    let ok = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > 255 || !name.chars().all(ok) {
        return Err(Error::Invalid(format!(
            "{what} '{name}': up to 255 letters (uppercase and lowercase), numbers, underscores, and hyphens are allowed"
        )));
    }
    Ok(())
}

/// An item of a strategy in a request. Its name may be unknown here, such as that of an Auto Scaling group provider.
#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct StrategyInput {
    capacity_provider: String,
    weight: Option<i32>,
    base: Option<i32>,
}

pub(crate) fn provider(name: &str) -> Result<CapacityProvider, Error> {
    let not_supported = |_| {
        AwsError::not_supported(format_args!("The capacity provider {name}"))
            .hint("Use FARGATE or FARGATE_SPOT.")
            .into()
    };
    name.parse().map_err(not_supported)
}

pub(crate) fn providers(names: &[String]) -> Result<Vec<CapacityProvider>, Error> {
    names.iter().map(|name| provider(name)).collect()
}

pub(crate) fn strategy(given: &[StrategyInput]) -> Result<Vec<StrategyItem>, Error> {
    let item = |i: &StrategyInput| {
        let capacity_provider = provider(&i.capacity_provider)?;
        Ok(StrategyItem { capacity_provider, weight: i.weight, base: i.base })
    };
    let items = given.iter().map(item).collect::<Result<Vec<_>, Error>>()?;
    if items.iter().filter(|i| i.base.unwrap_or(0) > 0).count() > 1 {
        return Err(Error::Invalid(
            "Only one provider of a capacity provider strategy can have a base.".into(),
        ));
    }
    if !items.is_empty() && items.iter().all(|i| i.weight == Some(0)) {
        return Err(Error::Invalid(
            "A capacity provider strategy needs a provider with a weight above 0.".into(),
        ));
    }
    Ok(items)
}

/// The provider of the next task: bases are filled first, then by weight. `counts` returns how many tasks a provider has.
pub(crate) fn next_provider(
    items: &[StrategyItem],
    counts: impl Fn(CapacityProvider) -> i32,
) -> Option<CapacityProvider> {
    let base = items.iter().find(|i| counts(i.capacity_provider) < i.base.unwrap_or(0));
    let above = |i: &StrategyItem| counts(i.capacity_provider) - i.base.unwrap_or(0);
    let weight = |i: &StrategyItem| i.weight.unwrap_or(1);
    let by_weight = || {
        let weighted = items.iter().filter(|i| weight(i) > 0);
        // Integers, since `f64` has no total order; the factor keeps three decimals of the quotient.
        weighted.min_by_key(|i| (i64::from(above(i)) * 1000) / i64::from(weight(i)))
    };
    base.or_else(by_weight).map(|i| i.capacity_provider)
}

/// The platform version, which is only recorded. A service shows `LATEST`; its deployments and tasks show the version.
pub(crate) fn platform_version(given: Option<&str>) -> Result<PlatformVersion, Error> {
    match given {
        None => Ok(PlatformVersion::Latest),
        Some(given) => {
            given.parse().map_err(|_| Error::Invalid(format!("The platform version {given} does not exist.")))
        }
    }
}

pub(crate) fn caller_arn(cx: &Cx<'_>) -> PrincipalArn {
    PrincipalArn(cx.caller.principal.arn(&cx.config.account))
}

/// Checks that the caller may pass these roles to tasks.
///
/// Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html>
pub(crate) fn may_pass<'a>(
    cx: &Cx<'_>,
    roles: impl IntoIterator<Item = &'a RoleReference>,
) -> Result<(), Error> {
    for given in roles.into_iter().filter(|r| !r.is_empty()) {
        cx.pass_role(&role_arn(cx.tx, &cx.config.account, given), ECS_TASKS)?;
    }
    Ok(())
}

/// The ARN of the role that a task really gets: a role is looked up by its name, and the path of a given ARN is ignored. A role that does
/// not exist keeps the given text, for the error of whoever assumes it.
pub(crate) fn role_arn(image: &Image, account: &str, given: &RoleReference) -> String {
    let arn = |role: &Role| Arn::new("iam", "", account, format!("role{}{}", role.path, role.name));
    image.get::<Role>(last_part(given)).map_or_else(|| given.to_string(), |role| arn(&role).to_string())
}

/// For a container of a task without an execution role.
pub(crate) fn need_no_execution_role(has_secrets: bool, has_log: bool) -> Result<(), Error> {
    let message = if has_secrets {
        "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'."
    } else if has_log {
        "Fargate requires task definition to have execution role ARN to support log driver awslogs."
    } else {
        return Ok(());
    };
    Err(Error::Client(message.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_names_from_arns() {
        assert_eq!(cluster_name(None), "default");
        assert_eq!(cluster_name(Some("arn:aws:ecs:eu-west-3:0:cluster/shop")), "shop");
        assert_eq!(last_part("arn:aws:ecs:eu-west-3:0:service/shop/web"), "web");
    }

    #[test]
    fn strategy_fills_bases_first_and_then_by_weight() {
        use CapacityProvider::{Fargate, FargateSpot};
        let item =
            |capacity_provider, weight, base| StrategyItem { capacity_provider, weight: Some(weight), base };
        let items = [item(Fargate, 1, Some(1)), item(FargateSpot, 3, None)];
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..9 {
            let next = next_provider(&items, |p| counts.get(&p).copied().unwrap_or(0)).unwrap();
            *counts.entry(next).or_insert(0) += 1;
        }
        assert_eq!((counts[&Fargate], counts[&FargateSpot]), (3, 6));
    }
}
