//! The CloudFormation types of EC2. They call EC2's own operations.
//!
//! Attributes and physical ids follow AWS's reference:
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_EC2.html>

mod acls;
mod dhcp;
mod flow_logs;
mod group_rules;
mod groups;
mod ipv6;
mod outside;
mod peerings;
mod routes;
mod vpc;

use crate::{
    choices::ResourceType,
    ops::{create_tags::CreateTags, delete_tags::DeleteTags},
    shapes::{Flag, TagSpecification},
};
use escale_base::{
    AwsError, Tag, found,
    wire::{Map, Value, Wire},
};
use escale_service::{Created, Cx, InputDraft, Named, Props, Resources, Update, own_tags, properties_of};
use escale_store::Image;
use escale_tables::cloudformation::{Role, StackResource};
use serde_json::json;
use std::sync::Arc;

pub(crate) fn resources() -> Resources {
    [
        vpc::TYPES,
        acls::TYPES,
        ipv6::TYPES,
        dhcp::TYPES,
        flow_logs::TYPES,
        routes::TYPES,
        outside::TYPES,
        peerings::TYPES,
        groups::TYPES,
    ]
    .concat()
}

/// The tags of the template and of the stack, for `TagSpecifications`.
fn tags(props: &Props<'_>, resource_type: ResourceType) -> Result<Vec<TagSpecification>, AwsError> {
    let tags = props.tags()?;
    let given = (!tags.is_empty()).then_some(TagSpecification { resource_type: Some(resource_type), tags });
    Ok(given.into_iter().collect())
}

/// The update of a type that can change its tags only.
fn only_tags(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    update_tags(cx, &update.created.physical_id, update)?;
    Ok(update.created.clone())
}

fn update_tags(cx: &mut Cx<'_>, id: &str, update: &Update<'_>) -> Result<(), AwsError> {
    let resources = vec![id.to_owned()];
    let (set, removed) = update.tags()?;
    if !set.is_empty() {
        InputDraft::<CreateTags>::new().with("Resources", &resources).with("Tags", &set).call(cx)?;
    }
    if !removed.is_empty() {
        let removed: Value = removed.iter().map(|key| json!({"Key": key})).collect();
        InputDraft::<DeleteTags>::new().with("Resources", &resources).with("Tags", &removed).call(cx)?;
    }
    Ok(())
}

/// Calls a describe operation for one id; none if the resource does not exist.
fn describe<O: Named>(cx: &mut Cx<'_>, member: &str, id: &str) -> Result<Option<O::Output>, AwsError> {
    found(InputDraft::<O>::new().with(member, &vec![id.to_owned()]).call(cx))
}

/// The properties that a shape describes, with the tags that a template can have.
fn shown<T: Wire>(type_name: &str, shape: &T, tags: &[Tag]) -> Map<String, Value> {
    let mut properties = properties_of(type_name, shape, &[]);
    properties.insert("Tags".into(), own_tags(tags));
    properties
}

/// The resource that this one has replaced and to which a rollback returns: both have the same logical id, and the stack keeps
/// the other one. Its association has ended, because a subnet has only one, so the deletion of this one must restore it.
fn returns_to(image: &Image, created: &Created) -> Option<Arc<StackResource>> {
    let id = created.physical_id.as_str();
    let own = image.scan::<StackResource>().find(|row| row.physical_id.as_deref() == Some(id))?;
    let prefix = format!("{}/{}/", own.stack, own.logical_id);
    let mut same = image.prefix::<StackResource>(&prefix);
    same.find(|row| own.role == Role::Orphan && row.role == Role::Kept && row.physical_id.is_some())
}

fn flag(value: bool) -> Flag {
    Flag { value: Some(value) }
}

#[cfg(test)]
mod tests;
