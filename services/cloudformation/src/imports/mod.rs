//! Change sets of the type IMPORT: existing resources become resources of a stack.
//!
//! An import changes nothing else, so its template has the stack's resources as they are. The resources themselves only get the
//! stack's tags. The engine imports all of them in one transaction: a failed import leaves the stack as it was.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources.html>

pub(crate) mod by_name;

use crate::{
    Error, begin, drift, events, find,
    predict::{Effect, Predicted, Target},
    update,
};
use escale_base::{AwsError, Wire};
use escale_schema::Schema;
use escale_service::{Cloud, Cx};
use escale_tables::cloudformation::{
    Content, LogicalId, Phase, PhysicalId, Stack, StackContent, StackResource, TypeName,
};
use std::collections::BTreeMap;

/// `ResourceToImport` of a request.
#[derive(Clone, Wire)]
pub(crate) struct ResourceToImport {
    resource_type: TypeName,
    logical_resource_id: LogicalId,
    /// The value of the property that identifies a resource of the type.
    resource_identifier: BTreeMap<String, String>,
}

/// The resources that a change set imports, by their logical ids.
pub(crate) type Imports = BTreeMap<LogicalId, PhysicalId>;

/// Checks the resources of an import, and marks them in the prediction.
pub(crate) fn mark(
    cloud: &Cloud,
    cx: &Cx<'_>,
    content: &Content,
    wanted: &[ResourceToImport],
    predicted: &mut [Predicted],
) -> Result<Imports, Error> {
    if wanted.is_empty() {
        return Err(Error::invalid("ResourcesToImport is required for a change set of the type IMPORT"));
    }
    let mut imports = Imports::new();
    for one in wanted {
        let physical_id = checked(cloud, cx, content, one)?;
        let logical = &one.logical_resource_id;
        let predicted = predicted.iter_mut().find(|p| p.logical_id == *logical);
        let Some(predicted) = predicted.filter(|p| matches!(p.effect, Effect::Add)) else {
            return Err(Error::invalid(format!("The stack already has a resource {logical}")));
        };
        (predicted.effect, predicted.physical_id) = (Effect::Import, Some(physical_id.clone()));
        if imports.insert(logical.clone(), physical_id).is_some() {
            return Err(Error::invalid(format!("ResourcesToImport has {logical} twice")));
        }
    }
    let others: Vec<&str> =
        predicted.iter().filter(|p| changes(&p.effect)).map(|p| p.logical_id.as_str()).collect();
    if !others.is_empty() {
        return Err(Error::invalid(format!(
            "You have modified resources [{}] in your template that are not being imported. Update, create or delete operations \
             cannot be executed during import operations.",
            others.join(", ")
        )));
    }
    Ok(imports)
}

/// Whether more changes than what CloudFormation itself records of a resource.
fn changes(effect: &Effect) -> bool {
    match effect {
        Effect::Import => false,
        Effect::Add | Effect::Remove(_) => true,
        Effect::Modify { details, .. } => details.iter().any(|d| {
            !matches!(d.target, Target::Metadata | Target::DeletionPolicy | Target::UpdateReplacePolicy)
        }),
    }
}

/// The id of the resource to import, if it can be imported.
fn checked(
    cloud: &Cloud,
    cx: &Cx<'_>,
    content: &Content,
    one: &ResourceToImport,
) -> Result<PhysicalId, Error> {
    let (type_name, logical) = (&one.resource_type, &one.logical_resource_id);
    let planned = content.resources.iter().find(|p| p.logical_id == *logical && p.type_name == *type_name);
    if planned.is_none() {
        return Err(Error::invalid(format!(
            "The template has no resource {logical} of the type {type_name}"
        )));
    }
    if !has_deletion_policy(content, logical)? {
        return Err(Error::invalid(format!(
            "Resource {logical} must have a DeletionPolicy: it says what happens to the imported resource when it leaves the stack"
        )));
    }
    let kind = cloud.resource_type(type_name).filter(|kind| kind.adopt.is_some() && kind.read.is_some());
    let identifier = escale_schema::schema(type_name).and_then(Schema::identifier);
    let (Some(_), Some(identifier)) = (kind, identifier) else {
        return Err(AwsError::not_supported(format_args!("The import of the type {type_name}"))
            .hint("Let the stack create the resource.")
            .into());
    };
    let mut given = one.resource_identifier.iter();
    let physical_id = match (given.next(), given.next()) {
        (Some((name, value)), None) if name == identifier => PhysicalId::from(value.as_str()),
        _ => {
            return Err(Error::invalid(format!(
                "The ResourceIdentifier of {logical} must have the key {identifier} of {type_name}, and no other"
            )));
        }
    };
    // A resource belongs to one stack at most: two would each delete and change it.
    let of_other = |row: &StackResource| {
        row.type_name == *type_name && row.physical_id.as_ref() == Some(&physical_id) && row.is_current()
    };
    let other = cx.tx.scan::<StackResource>().find(|row| of_other(row));
    let other =
        other.and_then(|row| cx.tx.get::<Stack>(&row.stack)).filter(|stack| stack.phase != Phase::Deleted);
    match other {
        Some(stack) => {
            Err(Error::invalid(format!("{type_name} {physical_id} already exists in stack {}", stack.arn)))
        }
        None => Ok(physical_id),
    }
}

fn has_deletion_policy(content: &Content, logical: &LogicalId) -> Result<bool, Error> {
    let tree = crate::template::tree(&content.template)?;
    let resource = tree.get("Resources").and_then(|all| all.get(logical));
    Ok(resource.is_some_and(|resource| resource.get("DeletionPolicy").is_some()))
}

/// Starts the import: a row for each resource with the id of what exists. After this commit the engine imports them.
pub(crate) fn start(cx: &mut Cx<'_>, mut stack: Stack, content: Content, imports: &Imports) {
    if stack.phase != Phase::Review {
        stack.content = update::next_number(cx.tx, &stack);
    }
    drift::reset(cx.tx, &stack.uuid);
    place(cx, &stack, &content);
    for (at, planned) in (0..).zip(&content.resources) {
        if let Some(physical_id) = imports.get(&planned.logical_id) {
            let version = update::next_version(cx.tx, &stack.uuid, &planned.logical_id);
            let row = begin::waiting(cx, &stack, at, planned, version);
            cx.tx.put(StackResource { physical_id: Some(physical_id.clone()), ..row });
        }
    }
    begin::put_content(cx.tx, &stack, content);
    let uuid = stack.uuid.clone();
    cx.tx.put(stack);
    events::enter(cx.tx, &uuid, Phase::Importing, Some(begin::BY_USER.into()), cx.now);
}

/// Gives the stack's own resources their places and policies of a content.
fn place(cx: &mut Cx<'_>, stack: &Stack, content: &Content) {
    for (at, planned) in (0..).zip(&content.resources) {
        if let Some(row) = find::current(cx.tx, &stack.uuid, &planned.logical_id) {
            cx.tx.put(update::refreshed(&row, at, planned));
        }
    }
}

/// Undoes an import that has failed. The resources stay as they are; only the stack forgets them.
pub(crate) fn undo(
    cx: &mut Cx<'_>,
    stack: &Stack,
    failed: Option<&LogicalId>,
    why: &str,
) -> Result<(), Error> {
    use escale_tables::cloudformation::{ResourceState, ResourceStatus};
    let rows = find::resources(cx.tx, &stack.uuid).into_iter();
    for row in rows.filter(|row| row.state == ResourceState::Waiting) {
        if failed == Some(&row.logical_id) {
            events::record(cx.tx, &row, ResourceStatus::ImportFailed, Some(why.to_owned()), cx.now);
        }
        cx.tx.delete::<StackResource>(&escale_store::Row::key(&*row));
    }
    let Some(stable) = stack.stable else {
        // The stack has nothing. It can only be deleted, as on AWS.
        events::enter(cx.tx, &stack.uuid, Phase::RolledBack, Some(why.to_owned()), cx.now);
        return Ok(());
    };
    let content = find::numbered_content(cx.tx, &stack.uuid, stable)?;
    place(cx, stack, &content.content);
    cx.tx.delete::<StackContent>(&StackContent::key_of(&stack.uuid, stack.content));
    cx.tx.update::<Stack, _>(&stack.uuid, |s| s.content = stable);
    events::enter(cx.tx, &stack.uuid, Phase::ImportRolledBack, Some(why.to_owned()), cx.now);
    Ok(())
}
