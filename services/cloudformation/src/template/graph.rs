//! Dependencies between resources: cycles, and the waves in which resources can be created.

use super::error::TemplateError;
use super::expression::Expression;
use super::references::{Conditions, Use, walk};
use super::sections::Template;
use indexmap::IndexMap;
use std::collections::BTreeSet;

/// The resources that a stack has under given conditions, and the dependencies of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Resource → the resources that it needs, in the template's order.
    pub dependencies: IndexMap<String, BTreeSet<String>>,
    /// Each wave depends only on earlier ones. Deletion has the opposite order.
    pub waves: Vec<Vec<String>>,
}

impl Plan {
    pub(crate) fn new(template: &Template, conditions: &Conditions) -> Result<Plan, TemplateError> {
        let holds = |condition: &Option<String>| {
            condition.as_ref().is_none_or(|name| conditions.get(name).copied().unwrap_or(false))
        };
        let active: IndexMap<_, _> = template.resources.iter().filter(|(_, r)| holds(&r.condition)).collect();
        let mut absent = BTreeSet::new();
        let mut dependencies = IndexMap::new();
        for (name, resource) in &active {
            let mut needs: BTreeSet<String> = BTreeSet::new();
            for expression in std::iter::once(&resource.properties).chain(&resource.metadata) {
                needs.extend(resources_in(template, expression, conditions));
            }
            absent.extend(needs.iter().filter(|n| !active.contains_key(n)).cloned());
            // `DependsOn` only orders the creation, so a resource that its condition excludes is no error there.
            needs.extend(resource.depends_on.iter().filter(|n| active.contains_key(n)).cloned());
            dependencies.insert((*name).clone(), needs);
        }
        unresolved(absent, "Resources")?;
        // The same for outputs, which add no dependencies.
        let mut absent = BTreeSet::new();
        for output in template.outputs.values().filter(|o| holds(&o.condition)) {
            for expression in std::iter::once(&output.value).chain(&output.export) {
                let needs = resources_in(template, expression, conditions);
                absent.extend(needs.into_iter().filter(|n| !active.contains_key(n)));
            }
        }
        unresolved(absent, "Outputs")?;
        let waves = waves(&dependencies)?;
        Ok(Plan { dependencies, waves })
    }
}

fn unresolved(names: BTreeSet<String>, block: &str) -> Result<(), TemplateError> {
    if names.is_empty() {
        return Ok(());
    }
    let names = names.into_iter().collect::<Vec<_>>().join(", ");
    let message = format!("Unresolved resource dependencies [{names}] in the {block} block of the template");
    Err(TemplateError::format(message))
}

fn resources_in(template: &Template, expression: &Expression, conditions: &Conditions) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk(expression, Some(conditions), &mut |used| {
        if let Use::Ref(name) | Use::GetAtt { resource: name, .. } = used
            && template.resources.contains_key(name)
        {
            found.insert(name.to_owned());
        }
    });
    found
}

fn waves(dependencies: &IndexMap<String, BTreeSet<String>>) -> Result<Vec<Vec<String>>, TemplateError> {
    let mut left: IndexMap<&String, &BTreeSet<String>> = dependencies.iter().collect();
    let mut waves = Vec::new();
    while !left.is_empty() {
        let ready = |needs: &BTreeSet<String>| !needs.iter().any(|n| left.contains_key(n));
        let wave: Vec<String> =
            left.iter().filter(|(_, needs)| ready(needs)).map(|(n, _)| (*n).clone()).collect();
        if wave.is_empty() {
            return Err(circular(left));
        }
        left.retain(|name, _| !wave.contains(name));
        waves.push(wave);
    }
    Ok(waves)
}

/// Names the resources in cycles, without those that only depend on a cycle.
fn circular(mut left: IndexMap<&String, &BTreeSet<String>>) -> TemplateError {
    // Removes resources that no other depends on, until only cycles and the resources between them are left.
    loop {
        let waited_for: BTreeSet<&String> = left.values().flat_map(|needs| needs.iter()).collect();
        let before = left.len();
        left.retain(|name, _| waited_for.contains(name));
        if left.len() == before {
            break;
        }
    }
    let names = left.keys().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
    TemplateError::plain(format!("Circular dependency between resources: [{names}]"))
}
