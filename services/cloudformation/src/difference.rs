//! The difference between the properties that a resource has and those that it gets. Pure.

use escale_base::Tag;
use escale_service::{PropertyChange, ResourceType};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// How sure it is that a property changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Certainty {
    /// The new value depends on a resource that the same update changes.
    Open,
    Sure,
}

/// Whether a change creates a new physical resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Replacement {
    False,
    Conditional,
    True,
}

/// The changed top-level properties of a resource. Changed tags of the stack are a change of the type's tags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) properties: BTreeMap<String, Certainty>,
}

impl Difference {
    pub(crate) fn new(
        kind: &ResourceType,
        (before, old_tags): (&Map<String, Value>, &[Tag]),
        (after, new_tags): (&Map<String, Value>, &[Tag]),
    ) -> Difference {
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let mut properties: BTreeMap<String, Certainty> = names
            .into_iter()
            .filter_map(|name| Some((name.clone(), compare(before.get(name), after.get(name))?)))
            .collect();
        if let Some(tags) = kind.tags_property().filter(|_| old_tags != new_tags) {
            properties.insert(tags.to_owned(), Certainty::Sure);
        }
        Difference { properties }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.properties.is_empty()
    }

    pub(crate) fn names(&self) -> BTreeSet<String> {
        self.properties.keys().cloned().collect()
    }

    /// The effect of one property's change.
    pub(crate) fn replacement(
        &self,
        kind: &ResourceType,
        property: &str,
        before: &Map<String, Value>,
        after: &Map<String, Value>,
    ) -> Replacement {
        let change = PropertyChange { property, before, after };
        match self.properties.get(property) {
            None => Replacement::False,
            Some(Certainty::Open) if may_replace(kind, &change) => Replacement::Conditional,
            Some(Certainty::Open) => Replacement::False,
            Some(Certainty::Sure) if kind.replaces(&change) => Replacement::True,
            Some(Certainty::Sure) => Replacement::False,
        }
    }

    /// The effect of all changes together.
    pub(crate) fn effect(
        &self,
        kind: &ResourceType,
        before: &Map<String, Value>,
        after: &Map<String, Value>,
    ) -> Replacement {
        let each = self.properties.keys().map(|name| self.replacement(kind, name, before, after));
        each.max().unwrap_or(Replacement::False)
    }
}

/// Whether some value of the property replaces the resource.
fn may_replace(kind: &ResourceType, change: &PropertyChange<'_>) -> bool {
    let Some(schema) = escale_schema::schema(kind.name) else { return kind.replaces(change) };
    schema.mutability(change.property) != escale_schema::Mutability::Updatable
        || schema.create_only_members(change.property).next().is_some()
        || kind.replaces(change)
}

/// `None` if the values are equal. A number equals its text, because templates may write either.
fn compare(before: Option<&Value>, after: Option<&Value>) -> Option<Certainty> {
    match (before, after) {
        (_, Some(Value::Null)) => Some(Certainty::Open),
        (Some(Value::Array(old)), Some(Value::Array(new))) if old.len() == new.len() => {
            old.iter().zip(new).filter_map(|(old, new)| compare(Some(old), Some(new))).max()
        }
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            names.into_iter().filter_map(|name| compare(old.get(name), new.get(name))).max()
        }
        (Some(old), Some(new)) if old == new || scalar(old).is_some() && scalar(old) == scalar(new) => None,
        (None, None) => None,
        _ => Some(Certainty::Sure),
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn compares_values_as_a_service_would() {
        use Certainty::{Open, Sure};
        for (before, after, expected) in [
            (json!({"A": 1}), json!({"A": "1"}), None),
            (json!({"A": true}), json!({"A": "true"}), None),
            (json!({"A": 1}), json!({"A": 2}), Some(Sure)),
            (json!({"A": [1, {"B": 2}]}), json!({"A": ["1", {"B": "2"}]}), None),
            (json!({"A": [1, 2]}), json!({"A": [2, 1]}), Some(Sure)),
            (json!({"A": [1]}), json!({"A": [1, null]}), Some(Sure)),
            (json!({"A": [1, 2]}), json!({"A": [1, null]}), Some(Open)),
            (json!({"A": {"B": 1, "C": 1}}), json!({"A": {"B": null, "C": 2}}), Some(Sure)),
            (json!({"A": {"B": 1}}), json!({"A": {}}), Some(Sure)),
            (json!({}), json!({"A": null}), Some(Open)),
            (json!({"A": []}), json!({}), Some(Sure)),
        ] {
            assert_eq!(compare(Some(&before), Some(&after)), expected, "{before} {after}");
        }
    }
}
