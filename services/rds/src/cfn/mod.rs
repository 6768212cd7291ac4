//! CloudFormation: instances, subnet groups and parameter groups.

mod instance;
#[cfg(test)]
mod tests;
mod update;

pub(crate) use instance::{INSTANCE, delete_instance_with_snapshot};

use crate::{
    ops::{
        add_tags_to_resource::AddTagsToResource,
        create_db_parameter_group::CreateDBParameterGroup,
        create_db_subnet_group::CreateDBSubnetGroup,
        delete_db_parameter_group::DeleteDBParameterGroup,
        delete_db_subnet_group::DeleteDBSubnetGroup,
        describe_db_parameter_groups::DescribeDBParameterGroups,
        describe_db_parameters::{DescribeDBParameters, Shown},
        describe_db_subnet_groups::DescribeDBSubnetGroups,
        list_tags_for_resource::ListTagsForResource,
        modify_db_parameter_group::{ModifyDBParameterGroup, Setting},
        modify_db_subnet_group::ModifyDBSubnetGroup,
        remove_tags_from_resource::RemoveTagsFromResource,
        reset_db_parameter_group::ResetDBParameterGroup,
    },
    rules,
};
use escale_base::{
    AwsError, found,
    wire::{Map, Value, Wire},
};
use escale_service::{Created, Cx, InputDraft, Props, ResourceType, Update, properties_of};
use std::collections::BTreeMap;

const SUBNET_GROUP: &str = "AWS::RDS::DBSubnetGroup";
const PARAMETER_GROUP: &str = "AWS::RDS::DBParameterGroup";

pub(crate) fn types() -> Vec<ResourceType> {
    vec![
        instance::instance_type(),
        ResourceType::new(
            SUBNET_GROUP,
            &["DBSubnetGroupDescription", "DBSubnetGroupName", "SubnetIds", "Tags"],
            create_subnet_group,
            |cx, created| created.delete_by::<DeleteDBSubnetGroup>(cx, "DBSubnetGroupName"),
        )
        .update(update_subnet_group)
        .read(read_subnet_group),
        ResourceType::new(
            PARAMETER_GROUP,
            &["DBParameterGroupName", "Description", "Family", "Parameters", "Tags"],
            create_parameter_group,
            |cx, created| created.delete_by::<DeleteDBParameterGroup>(cx, "DBParameterGroupName"),
        )
        .update(update_parameter_group)
        .read(read_parameter_group),
    ]
}

/// Sets and removes the tags that an update changes.
fn change_tags(cx: &mut Cx<'_>, update: &Update<'_>, kind: &str) -> Result<(), AwsError> {
    let (set, removed) = update.tags()?;
    let arn = rules::arn(cx, kind, &update.created.physical_id);
    if !removed.is_empty() {
        let input = InputDraft::<RemoveTagsFromResource>::new().with("ResourceName", &arn);
        input.with("TagKeys", &removed).call(cx)?;
    }
    if !set.is_empty() {
        InputDraft::<AddTagsToResource>::new().with("ResourceName", &arn).with("Tags", &set).call(cx)?;
    }
    Ok(())
}

fn read_tags(cx: &mut Cx<'_>, kind: &str, id: &str) -> Result<Value, AwsError> {
    let arn = rules::arn(cx, kind, id);
    Ok(InputDraft::<ListTagsForResource>::new().with("ResourceName", &arn).call(cx)?.tag_list.write())
}

fn create_subnet_group(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let name = props.name_or_generated("DBSubnetGroupName", 255).to_ascii_lowercase();
    let input = props.input::<CreateDBSubnetGroup>(&["DBSubnetGroupDescription", "SubnetIds"]);
    input.with("DBSubnetGroupName", &name).with("Tags", &props.tags()?).call(cx)?;
    Ok(Created::new(name))
}

fn update_subnet_group(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    change_tags(cx, update, "subgrp")?;
    let changeable = ["DBSubnetGroupDescription", "SubnetIds"];
    if update.any_changed(&changeable) {
        let input = update.after.input::<ModifyDBSubnetGroup>(&changeable);
        input.with("DBSubnetGroupName", &update.created.physical_id).call(cx)?;
    }
    Ok(update.created.clone())
}

fn read_subnet_group(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let name = &created.physical_id;
    let input = InputDraft::<DescribeDBSubnetGroups>::new().with("DBSubnetGroupName", name);
    let groups = found(input.call(cx))?.map(|answer| answer.subnet_groups).unwrap_or_default();
    let Some(group) = groups.first() else { return Ok(None) };
    let mut properties = properties_of(SUBNET_GROUP, group, &[]);
    let ids = group.subnets.iter().map(|subnet| Value::from(subnet.subnet_identifier.as_str()));
    properties.insert("SubnetIds".into(), ids.collect());
    properties.insert("Tags".into(), read_tags(cx, "subgrp", name)?);
    Ok(Some(properties))
}

fn create_parameter_group(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let name = props.name_or_generated("DBParameterGroupName", 255).to_ascii_lowercase();
    let input = props.input::<CreateDBParameterGroup>(&["Family", "Description"]);
    let input = input.renamed(&[("Family", "DBParameterGroupFamily")]);
    input.with("DBParameterGroupName", &name).with("Tags", &props.tags()?).call(cx)?;
    let settings = settings(&props.read("Parameters")?);
    if !settings.is_empty() {
        let input = InputDraft::<ModifyDBParameterGroup>::new().with("DBParameterGroupName", &name);
        input.with("Parameters", &settings).call(cx)?;
    }
    Ok(Created::new(name.as_str()).with("DBParameterGroupName", name))
}

/// Parameters that the new template no longer has get the engine's defaults again.
fn update_parameter_group(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    change_tags(cx, update, "pg")?;
    if update.changed("Parameters") {
        let before: BTreeMap<String, Value> = update.before.read("Parameters")?;
        let after: BTreeMap<String, Value> = update.after.read("Parameters")?;
        let name = &update.created.physical_id;
        let removed: BTreeMap<String, Value> =
            before.into_iter().filter(|(name, _)| !after.contains_key(name)).collect();
        if !removed.is_empty() {
            let input = InputDraft::<ResetDBParameterGroup>::new().with("DBParameterGroupName", name);
            input.with("Parameters", &settings(&removed)).call(cx)?;
        }
        if !after.is_empty() {
            let input = InputDraft::<ModifyDBParameterGroup>::new().with("DBParameterGroupName", name);
            input.with("Parameters", &settings(&after)).call(cx)?;
        }
    }
    Ok(update.created.clone())
}

fn read_parameter_group(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let name = &created.physical_id;
    let input = InputDraft::<DescribeDBParameterGroups>::new().with("DBParameterGroupName", name);
    let groups = found(input.call(cx))?.map(|answer| answer.parameter_groups).unwrap_or_default();
    let Some(group) = groups.first() else { return Ok(None) };
    let mut properties = properties_of(PARAMETER_GROUP, group, &[("Family", "DBParameterGroupFamily")]);
    let mut parameters = Map::new();
    let mut marker: Option<String> = None;
    loop {
        let input = InputDraft::<DescribeDBParameters>::new().with("DBParameterGroupName", name);
        let page = input.with("Source", &"user".to_owned()).with("Marker", &marker).call(cx)?;
        let value = |p: &Shown| (p.parameter_name.to_owned(), p.parameter_value.write());
        parameters.extend(page.parameters.iter().map(value));
        marker = page.marker;
        if marker.is_none() {
            break;
        }
    }
    properties.insert("Parameters".into(), parameters.into());
    properties.insert("Tags".into(), read_tags(cx, "pg", name)?);
    Ok(Some(properties))
}

/// The schema does not restrict the values, so templates contain numbers and booleans too.
fn settings(parameters: &BTreeMap<String, Value>) -> Vec<Setting> {
    let setting = |(name, value): (&String, &Value)| Setting {
        parameter_name: name.clone(),
        parameter_value: Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned)),
        apply_method: None,
    };
    parameters.iter().map(setting).collect()
}
