//! Checks a template and its parameters before any resource is created. After that, only a resource's own service can fail.

use crate::{
    Error,
    nested::Templates,
    properties, scope,
    shapes::ParameterShape,
    template::{
        self, Conditions, EvaluateError, Known, Origin, Processed, RemovalPolicy, Resource, Scope, Template,
    },
};
use escale_base::{AwsError, Tag};
use escale_service::{Cloud, Cx};
use escale_tables::cloudformation::{
    Capability, Content, ExportName, LogicalId, ParameterKey, Planned, Removal, StackArn, StackName,
};
use std::collections::{BTreeMap, BTreeSet};

/// A template and the other content of the request.
#[derive(Clone)]
pub(crate) struct Wanted {
    pub(crate) template: String,
    pub(crate) origin: Origin,
    pub(crate) parameters: Vec<ParameterShape>,
    pub(crate) capabilities: Vec<Capability>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) for_change_set: bool,
}

/// Checks the whole content. `previous` is the stack's content, for requests that can reuse previous values; `templates` has
/// those of nested stacks.
pub(crate) fn content(
    cx: &mut Cx<'_>,
    wanted: Wanted,
    templates: &Templates,
    stack: (&StackArn, &StackName),
    previous: Option<&Content>,
) -> Result<(Content, BTreeSet<ExportName>), Error> {
    let cloud = cx.cloud();
    let source = template::read(&wanted.template, wanted.origin)?;
    let given = parameters(&wanted.parameters, previous)?;
    if let Some(tag) = wanted.tags.iter().find(|t| t.key.starts_with("aws:")) {
        return Err(Error::invalid(format!(
            "aws: prefixed tag key names are not allowed for external use: {}",
            tag.key
        )));
    }
    let mut bound = source.bind(&given)?;
    let mut resolved = BTreeMap::new();
    for (name, key) in bound.ssm.clone() {
        // The value is read once and stored with the stack: a later change of the parameter must not change the stack.
        let value = scope::parameter(cx, &key, None, false).map_err(|e| {
            let why = AwsError::from(e).message;
            Error::invalid(format!(
                "Unable to fetch parameters [{key}] from parameter store for this account: {why}"
            ))
        })?;
        bound.resolve(&name, &value);
        resolved.insert(name.into(), value);
    }
    // No resource of the stack exists yet, so the environment names no stack: references to resources are `NotYet`.
    let environment = scope::StackEnvironment::new(cx.tx, cx.config, None);
    let pseudo = scope::pseudo(cx.config, stack.0, stack.1);
    let known = Known { parameters: &bound.values, pseudo: &pseudo, environment: &environment };
    let Processed { template: parsed, text: processed } = source.process(known)?;
    let missing = parsed.capabilities_missing(&wanted.capabilities, wanted.for_change_set);
    if !missing.is_empty() {
        return Err(Error::Capabilities(missing.iter().map(|c| c.as_str()).collect::<Vec<_>>().join(", ")));
    }
    let scope = Scope::new(&parsed, &bound.values, &pseudo, &environment)?;
    types(cloud, &parsed, scope.conditions())?;
    scope.check_rules()?;
    let plan = parsed.plan(scope.conditions())?;
    properties::check(cloud, &parsed, &scope, plan.dependencies.keys())?;
    outputs(&scope)?;
    let templates = templates.reachable(cx.tx, cx.config, &parsed, &scope)?;
    let resources = plan
        .dependencies
        .into_iter()
        .filter_map(|(logical_id, needs)| {
            Some(planned(cloud, parsed.resources.get(&logical_id)?, logical_id, needs))
        })
        .collect();
    let effective = parsed.parameters.iter().filter_map(|(name, p)| {
        Some((name.as_str().into(), given.get(name.as_str()).cloned().or_else(|| p.default.clone())?))
    });
    let content = Content {
        description: parsed.description.clone(),
        parameters: effective.collect(),
        hidden: parsed.parameters.iter().filter(|(_, p)| p.no_echo).map(|(n, _)| n.as_str().into()).collect(),
        resolved,
        tags: wanted.tags,
        capabilities: wanted.capabilities,
        resources,
        templates,
        original: processed.is_some().then(|| wanted.template.clone()),
        template: processed.unwrap_or(wanted.template),
    };
    Ok((content, environment.imports.into_inner()))
}

/// Whether two contents describe the same stack. Like AWS, it compares the parsed templates, not their text.
pub(crate) fn is_same(new: &Content, old: &Content) -> bool {
    let tree = |c: &Content| template::tree(&c.template).map(|node| node.value());
    let tags = |c: &Content| c.tags.iter().cloned().collect::<BTreeSet<_>>();
    new.parameters == old.parameters
        && new.resolved == old.resolved
        && new.templates == old.templates
        && tags(new) == tags(old)
        // Equal texts need no parsing.
        && (new.template == old.template || matches!((tree(new), tree(old)), (Ok(a), Ok(b)) if a == b))
}

/// Checks that Escale supports every resource type and its deletion policy. Resources that a condition excludes may have any
/// type: for example a certificate that the template creates only in production.
pub(crate) fn types(cloud: &Cloud, template: &Template, conditions: &Conditions) -> Result<(), Error> {
    let active = || properties::active(template, conditions);
    let names: BTreeSet<&str> = active().map(|(_, r)| r.type_name.as_str()).collect();
    let unknown: Vec<&str> = names.into_iter().filter(|name| cloud.resource_type(name).is_none()).collect();
    if !unknown.is_empty() {
        return Err(Error::invalid(format!(
            "Template format error: Unrecognized resource types: [{}]. Escale does not support them; `escale \
             coverage` lists the supported types",
            unknown.join(", ")
        )));
    }
    for (logical, resource) in active() {
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
) -> Result<BTreeMap<ParameterKey, String>, Error> {
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
                return Err(Error::invalid(format!("Parameter {key} must have ParameterValue or UsePreviousValue")));
            }
        };
        if values.insert(key.clone(), value).is_some() {
            return Err(Error::invalid(format!("Parameters: [{key}] must be specified only once")));
        }
    }
    Ok(values)
}

/// Evaluates the outputs as far as possible before any resource exists, so that a wrong map key or index is reported now.
fn outputs(scope: &Scope<'_>) -> Result<(), Error> {
    match scope.outputs() {
        Ok(_) | Err(EvaluateError::NotYet { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn planned(cloud: &Cloud, resource: &Resource, logical_id: String, needs: BTreeSet<String>) -> Planned {
    let removal = |policy: Option<RemovalPolicy>, default: Removal| match policy {
        Some(RemovalPolicy::Retain) => Removal::Retain,
        Some(RemovalPolicy::RetainExceptOnCreate) => Removal::RetainExceptOnCreate,
        Some(RemovalPolicy::Snapshot) => Removal::Snapshot,
        Some(RemovalPolicy::Delete) => Removal::Delete,
        None => default,
    };
    // AWS's default for types that support snapshots; a replaced resource is deleted without one.
    let has_snapshots = cloud.delete_with_snapshot(&resource.type_name).is_some();
    let at_deletion = if has_snapshots { Removal::Snapshot } else { Removal::Delete };
    Planned {
        logical_id: logical_id.into(),
        type_name: resource.type_name.as_str().into(),
        needs: needs.into_iter().map(LogicalId).collect(),
        removal: removal(resource.deletion_policy, at_deletion),
        replaced: removal(resource.update_replace_policy, Removal::Delete),
    }
}
