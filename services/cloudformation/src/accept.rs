//! All that is checked before anything is made: after this, only what a resource's service answers can fail.

use crate::{
    Error, properties, scope,
    shapes::ParameterShape,
    template::{self, Conditions, EvaluateError, Origin, RemovalPolicy, Resource, Scope, Template},
};
use escale_base::{AwsError, Tag};
use escale_service::{Cloud, Cx};
use escale_tables::cloudformation::{Capability, Content, Planned, Removal};
use std::collections::{BTreeMap, BTreeSet};

/// A template with everything that a request gives with it.
pub(crate) struct Wanted {
    pub(crate) template: String,
    pub(crate) origin: Origin,
    pub(crate) parameters: Vec<ParameterShape>,
    pub(crate) capabilities: Vec<Capability>,
    pub(crate) tags: Vec<Tag>,
}

/// Checks it whole. `previous` is the stack's content where the request can say "as before".
pub(crate) fn content(
    cloud: &Cloud,
    cx: &mut Cx<'_>,
    wanted: Wanted,
    stack: (&str, &str),
    previous: Option<&Content>,
) -> Result<(Content, BTreeSet<String>), Error> {
    let parsed = template::parse(&wanted.template, wanted.origin)?;
    let given = parameters(&wanted.parameters, previous)?;
    let missing = parsed.capabilities_missing(&wanted.capabilities);
    if !missing.is_empty() {
        return Err(Error::Capabilities(missing.iter().map(|c| c.as_str()).collect::<Vec<_>>().join(", ")));
    }
    if let Some(tag) = wanted.tags.iter().find(|t| t.key.starts_with("aws:")) {
        return Err(Error::invalid(format!(
            "aws: prefixed tag key names are not allowed for external use: {}",
            tag.key
        )));
    }
    let mut bound = parsed.bind(&given)?;
    let mut resolved = BTreeMap::new();
    for (name, key) in bound.ssm.clone() {
        let value = scope::parameter(cx, &key, None, false).map_err(|e| {
            let why = AwsError::from(e).message;
            Error::invalid(format!(
                "Unable to fetch parameters [{key}] from parameter store for this account: {why}"
            ))
        })?;
        bound.resolve(&name, &value);
        resolved.insert(name, value);
    }
    let world = scope::World::new(cx.tx, cx.config, "");
    let pseudo = scope::pseudo(cx.config, stack.0, stack.1);
    let scope = Scope::new(&parsed, &bound.values, &pseudo, &world)?;
    types(cloud, &parsed, scope.conditions())?;
    scope.check_rules()?;
    let plan = parsed.plan(scope.conditions())?;
    properties::check(cloud, &parsed, &scope, plan.dependencies.keys())?;
    outputs(&scope)?;
    let resources = plan
        .dependencies
        .into_iter()
        .filter_map(|(logical_id, needs)| {
            Some(planned(cloud, parsed.resources.get(&logical_id)?, logical_id, needs))
        })
        .collect();
    let effective = parsed.parameters.iter().filter_map(|(name, p)| {
        Some((name.clone(), given.get(name).cloned().or_else(|| p.default.clone())?))
    });
    let content = Content {
        description: parsed.description.clone(),
        parameters: effective.collect(),
        hidden: parsed.parameters.iter().filter(|(_, p)| p.no_echo).map(|(n, _)| n.clone()).collect(),
        resolved,
        tags: wanted.tags,
        capabilities: wanted.capabilities,
        resources,
        template: wanted.template,
    };
    Ok((content, world.imports.into_inner()))
}

/// Whether two contents would make the same stack. AWS, too, compares what a template says and not its text.
pub(crate) fn is_same(new: &Content, old: &Content) -> bool {
    let tree = |c: &Content| template::tree(&c.template).map(|node| node.value());
    let tags = |c: &Content| c.tags.iter().cloned().collect::<BTreeSet<_>>();
    new.parameters == old.parameters
        && new.resolved == old.resolved
        && tags(new) == tags(old)
        && (new.template == old.template || matches!((tree(new), tree(old)), (Ok(a), Ok(b)) if a == b))
}

/// Every type exists here, and can do what the template's policies want of it. What a condition leaves out does not matter:
/// a certificate, say, that a template takes only where there is one.
pub(crate) fn types(cloud: &Cloud, template: &Template, conditions: &Conditions) -> Result<(), Error> {
    let made = || properties::made(template, conditions);
    let names: BTreeSet<&str> = made().map(|(_, r)| r.type_name.as_str()).collect();
    let unknown: Vec<&str> = names.into_iter().filter(|name| cloud.resource_type(name).is_none()).collect();
    if !unknown.is_empty() {
        return Err(Error::invalid(format!(
            "Template format error: Unrecognized resource types: [{}]. Escale does not enact them; `escale \
             coverage` lists what it does",
            unknown.join(", ")
        )));
    }
    for (logical, resource) in made() {
        let snapshots = [resource.deletion_policy, resource.update_replace_policy];
        if snapshots.contains(&Some(RemovalPolicy::Snapshot))
            && cloud.delete_with_snapshot(&resource.type_name).is_none()
        {
            return Err(Error::invalid(format!(
                "Template error: resource type {} does not support deletion policy Snapshot ({logical}, {})",
                resource.type_name, resource.at
            )));
        }
    }
    Ok(())
}

fn parameters(
    given: &[ParameterShape],
    previous: Option<&Content>,
) -> Result<BTreeMap<String, String>, Error> {
    let mut values = BTreeMap::new();
    for parameter in given {
        let key = parameter.parameter_key.clone().unwrap_or_default();
        let value = match (&parameter.parameter_value, parameter.use_previous_value) {
            (Some(_), Some(true)) => {
                return Err(Error::invalid(format!(
                    "Invalid input for parameter key {key}. Cannot specify usePreviousValue as true and non empty value \
                     for a parameter"
                )));
            }
            (Some(value), _) => value.clone(),
            (None, Some(true)) => {
                previous.and_then(|c| c.parameters.get(&key)).cloned().ok_or_else(|| {
                    Error::invalid(format!(
                        "Invalid input for parameter key {key}. Cannot specify usePreviousValue as true for a parameter \
                         key not in the previous template"
                    ))
                })?
            }
            (None, _) => {
                return Err(Error::invalid(format!("Parameter {key} must have a value or UsePreviousValue")));
            }
        };
        if values.insert(key.clone(), value).is_some() {
            return Err(Error::invalid(format!("Parameters: [{key}] are given twice")));
        }
    }
    Ok(values)
}

/// Evaluates what can be evaluated of the outputs while nothing exists, so that a wrong map key or index shows now.
fn outputs(scope: &Scope<'_>) -> Result<(), Error> {
    match scope.outputs() {
        Ok(_) | Err(EvaluateError::NotYet { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn planned(cloud: &Cloud, resource: &Resource, logical_id: String, needs: BTreeSet<String>) -> Planned {
    let removal = match resource.deletion_policy {
        Some(RemovalPolicy::Retain) => Removal::Retain,
        Some(RemovalPolicy::RetainExceptOnCreate) => Removal::RetainExceptOnCreate,
        Some(RemovalPolicy::Snapshot) => Removal::Snapshot,
        Some(RemovalPolicy::Delete) => Removal::Delete,
        None if cloud.delete_with_snapshot(&resource.type_name).is_some() => Removal::Snapshot,
        None => Removal::Delete,
    };
    Planned { logical_id, type_name: resource.type_name.clone(), needs, removal }
}
