//! Checks what Escale would do with a template, without a running cloud: every resource and property is enacted, recorded only or
//! refused. All reasons are reported at once, with their positions.
//!
//! It uses the same schemas, lists and functions as the creation of a stack. `trial.rs` also runs the types' own `create` on a store
//! that is thrown away, since values are refused only there. Start at [`check`].

#[cfg(test)]
mod tests;
mod trial;

use crate::{
    properties, scope,
    template::{
        self, Bound, EvaluateError, Expression, Known, Origin, Position, RemovalPolicy, Resource, Scope,
        Source, Template, TemplateError, expression::Form,
    },
};
use escale_base::glob::{Glob, One};
use escale_service::{Cloud, Recorded, ResourceType, Service};
use escale_store::Store;
use escale_tables::cloudformation::{ParameterKey, StackArn, StackName};
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};

/// The result for one template.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Errors of the template as a whole. If it cannot be read, nothing else is known.
    pub errors: Vec<Note>,
    /// What must exist before the deployment.
    pub notes: Vec<Note>,
    pub resources: Vec<CheckedResource>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Note {
    #[serde(flatten)]
    pub place: Option<Place>,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

impl From<Position> for Place {
    fn from(at: Position) -> Place {
        Place { line: at.line, column: at.column }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CheckedResource {
    pub logical_id: String,
    #[serde(rename = "type")]
    pub type_name: String,
    /// The construct that the CDK made it of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cdk_path: Option<String>,
    #[serde(flatten)]
    pub place: Place,
    pub created: Presence,
    #[serde(flatten)]
    pub support: Support,
    /// In the order of the template. The name of a nested value is its path.
    pub properties: Vec<CheckedProperty>,
}

/// Whether the condition of a resource holds for the values of the parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    Yes,
    No,
    /// The condition depends on parameters without a value.
    Depends,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CheckedProperty {
    pub name: String,
    #[serde(flatten)]
    pub place: Place,
    #[serde(flatten)]
    pub support: Support,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "support", rename_all = "snake_case")]
pub enum Support {
    Enacted,
    /// Stored and shown, without effect.
    Recorded {
        reason: String,
    },
    Refused {
        /// Why, and what to do.
        reason: String,
    },
}

impl Support {
    fn refused(reason: impl Into<String>) -> Support {
        Support::Refused { reason: reason.into() }
    }
}

impl Report {
    /// Whether a stack of the template cannot be created.
    pub fn is_refused(&self) -> bool {
        !self.errors.is_empty() || self.resources.iter().any(CheckedResource::is_refused)
    }

    fn failed(error: TemplateError) -> Report {
        Report { errors: vec![note(error)], ..Report::default() }
    }
}

impl CheckedResource {
    /// Whether it, or a property of it, would fail its stack.
    pub fn is_refused(&self) -> bool {
        let is_refused = |support: &Support| matches!(support, Support::Refused { .. });
        self.created != Presence::No
            && (is_refused(&self.support) || self.properties.iter().any(|p| is_refused(&p.support)))
    }

    fn refuse(&mut self, name: &str, place: Place, reason: String) {
        let support = Support::refused(reason);
        match self.properties.iter_mut().find(|known| known.name == name) {
            Some(known) => known.support = support,
            None => self.properties.push(CheckedProperty { name: name.to_owned(), place, support }),
        }
    }
}

fn note(error: TemplateError) -> Note {
    Note { place: error.at.map(Place::from), message: error.message }
}

const LEAVE_OUT: &str = "Leave it out, or give it a Condition that is false here.";

/// Values of parameters by name.
pub type Given = BTreeMap<ParameterKey, String>;

/// The parameters that a template declares; none if it cannot be read.
pub fn parameters(text: &str) -> Vec<String> {
    template::read(text, Origin::File)
        .map(|source| source.parameters.into_keys().collect())
        .unwrap_or_default()
}

/// Checks a template with these values of its parameters and the defaults of the others. `store` gets the rows of the trial: it must
/// be a new one.
pub fn check(cloud: &Cloud, store: &Store, text: &str, given: &Given) -> Report {
    match template::read(text, Origin::File).and_then(|source| Checked::of(cloud, store, &source, given)) {
        Ok(report) => report,
        Err(error) => Report::failed(error),
    }
}

struct Checked<'a> {
    cloud: &'a Cloud,
    template: &'a Template,
    scope: &'a Scope<'a>,
}

/// The last part of the ARN of the stack that a check imagines.
const UUID: &str = "00000000-0000-0000-0000-000000000000";

impl Checked<'_> {
    fn of(cloud: &Cloud, store: &Store, source: &Source, given: &Given) -> Result<Report, TemplateError> {
        let bound = source.bind_known(given)?;
        let environment = trial::Resources::none(&cloud.config);
        // A stack's ARN in full: templates take the last parts of it for unique names.
        let (region, account) = (&cloud.config.region, &cloud.config.account);
        let arn = format!("arn:aws:cloudformation:{region}:{account}:stack/check/{UUID}");
        let pseudo = scope::pseudo(&cloud.config, &StackArn(arn), &StackName("check".into()));
        let known = Known { parameters: &bound.values, pseudo: &pseudo, environment: &environment };
        let is_complete = source.parameters.keys().all(|name| bound.values.contains_key(name));
        let template = if is_complete { source.process(known)?.template } else { source.outline(known)? };
        let scope = Scope::of_known(&template, &bound.values, &pseudo, &environment);
        let checked = Checked { cloud, template: &template, scope: &scope };
        let resources = template.resources.iter().map(|(id, r)| checked.resource(id, r)).collect();
        let mut report = Report { resources, ..Report::default() };
        match scope.check_rules() {
            Err(EvaluateError::Template(error)) => report.errors.push(note(error)),
            Ok(()) | Err(EvaluateError::NotYet { .. }) => {}
        }
        drop(scope.outputs());
        let (errors, notes) = needs(source, &bound, environment.imports());
        report.errors.extend(errors);
        report.notes = notes;
        trial::run(&checked, store, &bound, &pseudo, &mut report);
        Ok(report)
    }

    fn presence(&self, resource: &Resource) -> Presence {
        match resource.condition.as_ref().map(|name| self.scope.conditions().get(name)) {
            None | Some(Some(true)) => Presence::Yes,
            Some(Some(false)) => Presence::No,
            Some(None) => Presence::Depends,
        }
    }

    fn resource(&self, logical: &str, resource: &Resource) -> CheckedResource {
        let kind = self.cloud.resource_type(&resource.type_name);
        let mut checked = CheckedResource {
            logical_id: logical.to_owned(),
            type_name: resource.type_name.clone(),
            cdk_path: cdk_path(resource),
            place: resource.at.into(),
            created: self.presence(resource),
            support: Support::Enacted,
            properties: Vec::new(),
        };
        let Some(kind) = kind else {
            checked.support = Support::refused(format!("Escale does not have this type. {LEAVE_OUT}"));
            return checked;
        };
        for (policy, at) in &resource.policies {
            let reason = format!("Escale does not support the attribute {policy}. {LEAVE_OUT}");
            checked.refuse(policy, Place::from(*at), reason);
        }
        let policies = [resource.deletion_policy, resource.update_replace_policy];
        if policies.contains(&Some(RemovalPolicy::Snapshot))
            && self.cloud.delete_with_snapshot(kind.name).is_none()
        {
            let reason = "The type has no snapshots. Use Retain or Delete.".to_owned();
            checked.refuse("DeletionPolicy", checked.place, reason);
        }
        self.properties(kind, resource, &mut checked);
        // The values of a resource that is not created do not matter: its exports may not exist either.
        if checked.created != Presence::No {
            self.values(logical, resource, &mut checked);
        }
        checked
    }

    fn properties(&self, kind: &ResourceType, resource: &Resource, checked: &mut CheckedResource) {
        let Form::Map(entries) = &resource.properties.form else { return };
        let schema = escale_schema::schema(kind.name);
        for (name, value) in entries {
            // A property whose value is `AWS::NoValue` is not there; one whose condition is not known may be.
            if checked.created != Presence::No && matches!(self.scope.value(value), Ok(None)) {
                continue;
            }
            let is_unknown = schema.is_some_and(|s| !s.properties().any(|known| known == name));
            let support = match self.recorded(kind, name, value) {
                _ if is_unknown => {
                    Support::refused("The type has no such property on AWS either. Remove it.")
                }
                _ if !kind.properties.contains(&name.as_str()) => Support::refused(
                    "Escale does not support this property. Remove it, or use Fn::If and AWS::NoValue here.",
                ),
                Some(recorded) => Support::Recorded { reason: recorded.reason.to_owned() },
                None => Support::Enacted,
            };
            checked.properties.push(CheckedProperty { name: name.clone(), place: value.at.into(), support });
            self.recorded_members(kind, name, value, checked);
        }
    }

    /// Adds the members below a property that have no effect.
    fn recorded_members(
        &self,
        kind: &ResourceType,
        name: &str,
        value: &Expression,
        checked: &mut CheckedResource,
    ) {
        let prefix = format!("{}.{name}/", kind.name);
        for recorded in self.service_of(kind).iter().flat_map(|service| service.recorded()) {
            let Some(member) = recorded.name.strip_prefix(&prefix) else { continue };
            if let Some(found) = member_of(value, member) {
                checked.properties.push(CheckedProperty {
                    name: format!("{name}/{member}"),
                    place: found.at.into(),
                    support: Support::Recorded { reason: recorded.reason.to_owned() },
                });
            }
        }
    }

    /// Whether a value is known and matches a pattern.
    fn has_value(&self, value: &Expression, pattern: &str) -> bool {
        match self.scope.value(value) {
            Ok(Some(serde_json::Value::String(text))) => VALUES.matches(pattern, &text),
            _ => false,
        }
    }

    fn service_of(&self, kind: &ResourceType) -> Option<&Arc<dyn Service>> {
        let has =
            |service: &Arc<dyn Service>| service.resource_types().iter().any(|own| own.name == kind.name);
        self.cloud.services().find(|service| has(service))
    }

    /// Checks the known values against the schema.
    fn values(&self, logical: &str, resource: &Resource, checked: &mut CheckedResource) {
        let known = match self.scope.known_properties(logical) {
            Ok(known) => known,
            Err(EvaluateError::NotYet { .. }) => return,
            Err(EvaluateError::Template(error)) => {
                let place = error.at.map_or(checked.place, Place::from);
                return checked.refuse("Properties", place, error.message);
            }
        };
        let Some(schema) = escale_schema::schema(&resource.type_name) else { return };
        for fault in schema.coerce(&known).err().unwrap_or_default() {
            let steps: Vec<&str> = fault.path.iter().chain(&fault.member).map(String::as_str).collect();
            let place = properties::place(&resource.properties, &fault, self.scope.conditions());
            let name = if steps.is_empty() { "Properties".to_owned() } else { steps.join("/") };
            let is_listed = checked
                .properties
                .iter()
                .any(|p| p.name == name && matches!(p.support, Support::Refused { .. }));
            if !is_listed {
                checked.refuse(&name, place.into(), format!("{}.", fault.what));
            }
        }
    }

    /// The entry of a property that has no effect: that of the type, or that of the operation that creates it.
    fn recorded(&self, kind: &ResourceType, property: &str, value: &Expression) -> Option<Recorded> {
        let own = format!("{}.{property}", kind.name);
        let object = kind.name.rsplit("::").next().unwrap_or_default();
        let is_of = |recorded: &&Recorded| {
            let (name, pattern) =
                recorded.name.split_once('=').map_or((recorded.name, None), |(name, p)| (name, Some(p)));
            if pattern.is_some_and(|pattern| !self.has_value(value, pattern)) {
                return false;
            }
            name == own
                || name.split_once('.').is_some_and(|(operation, member)| {
                    let verbs = ["Create", "Register", "Put", "Allocate"];
                    let is_create = verbs.iter().any(|verb| {
                        operation.strip_prefix(verb).is_some_and(|rest| rest.eq_ignore_ascii_case(object))
                    });
                    is_create && member.eq_ignore_ascii_case(property)
                })
        };
        self.service_of(kind)?.recorded().iter().find(is_of).copied()
    }
}

/// How the values of recorded parameters are matched.
const VALUES: Glob = Glob { one: One::Character, ignore_case: false, escape: false };

/// The first member of this name below a value.
fn member_of<'e>(value: &'e Expression, name: &str) -> Option<&'e Expression> {
    match &value.form {
        Form::List(items) => items.iter().find_map(|item| member_of(item, name)),
        Form::Map(entries) => entries
            .iter()
            .find_map(|(key, inner)| if key == name { Some(inner) } else { member_of(inner, name) }),
        Form::If { then, otherwise, .. } => member_of(then, name).or_else(|| member_of(otherwise, name)),
        _ => None,
    }
}

fn cdk_path(resource: &Resource) -> Option<String> {
    let Form::Map(entries) = &resource.metadata.as_ref()?.form else { return None };
    let (_, path) = entries.iter().find(|(key, _)| key == "aws:cdk:path")?;
    match &path.form {
        Form::Scalar(scalar) => Some(scalar.text.clone()),
        _ => None,
    }
}

/// What the deployment needs besides the template: first what Escale cannot have.
fn needs(source: &Source, bound: &Bound, imports: Vec<String>) -> (Vec<Note>, Vec<Note>) {
    let at = |name: &str| source.parameters.get(name).map(|p| Place::from(p.at));
    let (mut errors, mut notes) = (Vec::new(), Vec::new());
    let has_value = |name: &str| bound.values.contains_key(name) || bound.ssm.contains_key(name);
    for (name, _) in source.parameters.iter().filter(|(name, _)| !has_value(name)) {
        let message = format!("Parameter {name} has no value: what depends on it is not checked.");
        notes.push(Note { place: at(name), message });
    }
    for (name, key) in &bound.ssm {
        let place = at(name);
        if key.starts_with("/cdk-bootstrap/") {
            let message = format!(
                "Parameter {name} reads {key}, which `cdk bootstrap` creates and Escale does not have. Use the CDK's \
                 LegacyStackSynthesizer."
            );
            errors.push(Note { place, message });
        } else if key.starts_with("/aws/") {
            let message = format!(
                "Parameter {name} reads AWS's public parameter {key}, which Escale does not have. Put a parameter of your own, and \
                 pass its name."
            );
            errors.push(Note { place, message });
        } else {
            let message = format!(
                "Parameter {name} reads the SSM parameter {key}: it must exist before the deployment."
            );
            notes.push(Note { place, message });
        }
    }
    notes.extend(imports.into_iter().map(|name| Note {
        place: None,
        message: format!("Another stack must export {name} before the deployment."),
    }));
    (errors, notes)
}
