//! The changes of a change set, in AWS's form: <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChange.html>

use crate::{
    choices::{
        AttributeChangeType, ChangeAction, ChangeSource, ChangeType, EvaluationType, PolicyAction,
        ReplacementShape, RequiresRecreation, ResourceAttribute,
    },
    difference::{Certainty, Replacement},
    evaluation, nested,
    predict::{Cause, Detail, Effect, Predicted, Target},
};
use escale_base::{
    Wire,
    wire::{Map, Value},
};
use escale_tables::cloudformation::{ChangeSetArn, LogicalId, PhysicalId, Removal, TypeName};
use serde_json::json;
use std::collections::BTreeMap;

/// AWS's mark for a value that depends on a resource that does not exist yet.
const LATER: &str = "{{changeSet:KNOWN_AFTER_APPLY}}";

#[derive(Wire)]
pub(crate) struct Change {
    #[wire("Type")]
    kind: ChangeType,
    resource_change: ResourceChange,
}

#[derive(Wire)]
pub(crate) struct ResourceChange {
    policy_action: Option<PolicyAction>,
    action: ChangeAction,
    logical_resource_id: LogicalId,
    physical_resource_id: Option<PhysicalId>,
    resource_type: TypeName,
    replacement: Option<ReplacementShape>,
    scope: Vec<ResourceAttribute>,
    details: Vec<DetailShape>,
    /// The resource before the change, as a JSON text.
    before_context: Option<String>,
    after_context: Option<String>,
}

#[derive(Wire)]
pub(crate) struct DetailShape {
    target: TargetShape,
    evaluation: EvaluationType,
    change_source: ChangeSource,
    causing_entity: Option<String>,
}

#[derive(Wire)]
pub(crate) struct TargetShape {
    attribute: ResourceAttribute,
    name: Option<String>,
    requires_recreation: RequiresRecreation,
    path: Option<String>,
    before_value: Option<String>,
    after_value: Option<String>,
    attribute_change_type: Option<AttributeChangeType>,
}

/// The changes, as a change set stores them.
pub(crate) fn of(predicted: &[Predicted]) -> Vec<Value> {
    predicted
        .iter()
        .map(|p| Wire::write(&Change { kind: ChangeType::Resource, resource_change: change(p) }))
        .collect()
}

/// Adds the change sets of nested stacks to stored changes.
pub(crate) fn link(stored: &mut [Value], nested: &BTreeMap<LogicalId, ChangeSetArn>) {
    for change in stored {
        let Some(resource) = change.get_mut("ResourceChange").and_then(Value::as_object_mut) else {
            continue;
        };
        let set = resource.get("LogicalResourceId").and_then(Value::as_str).and_then(|id| nested.get(id));
        if let Some(set) = set {
            resource.insert("ChangeSetId".into(), set.write());
        }
    }
}

/// Stored changes for a response. Property values are only part of it if the request asks for them.
pub(crate) fn shown(stored: &[Value], with_values: bool) -> Vec<Value> {
    let mut all = stored.to_vec();
    if !with_values {
        for change in &mut all {
            let Some(resource) = change.get_mut("ResourceChange").and_then(Value::as_object_mut) else {
                continue;
            };
            resource.remove("BeforeContext");
            resource.remove("AfterContext");
            for detail in resource.get_mut("Details").and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(target) = detail.get_mut("Target").and_then(Value::as_object_mut) {
                    for name in ["BeforeValue", "AfterValue", "AttributeChangeType", "Path"] {
                        target.remove(name);
                    }
                }
            }
        }
    }
    all
}

fn change(predicted: &Predicted) -> ResourceChange {
    let (before, after) = (predicted.before.as_ref(), predicted.after.as_ref());
    let (action, policy_action, replacement, details): (_, _, _, &[Detail]) = match &predicted.effect {
        Effect::Add => (ChangeAction::Add, None, None, &[]),
        Effect::Import => (ChangeAction::Import, None, None, &[]),
        Effect::Remove(removal) => (ChangeAction::Remove, Some(at_removal(*removal)), None, &[]),
        Effect::Modify { replacement, replaced, details } => {
            let policy = (*replacement != Replacement::False).then(|| at_replacement(*replaced));
            let shape = match replacement {
                Replacement::True => ReplacementShape::True,
                Replacement::Conditional => ReplacementShape::Conditional,
                Replacement::False => ReplacementShape::False,
            };
            (ChangeAction::Modify, policy, Some(shape), details)
        }
    };
    let mut scope: Vec<ResourceAttribute> = details.iter().map(|d| attribute(&d.target)).collect();
    scope.sort();
    scope.dedup();
    ResourceChange {
        policy_action,
        action,
        logical_resource_id: predicted.logical_id.clone(),
        physical_resource_id: predicted.physical_id.clone(),
        resource_type: predicted.type_name.clone(),
        replacement,
        scope,
        details: details.iter().map(|d| detail(d, before, after)).collect(),
        before_context: before.map(context),
        after_context: after.map(context),
    }
}

fn detail(
    detail: &Detail,
    before: Option<&Map<String, Value>>,
    after: Option<&Map<String, Value>>,
) -> DetailShape {
    let name = match &detail.target {
        Target::Property(name) => Some(name.clone()),
        _ => None,
    };
    let value = |of: Option<&Map<String, Value>>| Some(text(of?.get(name.as_deref()?)?));
    let (before_value, after_value) = (value(before), value(after));
    let kind = match (&before_value, &after_value) {
        _ if name.is_none() => None,
        (None, _) => Some(AttributeChangeType::Add),
        (_, None) => Some(AttributeChangeType::Remove),
        _ => Some(AttributeChangeType::Modify),
    };
    let requires_recreation = match detail.replacement {
        _ if name.is_none() => RequiresRecreation::Never,
        Replacement::False => RequiresRecreation::Never,
        Replacement::Conditional => RequiresRecreation::Conditionally,
        Replacement::True => RequiresRecreation::Always,
    };
    let (change_source, causing_entity) = match &detail.cause {
        Cause::Automatic => (ChangeSource::Automatic, None),
        Cause::Template => (ChangeSource::DirectModification, None),
        Cause::Parameter(name) => (ChangeSource::ParameterReference, Some(name.clone())),
        Cause::Reference(name) => (ChangeSource::ResourceReference, Some(name.clone())),
        Cause::Attribute(name) => (ChangeSource::ResourceAttribute, Some(name.clone())),
    };
    DetailShape {
        target: TargetShape {
            attribute: attribute(&detail.target),
            path: name.as_ref().map(|name| format!("/Properties/{name}")),
            name,
            requires_recreation,
            before_value,
            after_value,
            attribute_change_type: kind,
        },
        evaluation: match detail.certainty {
            Certainty::Sure => EvaluationType::Static,
            Certainty::Open => EvaluationType::Dynamic,
        },
        change_source,
        causing_entity,
    }
}

fn attribute(target: &Target) -> ResourceAttribute {
    match target {
        Target::Property(_) | Target::Content => ResourceAttribute::Properties,
        Target::Tags => ResourceAttribute::Tags,
        Target::Metadata => ResourceAttribute::Metadata,
        Target::DeletionPolicy => ResourceAttribute::DeletionPolicy,
        Target::UpdateReplacePolicy => ResourceAttribute::UpdateReplacePolicy,
    }
}

fn at_removal(removal: Removal) -> PolicyAction {
    match removal {
        Removal::Delete => PolicyAction::Delete,
        Removal::Retain | Removal::RetainExceptOnCreate => PolicyAction::Retain,
        Removal::Snapshot => PolicyAction::Snapshot,
    }
}

fn at_replacement(replaced: Removal) -> PolicyAction {
    match replaced {
        Removal::Delete => PolicyAction::ReplaceAndDelete,
        Removal::Retain | Removal::RetainExceptOnCreate => PolicyAction::ReplaceAndRetain,
        Removal::Snapshot => PolicyAction::ReplaceAndSnapshot,
    }
}

fn context(properties: &Map<String, Value>) -> String {
    let properties: Map<String, Value> = properties
        .iter()
        .filter(|(name, _)| *name != nested::DIGEST)
        .map(|(name, value)| (name.clone(), readable(value)))
        .collect();
    json!({ "Properties": properties }).to_string()
}

fn text(value: &Value) -> String {
    match readable(value) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Without secrets, and with AWS's mark for values that are not known yet.
fn readable(value: &Value) -> Value {
    fn known(value: Value) -> Value {
        match value {
            Value::Null => LATER.into(),
            Value::Array(items) => items.into_iter().map(known).collect(),
            Value::Object(members) => members.into_iter().map(|(name, value)| (name, known(value))).collect(),
            other => other,
        }
    }
    known(evaluation::shown(value))
}
