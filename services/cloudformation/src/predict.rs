//! Predicts what an update does to each resource, before anything is changed.
//!
//! Change sets show the prediction, and an update compares only the resources in it: every other resource keeps its properties for
//! certain. A property whose new value depends on a changing resource may stay the same; then the update leaves it alone.

use crate::{
    Error,
    difference::{Certainty, Difference, Replacement},
    evaluation::{self, Evaluation},
    events, find, nested, scope,
    template::{Environment, Scope, TemplateError, references},
};
use escale_base::AwsError;
use escale_service::{Cloud, Config};
use escale_store::Image;
use escale_tables::cloudformation::{
    Content, LogicalId, Phase, PhysicalId, Planned, Removal, ResourceState, Stack, StackResource, TypeName,
};
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What happens to one logical id.
#[derive(Clone, Debug)]
pub(crate) struct Predicted {
    pub(crate) logical_id: LogicalId,
    pub(crate) type_name: TypeName,
    pub(crate) physical_id: Option<PhysicalId>,
    pub(crate) effect: Effect,
    /// The stored properties before and after.
    pub(crate) before: Option<Map<String, Value>>,
    pub(crate) after: Option<Map<String, Value>>,
    /// The new properties of a nested stack, with secrets. `null` is a value that is not known yet.
    pub(crate) nested: Option<Map<String, Value>>,
}

#[derive(Clone, Debug)]
pub(crate) enum Effect {
    Add,
    /// Of an existing resource.
    Import,
    Modify {
        replacement: Replacement,
        replaced: Removal,
        details: Vec<Detail>,
    },
    Remove(Removal),
}

/// One reason for a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Detail {
    pub(crate) target: Target,
    pub(crate) replacement: Replacement,
    pub(crate) certainty: Certainty,
    pub(crate) cause: Cause,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Property(String),
    /// The templates of nested stacks.
    Content,
    Tags,
    Metadata,
    DeletionPolicy,
    UpdateReplacePolicy,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Template,
    /// A nested stack's template may have changed at its URL.
    Automatic,
    Parameter(String),
    Reference(String),
    Attribute(String),
}

/// Compares the stack's resources with a new content. In the template's order, removed resources last.
pub(crate) fn predict(
    cloud: &Cloud,
    image: &Image,
    config: &Config,
    stack: &Stack,
    new: &Content,
) -> Result<Vec<Predicted>, Error> {
    // A stack in review has no content yet.
    let old = match stack.phase {
        Phase::Review => None,
        _ => Some(Old::new(&find::content(image, stack)?.content, stack)?),
    };
    let after = Evaluation::of(new, &stack.uuid)?;
    let rows = current_rows(image, stack);
    let pseudo = scope::pseudo(config, &stack.arn, &stack.name);
    let environment = Foreseen {
        real: scope::StackEnvironment::new(image, config, Some((&stack.uuid, cloud))),
        rows: &rows,
        fates: std::cell::RefCell::default(),
    };
    let scope = after.scope(&pseudo, &environment)?;
    let run = Run {
        cloud,
        old: old.as_ref(),
        new,
        tree: crate::template::tree(&new.template)?,
        metadata: evaluation::metadata(new),
        after: &after,
        scope: &scope,
    };
    let waves = after.template.plan(scope.conditions())?.waves;
    let mut found = BTreeMap::new();
    for logical in waves.iter().flatten() {
        let Some(planned) = new.resources.iter().find(|p| p.logical_id == **logical) else { continue };
        let predicted = match rows.get(&planned.logical_id) {
            None => Some(run.added(planned)?),
            Some(row) => run.modified(planned, row, &environment)?,
        };
        let fate = predicted.as_ref().map_or(Fate::Unchanged, |p| match &p.effect {
            Effect::Modify { replacement: Replacement::False, details, .. }
                if details
                    .iter()
                    .all(|d| !matches!(d.target, Target::Property(_) | Target::Content | Target::Tags)) =>
            {
                Fate::Unchanged
            }
            Effect::Modify { replacement: Replacement::False, .. } => Fate::Changed,
            _ => Fate::Replaced,
        });
        environment.fates.borrow_mut().insert(planned.logical_id.clone(), fate);
        found.extend(predicted.map(|p| (planned.logical_id.clone(), p)));
    }
    let mut all: Vec<Predicted> =
        new.resources.iter().filter_map(|planned| found.remove(&planned.logical_id)).collect();
    let removed = rows.values().filter(|row| !new.resources.iter().any(|p| p.logical_id == row.logical_id));
    let mut removed: Vec<&Arc<StackResource>> = removed.collect();
    removed.sort_by_key(|row| row.place);
    all.extend(removed.into_iter().map(|row| Predicted {
        logical_id: row.logical_id.clone(),
        type_name: row.type_name.clone(),
        physical_id: row.physical_id.clone(),
        effect: Effect::Remove(row.removal),
        before: Some(row.properties.clone()),
        after: None,
        nested: None,
    }));
    Ok(all)
}

type Rows = BTreeMap<LogicalId, Arc<StackResource>>;

/// The stack's existing resources. One whose creation failed is created again.
fn current_rows(image: &Image, stack: &Stack) -> Rows {
    let rows = find::resources(image, &stack.uuid).into_iter();
    let exists = |r: &StackResource| r.physical_id.is_some() && r.state != ResourceState::CreateFailed;
    rows.filter(|r| r.is_current() && exists(r)).map(|r| (r.logical_id.clone(), r)).collect()
}

/// The content that the stack has now.
struct Old {
    evaluation: Evaluation,
    tree: crate::template::Node,
    metadata: BTreeMap<String, Value>,
}

impl Old {
    fn new(content: &Content, stack: &Stack) -> Result<Old, Error> {
        Ok(Old {
            evaluation: Evaluation::of(content, &stack.uuid)?,
            tree: crate::template::tree(&content.template)?,
            metadata: evaluation::metadata(content),
        })
    }

    /// A property as the old template has it, without its place.
    fn property(&self, logical: &str, name: &str) -> Option<Value> {
        property(&self.tree, logical, name)
    }
}

fn property(tree: &crate::template::Node, logical: &str, name: &str) -> Option<Value> {
    let properties = tree.get("Resources")?.get(logical)?.get("Properties")?;
    properties.get(name).map(|node| node.value())
}

struct Run<'a> {
    cloud: &'a Cloud,
    old: Option<&'a Old>,
    new: &'a Content,
    tree: crate::template::Node,
    metadata: BTreeMap<String, Value>,
    after: &'a Evaluation,
    scope: &'a Scope<'a>,
}

impl Run<'_> {
    fn added(&self, planned: &Planned) -> Result<Predicted, Error> {
        Ok(Predicted {
            logical_id: planned.logical_id.clone(),
            type_name: planned.type_name.clone(),
            physical_id: None,
            effect: Effect::Add,
            before: None,
            after: Some(self.after.stored(self.scope, &planned.logical_id)?),
            nested: self.nested(planned)?,
        })
    }

    fn nested(&self, planned: &Planned) -> Result<Option<Map<String, Value>>, Error> {
        let is_stack = planned.type_name == events::STACK;
        Ok(is_stack.then(|| self.scope.known_properties(&planned.logical_id)).transpose()?)
    }

    fn modified(
        &self,
        planned: &Planned,
        row: &Arc<StackResource>,
        environment: &Foreseen<'_>,
    ) -> Result<Option<Predicted>, Error> {
        let unknown = || AwsError::not_supported(format_args!("The resource type {}", row.type_name));
        let kind = self.cloud.resource_type(&row.type_name).ok_or_else(unknown)?;
        let after = self.after.stored(self.scope, &planned.logical_id)?;
        let tags = &self.new.tags;
        let difference = Difference::new(kind, (&row.properties, &row.tags), (&after, tags));
        let mut details = Vec::new();
        for (name, certainty) in &difference.properties {
            let replacement = difference.replacement(kind, name, &row.properties, &after);
            let target = match name.as_str() {
                nested::DIGEST => Target::Content,
                name if kind.tags_property() == Some(name) => Target::Tags,
                name => Target::Property(name.to_owned()),
            };
            let causes = match target {
                Target::Content => vec![(Cause::Automatic, true)],
                _ => self.causes(planned, name, environment)?,
            };
            details.extend(causes.into_iter().map(|(cause, by_reference)| {
                let certainty = if by_reference { Certainty::Open } else { *certainty };
                Detail { target: target.clone(), replacement, certainty, cause }
            }));
        }
        details.extend(self.attributes(planned, row));
        if details.is_empty() {
            return Ok(None);
        }
        Ok(Some(Predicted {
            logical_id: planned.logical_id.clone(),
            type_name: planned.type_name.clone(),
            physical_id: row.physical_id.clone(),
            effect: Effect::Modify {
                replacement: difference.effect(kind, &row.properties, &after),
                replaced: planned.replaced,
                details,
            },
            before: Some(row.properties.clone()),
            after: Some(after),
            nested: self.nested(planned)?,
        }))
    }

    /// Changed attributes of the resource beside its properties.
    fn attributes(&self, planned: &Planned, row: &StackResource) -> Vec<Detail> {
        let logical = planned.logical_id.as_str();
        let changed = [
            (
                Target::Metadata,
                self.metadata.get(logical) != self.old.and_then(|old| old.metadata.get(logical)),
            ),
            (Target::DeletionPolicy, planned.removal != row.removal),
            (Target::UpdateReplacePolicy, planned.replaced != row.replaced),
        ];
        let detail = |target| Detail {
            target,
            replacement: Replacement::False,
            certainty: Certainty::Sure,
            cause: Cause::Template,
        };
        changed.into_iter().filter(|(_, is)| *is).map(|(target, _)| detail(target)).collect()
    }

    /// Why a property changes, and whether that is a reference to a changing resource.
    fn causes(
        &self,
        planned: &Planned,
        name: &str,
        environment: &Foreseen<'_>,
    ) -> Result<Vec<(Cause, bool)>, Error> {
        let logical = planned.logical_id.as_str();
        let mut causes = Vec::new();
        let mut add = |cause: (Cause, bool)| {
            if !causes.contains(&cause) {
                causes.push(cause);
            }
        };
        let members = self.scope.members(logical)?;
        if let Some((_, expression)) = members.iter().find(|(property, _)| property == name) {
            let changed: BTreeSet<&str> = self
                .old
                .map(|old| self.after.parameters_changed(&old.evaluation).collect())
                .unwrap_or_default();
            references::walk(expression, Some(self.scope.conditions()), &mut |used| match used {
                references::Use::Ref(name) if changed.contains(name) => {
                    add((Cause::Parameter(name.to_owned()), false));
                }
                references::Use::Ref(name) if environment.fate(name) == Some(Fate::Replaced) => {
                    add((Cause::Reference(name.to_owned()), true));
                }
                references::Use::GetAtt { resource: name, attribute }
                    if environment.fate(name).is_some_and(|fate| fate != Fate::Unchanged) =>
                {
                    let attribute = attribute.map_or_else(String::new, |attribute| format!(".{attribute}"));
                    add((Cause::Attribute(format!("{name}{attribute}")), true));
                }
                _ => {}
            });
        }
        // A condition, a mapping or a value of another stack may have changed: AWS calls that a direct modification, too.
        if causes.is_empty()
            || self.old.and_then(|old| old.property(logical, name)) != property(&self.tree, logical, name)
        {
            causes.insert(0, (Cause::Template, false));
        }
        Ok(causes)
    }
}

/// What is known of a resource that has been looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Unchanged,
    /// It keeps its physical id; its attributes may change.
    Changed,
    /// It is new, or may be.
    Replaced,
}

/// The stack's resources as references can see them before the update: values that may change are not known.
struct Foreseen<'a> {
    real: scope::StackEnvironment<'a>,
    rows: &'a Rows,
    fates: std::cell::RefCell<BTreeMap<LogicalId, Fate>>,
}

impl Foreseen<'_> {
    fn fate(&self, logical: &str) -> Option<Fate> {
        self.fates.borrow().get(logical).copied()
    }
}

impl Environment for Foreseen<'_> {
    fn resource_ref(&self, logical: &str) -> Option<Value> {
        // A dependency has been looked at before: the waves are in that order.
        let is_known = matches!(self.fate(logical), Some(Fate::Unchanged | Fate::Changed));
        let row = self.rows.get(logical).filter(|_| is_known)?;
        row.physical_id.as_deref().map(Value::from)
    }

    fn get_att(&self, logical: &str, attribute: &str) -> Result<Option<Value>, TemplateError> {
        let is_known = self.fate(logical) == Some(Fate::Unchanged);
        let row = self.rows.get(logical).filter(|_| is_known);
        Ok(row.and_then(|row| self.real.attribute(row, attribute)))
    }

    fn export(&self, name: &str) -> Option<String> {
        self.real.export(name)
    }

    fn zones(&self, region: &str) -> Vec<String> {
        self.real.zones(region)
    }
}
