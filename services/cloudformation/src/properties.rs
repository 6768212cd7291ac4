//! Properties against the schemas of their types, before anything is created and again when a resource is.

use crate::{
    Error,
    template::{Conditions, Expression, Position, Resource, Scope, Template, expression::Form},
};
use escale_schema::Fault;
use escale_service::{Cloud, ResourceType};
use serde_json::{Map, Value};

/// Every fault in the properties of all resources that the template makes: those that no schema allows, and those that Escale
/// does not enact. What depends on resources that do not exist yet is checked when it is known.
pub(crate) fn check<'a>(
    cloud: &Cloud,
    template: &Template,
    scope: &Scope<'_>,
    active: impl Iterator<Item = &'a String>,
) -> Result<(), Error> {
    let mut faults = not_enacted(cloud, template, scope.conditions());
    for logical in active {
        let known = scope.known_properties(logical)?;
        let Some(resource) = template.resources.get(logical) else { continue };
        let Some(schema) = escale_schema::schema(&resource.type_name) else { continue };
        if let Err(wrong) = schema.coerce(&known) {
            let lines = wrong
                .iter()
                .map(|fault| format!("{fault} ({})", place(&resource.properties, fault, scope.conditions())));
            faults.push(in_words(logical, lines));
        }
    }
    verdict(&faults)
}

/// The properties that are not enacted, as far as conditions alone decide on what there is.
pub(crate) fn enacted(cloud: &Cloud, template: &Template, conditions: &Conditions) -> Result<(), Error> {
    verdict(&not_enacted(cloud, template, conditions))
}

/// A resource's properties in the types of its schema.
pub(crate) fn coerced(
    kind: &ResourceType,
    logical: &str,
    properties: Map<String, Value>,
) -> Result<Map<String, Value>, Error> {
    let Some(schema) = escale_schema::schema(kind.name) else { return Ok(properties) };
    schema
        .coerce(&properties)
        .map_err(|faults| Error::invalid(in_words(logical, faults.iter().map(ToString::to_string))))
}

fn verdict(faults: &[String]) -> Result<(), Error> {
    if faults.is_empty() { Ok(()) } else { Err(Error::invalid(faults.join("\n"))) }
}

fn in_words(logical: &str, faults: impl Iterator<Item = String>) -> String {
    let faults: Vec<String> = faults.collect();
    format!("Properties validation failed for resource {logical} with message:\n{}", faults.join("\n"))
}

/// What the schema itself does not have is a fault of its own.
fn not_enacted(cloud: &Cloud, template: &Template, conditions: &Conditions) -> Vec<String> {
    let mut faults = Vec::new();
    for (logical, resource) in made(template, conditions) {
        let (Some(kind), Form::Map(entries)) =
            (cloud.resource_type(&resource.type_name), &resource.properties.form)
        else {
            continue;
        };
        let schema = escale_schema::schema(kind.name);
        let is_settable = |name: &str| {
            schema.is_none_or(|s| s.properties().any(|known| known == name) && !s.is_read_only(name))
        };
        for (name, value) in entries {
            let is_enacted = kind.properties.contains(&name.as_str());
            if !is_enacted && is_settable(name) && is_given(value, conditions) {
                faults.push(format!(
                    "Resources/{logical}/Properties/{name}: {} has no property {name} that Escale enacts ({})",
                    kind.name, value.at
                ));
            }
        }
    }
    faults
}

/// The resources that there are under these conditions.
pub(crate) fn made<'t>(
    template: &'t Template,
    conditions: &'t Conditions,
) -> impl Iterator<Item = (&'t String, &'t Resource)> {
    let holds = |condition: &String| conditions.get(condition) == Some(&true);
    template.resources.iter().filter(move |(_, r)| r.condition.as_ref().is_none_or(holds))
}

/// Whether a property has a value, as far as conditions alone decide on it.
fn is_given(value: &Expression, conditions: &Conditions) -> bool {
    match chosen(value, conditions).map(|value| &value.form) {
        Some(Form::Ref(name)) => name != "AWS::NoValue",
        Some(_) => true,
        None => false,
    }
}

/// The expression behind any `Fn::If`; none where a condition's value is not known.
fn chosen<'e>(mut value: &'e Expression, conditions: &Conditions) -> Option<&'e Expression> {
    while let Form::If { condition, then, otherwise } = &value.form {
        value = if *conditions.get(condition)? { then } else { otherwise };
    }
    Some(value)
}

/// Where the template writes what a fault is about, or the innermost expression around it.
fn place(properties: &Expression, fault: &Fault, conditions: &Conditions) -> Position {
    let mut here = properties;
    for step in fault.path.iter().chain(&fault.member) {
        let below = match &here.form {
            Form::Map(entries) => entries.iter().find(|(name, _)| name == step).map(|(_, value)| value),
            // Items without a value are not counted.
            Form::List(items) => step
                .parse()
                .ok()
                .and_then(|at| items.iter().filter(|item| is_given(item, conditions)).nth(at)),
            _ => None,
        };
        match below.and_then(|below| chosen(below, conditions)) {
            Some(below) => here = below,
            None => break,
        }
    }
    here.at
}
