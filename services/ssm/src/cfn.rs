//! CloudFormation: `AWS::SSM::Parameter`. Its `Ref` is the name.

use crate::{
    Error,
    choices::ResourceTypeForTagging,
    ops::{
        add_tags_to_resource::AddTagsToResource, delete_parameter::DeleteParameter,
        get_parameter::GetParameter, list_tags_for_resource::ListTagsForResource,
        put_parameter::PutParameter, remove_tags_from_resource::RemoveTagsFromResource,
    },
};
use escale_base::{
    AwsError, Tag, found,
    wire::{Map, Value},
};
use escale_service::{Created, Cx, InputDraft, Named, Props, ResourceType, Update, properties_of};
use std::collections::BTreeMap;

const TYPE: &str = "AWS::SSM::Parameter";

pub(crate) fn types() -> Vec<ResourceType> {
    let parameter = ResourceType::new(
        TYPE,
        &["Name", "Type", "Value", "Description", "AllowedPattern", "Tier", "DataType", "Tags"],
        create,
        |cx, created| created.delete_by::<DeleteParameter>(cx, "Name"),
    );
    let parameter = parameter.adopt(|_, name, props| with_attributes(Created::new(name), props));
    vec![parameter.update(update).read(read)]
}

fn create(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    refuse_secure_string(props)?;
    let name = props.name_or_generated("Name", 128);
    let input = props.input_without::<PutParameter>(&["Name", "Tags"]);
    input.with("Name", &name).with("Tags", &tags(props)?).call(cx)?;
    with_attributes(Created::new(name), props)
}

/// A change of any property but the tags writes a new version.
fn update(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    let name = &update.created.physical_id;
    if update.changed.iter().any(|property| property != "Tags") {
        refuse_secure_string(update.after)?;
        // PutParameter keeps a description that the request does not have.
        let description = update.after.str("Description").unwrap_or_default().to_owned();
        let input = update.after.input_without::<PutParameter>(&["Name", "Tags"]);
        // Nor does it drop the pattern.
        let pattern = update.after.str("AllowedPattern").unwrap_or_default().to_owned();
        let input = input.with("Name", name).with("Overwrite", &true).with("AllowedPattern", &pattern);
        input.with("Description", &description).call(cx)?;
    }
    let (before, after) = (tags(update.before)?, tags(update.after)?);
    let set: Vec<&Tag> = after.iter().filter(|tag| !before.contains(tag)).collect();
    if !set.is_empty() {
        let set: Vec<Tag> = set.into_iter().cloned().collect();
        tagging::<AddTagsToResource>(name).with("Tags", &set).call(cx)?;
    }
    let removed = before.into_iter().filter(|old| !after.iter().any(|new| new.key == old.key));
    let removed: Vec<String> = removed.map(|tag| tag.key).collect();
    if !removed.is_empty() {
        tagging::<RemoveTagsFromResource>(name).with("TagKeys", &removed).call(cx)?;
    }
    with_attributes(update.created.clone(), update.after)
}

/// Description, Tier and AllowedPattern are write-only, as in AWS's schema.
fn read(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let name = &created.physical_id;
    let input = InputDraft::<GetParameter>::new().with("Name", name);
    let Some(answer) = found(input.call(cx))? else { return Ok(None) };
    let mut properties = properties_of(TYPE, &answer.parameter, &[]);
    let listed = tagging::<ListTagsForResource>(name).call(cx)?.tag_list;
    let own = listed.into_iter().filter(|tag| !tag.key.starts_with("aws:"));
    let own: Map<String, Value> = own.map(|tag| (tag.key, tag.value.into())).collect();
    properties.insert("Tags".into(), own.into());
    Ok(Some(properties))
}

fn refuse_secure_string(props: &Props<'_>) -> Result<(), AwsError> {
    if props.text("Type")? == "SecureString" {
        let what = "AWS::SSM::Parameter does not support the type SecureString. Use a Secrets Manager secret";
        return Err(Error::Validation(what.into()).into());
    }
    Ok(())
}

fn with_attributes(created: Created, props: &Props<'_>) -> Result<Created, AwsError> {
    Ok(created.with("Type", props.text("Type")?).with("Value", props.read::<String>("Value")?))
}

/// The input of an operation on the tags of a parameter.
fn tagging<O: Named>(name: &String) -> InputDraft<O> {
    InputDraft::new().with("ResourceType", &ResourceTypeForTagging::Parameter).with("ResourceId", name)
}

/// The tags. Unlike other types, this one has them as a map.
fn tags(props: &Props<'_>) -> Result<Vec<Tag>, AwsError> {
    let mut tags = props.stack_tags.to_vec();
    let own = props.read::<BTreeMap<String, String>>("Tags")?;
    escale_base::tags::merge(&mut tags, own.into_iter().map(|(key, value)| Tag::new(key, value)));
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::TYPE;
    use crate::Ssm;
    use escale_harness::{Harness, PropertyTable};
    use serde_json::{Value, json};

    fn setup() -> (Harness, Value) {
        (Harness::of(Ssm), json!({"Name": "/shop/mode", "Type": "String", "Value": "a"}))
    }

    #[test]
    fn updates_every_property() {
        PropertyTable::new(TYPE, setup)
            .row("Value", json!("a"), json!("b"))
            .row("Type", json!("String"), json!("StringList"))
            .row("Description", json!("one"), json!("two"))
            .row("Description", json!("one"), json!(null))
            .row("Tier", json!("Standard"), json!("Advanced"))
            .row("Tier", json!("Advanced"), json!(null))
            .row("Tags", json!({"a": "1", "b": "2"}), json!({"a": "3", "c": "4"}))
            .row("AllowedPattern", json!("[a-z]"), json!("[a-c]"))
            .row("AllowedPattern", json!("[a-z]"), json!(null))
            .exempt(&[("DataType", "only text is supported")])
            .hidden(|cloud, parameter| {
                let filter = json!([{"Key": "Name", "Values": [parameter.created.physical_id]}]);
                let found = cloud.ok("DescribeParameters", json!({"ParameterFilters": filter}));
                let shown = &found["Parameters"][0];
                json!({"Description": shown["Description"], "Tier": shown["Tier"], "AllowedPattern": shown["AllowedPattern"]})
            })
            .check();
    }

    #[test]
    fn update_changes_the_attributes() {
        let (harness, base) = setup();
        let mut parameter = harness.create_resource(TYPE, base.clone()).unwrap();
        let mut other = base;
        other["Value"] = json!("b");
        harness.update_resource(&mut parameter, other).unwrap();
        assert_eq!(parameter.created.attributes["Value"], "b");
        harness.delete_resource(&parameter).unwrap();
        assert_eq!(harness.read_resource(&parameter), Value::Null);
    }

    #[test]
    fn change_of_tags_writes_no_version() {
        let (harness, base) = setup();
        let mut parameter = harness.create_resource(TYPE, base.clone()).unwrap();
        let mut other = base;
        other["Tags"] = json!({"a": "1"});
        harness.update_resource(&mut parameter, other).unwrap();
        assert_eq!(harness.ok("GetParameter", json!({"Name": "/shop/mode"}))["Parameter"]["Version"], 1);
    }
}
