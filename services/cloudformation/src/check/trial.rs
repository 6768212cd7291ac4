//! Creates the resources in a store that is thrown away, as far as their values are known: the types' own operations refuse values
//! that no schema describes.
//!
//! Only refusals count. Another error, such as an id that does not exist here, says nothing about the template.

use super::{Checked, CheckedProperty, Place, Presence, Report, Support};
use crate::template::{
    self, Bound, Conditions, Environment, EvaluateError, Pseudo, Scope, TemplateError, references,
};
use crate::{properties, scope};
use escale_base::{AwsError, ErrorKind, Tag};
use escale_service::{Caller, Config, Created, Principal, Props, Readiness, ResourceType};
use escale_store::Store;
use serde_json::{Map, Value};
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
};

/// The value of every dynamic reference: long enough for a password, and a number where one is needed.
const RESOLVED: &str = "12345678";

pub(super) fn run(checked: &Checked<'_>, store: &Store, bound: &Bound, pseudo: &Pseudo, report: &mut Report) {
    let mut conditions: Conditions = checked.scope.conditions().clone();
    for name in checked.template.conditions.keys() {
        // A resource whose condition is not known is tried, too.
        conditions.entry(name.clone()).or_insert(true);
    }
    if !checked.template.transforms.is_empty() && references::check(checked.template).is_err() {
        // An outline may lack the resources of loops whose collection is not known.
        return;
    }
    let plan = match checked.template.plan(&conditions) {
        Ok(plan) => plan,
        Err(error) => return report.errors.push(super::note(error)),
    };
    let mut trial = Trial { checked, store, bound, pseudo, created: BTreeMap::new() };
    for logical in plan.waves.iter().flatten() {
        let Some(result) = report.resources.iter_mut().find(|r| r.logical_id == *logical) else { continue };
        if result.created == Presence::No {
            continue;
        }
        // Without the refused properties, so that one trial finds the other refusals, too.
        let is_refused = |p: &&CheckedProperty| matches!(p.support, Support::Refused { .. });
        let refused: Vec<&str> =
            result.properties.iter().filter(is_refused).map(|p| p.name.as_str()).collect();
        if let Err((place, reason)) = trial.create(logical, &refused) {
            result.refuse("Properties", place.unwrap_or(result.place), reason);
        }
    }
}

struct Trial<'a> {
    checked: &'a Checked<'a>,
    store: &'a Store,
    bound: &'a Bound,
    pseudo: &'a Pseudo,
    /// The resources so far, and whether all of their attributes are known.
    created: BTreeMap<String, (Created, bool)>,
}

/// The value of everything that only the deployment knows: an export of another stack, and the id and the attributes of a resource
/// that the trial could not create.
const UNKNOWN: &str = "value-of-the-deployment";

/// A refusal, with its position if it is not that of the resource.
type Refusal = (Option<Place>, String);

impl Trial<'_> {
    fn create(&mut self, logical: &str, refused: &[&str]) -> Result<(), Refusal> {
        let type_name = &self.checked.template.resources[logical].type_name;
        let Some(kind) = self.checked.cloud.resource_type(type_name).copied() else { return Ok(()) };
        let Some(mut values) = self.values(logical)? else { return Ok(()) };
        values.retain(|name, _| !refused.contains(&name.as_str()));
        let Ok(values) = properties::coerced(&kind, logical, values) else { return Ok(()) };
        match self.try_create(&kind, logical, &values) {
            Ok(created) => {
                let made = match (kind.ready)(&self.store.read(), &created) {
                    Readiness::Ready(attributes) => {
                        let mut created = created;
                        created.attributes.extend(attributes);
                        (created, true)
                    }
                    Readiness::Pending(_) | Readiness::Failed(_) => (created, false),
                };
                self.created.insert(logical.to_owned(), made);
                Ok(())
            }
            // A refusal of an unknown value would be one of a value that no template has.
            Err(error) if error.kind == ErrorKind::NotSupported && !error.message.contains(UNKNOWN) => {
                Err((None, error.message))
            }
            Err(_) => Ok(()),
        }
    }

    /// The value of an attribute that other resources change.
    fn current(&self, logical: &str, created: &Created, attribute: &str) -> Option<Value> {
        let type_name = &self.checked.template.resources.get(logical)?.type_name;
        let kind = self.checked.cloud.resource_type(type_name)?;
        (kind.current)(&self.store.read(), created, attribute)
    }

    /// The properties; `None` if a value of them is not known.
    fn values(&self, logical: &str) -> Result<Option<Map<String, Value>>, Refusal> {
        let Checked { template, .. } = *self.checked;
        let config = &self.checked.cloud.config;
        let environment = Resources { trial: Some(self), ..Resources::none(config) };
        let scope = Scope::of_known(template, &self.bound.values, self.pseudo, &environment);
        let values = match scope.properties(logical) {
            Ok(values) => values,
            Err(EvaluateError::NotYet { .. }) => return Ok(None),
            // `Fn::Select` fails on a list that only the deployment knows.
            Err(EvaluateError::Template(_)) if environment.has_guessed.get() => return Ok(None),
            Err(EvaluateError::Template(error)) => return Err((error.at.map(Place::from), error.message)),
        };
        let resolved = template::dynamic::replace(&Value::Object(values), &mut |_| {
            Ok::<_, TemplateError>(RESOLVED.to_owned())
        });
        match resolved {
            Ok(Value::Object(values)) => Ok(Some(values)),
            Ok(_) => Ok(None),
            Err(error) => Err((error.at.map(Place::from), error.message)),
        }
    }

    fn try_create(
        &self,
        kind: &ResourceType,
        logical: &str,
        values: &Map<String, Value>,
    ) -> Result<Created, AwsError> {
        let stack = [("stack-name", &self.pseudo.stack_name), ("stack-id", &self.pseudo.stack_id)];
        let tags = stack.map(|(key, value)| Tag::new(format!("aws:cloudformation:{key}"), value.as_str()));
        let props =
            Props { values, stack_name: &self.pseudo.stack_name, logical_id: logical, stack_tags: &tags };
        let caller = Caller { principal: Principal::Root, ..Caller::service("cloudformation.amazonaws.com") };
        let made = self.checked.cloud.transact(self.store, &caller, |cx| (kind.create)(cx, &props));
        made.map_err(|failed| failed.0)
    }
}

/// The resources of a trial, for functions that refer to them.
pub(super) struct Resources<'a> {
    config: &'a Config,
    trial: Option<&'a Trial<'a>>,
    imports: RefCell<BTreeSet<String>>,
    /// Whether a trial has used [`UNKNOWN`].
    has_guessed: Cell<bool>,
}

impl<'a> Resources<'a> {
    /// Before the trial.
    pub(super) fn none(config: &'a Config) -> Resources<'a> {
        Resources { config, trial: None, imports: RefCell::default(), has_guessed: Cell::new(false) }
    }

    /// The exports of other stacks that expressions read.
    pub(super) fn imports(&self) -> Vec<String> {
        self.imports.borrow().iter().cloned().collect()
    }

    fn created(&self, logical: &str) -> Option<&'a (Created, bool)> {
        self.trial?.created.get(logical)
    }

    /// In a trial, the place of a value that only the deployment knows. Dependencies have been tried before.
    fn guess(&self) -> Option<String> {
        self.trial?;
        self.has_guessed.set(true);
        Some(UNKNOWN.to_owned())
    }
}

impl Environment for Resources<'_> {
    fn resource_ref(&self, logical: &str) -> Option<Value> {
        match self.created(logical) {
            Some((created, _)) => Some(created.physical_id.as_str().into()),
            None => self.guess().map(Value::from),
        }
    }

    fn get_att(&self, logical: &str, attribute: &str) -> Result<Option<Value>, TemplateError> {
        let Some((created, is_complete)) = self.created(logical) else {
            return Ok(self.guess().map(Value::from));
        };
        let current = self.trial.and_then(|trial| trial.current(logical, created, attribute));
        match current.as_ref().or_else(|| created.attributes.get(attribute)) {
            Some(value) => Ok(Some(value.clone())),
            None if *is_complete => {
                let resource = self.trial.and_then(|trial| trial.checked.template.resources.get(logical));
                let type_name = resource.map_or("", |resource| resource.type_name.as_str());
                Err(scope::no_attribute(logical, attribute, type_name, created.attributes.keys()))
            }
            None => Ok(self.guess().map(Value::from)),
        }
    }

    fn export(&self, name: &str) -> Option<String> {
        self.imports.borrow_mut().insert(name.to_owned());
        self.guess()
    }

    fn lacks_exports(&self) -> bool {
        true
    }

    fn zones(&self, region: &str) -> Vec<String> {
        if region == self.config.region { self.config.zones.clone() } else { Vec::new() }
    }
}
