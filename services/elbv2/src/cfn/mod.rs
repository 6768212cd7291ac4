//! The resource types `AWS::ElasticLoadBalancingV2::*`, implemented with this service's operations.
//!
//! Source: <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_ElasticLoadBalancingV2.html>

mod balancer;
mod certificate;
mod group;
mod listener;
mod shifted;

use crate::{
    attributes::{self, Attribute, Known},
    ops::{add_tags::AddTags, describe_tags::DescribeTags, remove_tags::RemoveTags},
};
use escale_base::{
    AwsError,
    wire::{Value, Wire},
};
use escale_service::{Created, Cx, InputDraft, Props, Resources, Update, own_tags};

pub(crate) fn types() -> Resources {
    vec![balancer::TYPE, group::TYPE, listener::LISTENER, listener::RULE, certificate::TYPE]
}

/// The keys of the attributes that the template sets. No attribute of AWS: `read` needs them, because the API returns all
/// attributes of a resource.
const ATTRIBUTE_KEYS: &str = "AttributeKeys";

/// Stores the keys of the attributes that the property sets.
fn with_keys(created: Created, props: &Props<'_>, property: &str) -> Result<Created, AwsError> {
    let set: Vec<Attribute> = props.read(property)?;
    Ok(created.with(ATTRIBUTE_KEYS, set.into_iter().map(|a| a.key).collect::<Vec<_>>()))
}

/// The attributes to set: those of the new template, and the defaults of those that only the old one has.
fn changed_attributes(
    all: &[Known],
    update: &Update<'_>,
    property: &str,
) -> Result<Vec<Attribute>, AwsError> {
    let (before, mut after) =
        (update.before.read::<Vec<Attribute>>(property)?, update.after.read::<Vec<Attribute>>(property)?);
    for Attribute { key, .. } in before {
        if !after.iter().any(|a| a.key == key) {
            let value = Some(attributes::default(all, &key).to_owned());
            after.push(Attribute { key, value });
        }
    }
    Ok(after)
}

/// The attributes that the template sets, and those that differ from their defaults.
fn shown_attributes(all: &[Known], created: &Created, mut shown: Vec<Attribute>) -> Value {
    let keys: Vec<&str> = created
        .attributes
        .get(ATTRIBUTE_KEYS)
        .and_then(Value::as_array)
        .map(|keys| keys.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    shown.retain(|a| {
        keys.contains(&a.key.as_str()) || a.value.as_deref() != Some(attributes::default(all, &a.key))
    });
    shown.write()
}

fn update_tags(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<(), AwsError> {
    let arns = vec![update.created.physical_id.clone()];
    let (set, removed) = update.tags()?;
    if !set.is_empty() {
        InputDraft::<AddTags>::new().with("ResourceArns", &arns).with("Tags", &set).call(cx)?;
    }
    if !removed.is_empty() {
        InputDraft::<RemoveTags>::new().with("ResourceArns", &arns).with("TagKeys", &removed).call(cx)?;
    }
    Ok(())
}

fn read_tags(cx: &mut Cx<'_>, arn: &str) -> Result<Value, AwsError> {
    let input = InputDraft::<DescribeTags>::new().with("ResourceArns", &vec![arn.to_owned()]);
    Ok(own_tags(&only(input.call(cx)?.tag_descriptions)?.tags))
}

/// The single item of a creation's answer, which is a list.
fn only<T>(made: Vec<T>) -> Result<T, AwsError> {
    made.into_iter().next().ok_or_else(AwsError::internal)
}

fn after<'a>(arn: &'a str, mark: &str) -> Result<&'a str, AwsError> {
    arn.split_once(mark).map(|(_, rest)| rest).ok_or_else(AwsError::internal)
}

#[cfg(test)]
mod tests;
