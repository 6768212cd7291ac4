//! Checks properties against the schemas of their types, before any resource is created and again when a resource is created.

use crate::{
    Error,
    template::{Conditions, Expression, Position, Resource, Scope, Template, expression::Form},
};
use escale_schema::Fault;
use escale_service::{Cloud, ResourceType};
use serde_json::{Map, Value};

/// Reports all faults of all resources at once: properties that the schema refuses and properties that Escale does not enact.
/// A value that depends on a resource that does not exist yet is checked when that resource exists.
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

/// Refuses properties that Escale does not enact. `conditions` alone decide which properties are present.
pub(crate) fn enacted(cloud: &Cloud, template: &Template, conditions: &Conditions) -> Result<(), Error> {
    verdict(&not_enacted(cloud, template, conditions))
}

/// A resource's properties, converted to the types of its schema.
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

/// Properties that the schema does not have are not listed: the check against the schema reports them.
fn not_enacted(cloud: &Cloud, template: &Template, conditions: &Conditions) -> Vec<String> {
    let mut faults = Vec::new();
    for (logical, resource) in active(template, conditions) {
        let refused = |(policy, at): &(String, Position)| {
            format!("Resources/{logical}/{policy}: Escale does not support the attribute {policy} ({at})")
        };
        faults.extend(resource.policies.iter().map(refused));
        let (Some(kind), Form::Map(entries)) =
            (cloud.resource_type(&resource.type_name), &resource.properties.form)
        else {
            continue;
        };
        let schema = escale_schema::schema(kind.name);
        // Types without a schema accept any property name, so each must be one that is enacted.
        let is_settable = |name: &str| {
            schema.is_none_or(|s| s.properties().any(|known| known == name) && !s.is_read_only(name))
        };
        for (name, value) in entries {
            let is_enacted = kind.properties.contains(&name.as_str());
            if !is_enacted && is_settable(name) && is_given(value, conditions) {
                faults.push(format!(
                    "Resources/{logical}/Properties/{name}: Escale does not support property {name} of {} ({})",
                    kind.name, value.at
                ));
            }
        }
    }
    faults
}

/// The resources whose condition holds.
pub(crate) fn active<'t>(
    template: &'t Template,
    conditions: &'t Conditions,
) -> impl Iterator<Item = (&'t String, &'t Resource)> {
    let holds = |condition: &String| conditions.get(condition) == Some(&true);
    template.resources.iter().filter(move |(_, r)| r.condition.as_ref().is_none_or(holds))
}

/// Whether a property has a value. `conditions` alone decide.
fn is_given(value: &Expression, conditions: &Conditions) -> bool {
    match chosen(value, conditions).map(|value| &value.form) {
        Some(Form::Ref(name)) => name != "AWS::NoValue",
        Some(_) => true,
        None => false,
    }
}

/// Follows `Fn::If` to the chosen expression. `None` if the value of a condition is not known.
fn chosen<'e>(mut value: &'e Expression, conditions: &Conditions) -> Option<&'e Expression> {
    while let Form::If { condition, then, otherwise } = &value.form {
        value = if *conditions.get(condition)? { then } else { otherwise };
    }
    Some(value)
}

/// The template's position of the faulty value, or of the innermost expression that contains it.
pub(crate) fn place(properties: &Expression, fault: &Fault, conditions: &Conditions) -> Position {
    let mut here = properties;
    for step in fault.path.iter().chain(&fault.member) {
        let below = match &here.form {
            Form::Map(entries) => entries.iter().find(|(name, _)| name == step).map(|(_, value)| value),
            // The fault's index counts the evaluated list, which lacks `AWS::NoValue` items.
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
