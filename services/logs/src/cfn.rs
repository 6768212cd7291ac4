//! CloudFormation: `AWS::Logs::LogGroup`.

use crate::{
    Error,
    ops::{
        create_log_group::CreateLogGroup, delete_log_group::DeleteLogGroup,
        delete_retention_policy::DeleteRetentionPolicy, list_tags_for_resource::ListTagsForResource,
        put_retention_policy::PutRetentionPolicy, tag_resource::TagResource, untag_resource::UntagResource,
    },
    rules,
};
use escale_base::{
    AwsError, found,
    wire::{Map, Value, Wire},
};
use escale_service::{Created, Cx, InputDraft, Props, Readiness, ResourceType, Resources, Update, own_tags};
use escale_tables::logs::{LogGroup, LogGroupClass, LogGroupName};

pub(crate) fn types() -> Resources {
    let group = ResourceType::new(
        "AWS::Logs::LogGroup",
        &["LogGroupName", "RetentionInDays", "LogGroupClass", "Tags"],
        create,
        delete,
    );
    let group = group.update(update).read(read);
    let group = group.adopt(|cx, name, _| Ok(described(cx, LogGroupName(name.to_owned()))));
    vec![group.gone(|image, created| {
        if image.has::<LogGroup>(&created.physical_id) {
            Readiness::Pending("the log group is being deleted".into())
        } else {
            Readiness::ready()
        }
    })]
}

fn create(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let name = LogGroupName(props.name_or_generated("LogGroupName", 512));
    let input = props.input::<CreateLogGroup>(&["LogGroupClass"]).with("logGroupName", &name);
    input.with("tags", &rules::tag_map(&props.tags()?)).call(cx)?;
    if props.get("RetentionInDays").is_some() {
        props.input::<PutRetentionPolicy>(&["RetentionInDays"]).with("logGroupName", &name).call(cx)?;
    }
    Ok(described(cx, name))
}

fn described(cx: &Cx<'_>, name: LogGroupName) -> Created {
    let arn = rules::group_resource(cx.config, &name);
    Created::new(name).with("Arn", arn)
}

fn update(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    let name = LogGroupName(update.created.physical_id.clone());
    if update.changed("LogGroupClass") {
        keeps_class(cx, &name, update.after.str("LogGroupClass"))?;
    }
    if update.changed("RetentionInDays") {
        if update.after.get("RetentionInDays").is_some() {
            let input = update.after.input::<PutRetentionPolicy>(&["RetentionInDays"]);
            input.with("logGroupName", &name).call(cx)?;
        } else {
            InputDraft::<DeleteRetentionPolicy>::new().with("logGroupName", &name).call(cx)?;
        }
    }
    let (set, removed) = update.tags()?;
    let arn = rules::group_arn(cx.config, &name);
    if !set.is_empty() {
        let input = InputDraft::<TagResource>::new().with("resourceArn", &arn);
        input.with("tags", &rules::tag_map(&set)).call(cx)?;
    }
    if !removed.is_empty() {
        let input = InputDraft::<UntagResource>::new().with("resourceArn", &arn);
        input.with("tagKeys", &removed).call(cx)?;
    }
    Ok(update.created.clone())
}

/// AWS never changes the class of an existing group.
/// Source: <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-loggroup.html>
fn keeps_class(cx: &Cx<'_>, name: &LogGroupName, class: Option<&str>) -> Result<(), AwsError> {
    let now = rules::group(cx.tx, name)?.class;
    let wanted = class.unwrap_or(LogGroupClass::Standard.as_str());
    if wanted == now.as_str() {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "The class of the log group {name} is {now} and cannot be changed to {wanted}. Create a log group with another name"
    ))
    .into())
}

fn read(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let name = LogGroupName(created.physical_id.clone());
    let arn = rules::group_arn(cx.config, &name);
    let input = InputDraft::<ListTagsForResource>::new().with("resourceArn", &arn);
    let Some(listed) = found(input.call(cx))? else { return Ok(None) };
    // DescribeLogGroups waits for the plane, which no transaction may do.
    let row = rules::group(cx.tx, &name)?;
    let mut properties = Map::new();
    properties.insert("LogGroupName".into(), name.write());
    properties.insert("LogGroupClass".into(), row.class.write());
    if let Some(days) = row.retention_days {
        properties.insert("RetentionInDays".into(), days.into());
    }
    let tags: Vec<_> = rules::tag_list(listed.tags).collect();
    properties.insert("Tags".into(), own_tags(&tags));
    Ok(Some(properties))
}

fn delete(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    if !cx.tx.has::<LogGroup>(&created.physical_id) {
        return Ok(());
    }
    created.delete_by::<DeleteLogGroup>(cx, "logGroupName")
}

#[cfg(test)]
mod tests {
    use crate::{Logs, LogsService};
    use escale_base::wire::{Map, Value};
    use escale_harness::{Harness, PropertyTable};
    use escale_logstore::Fake;
    use std::sync::Arc;

    const TYPE: &str = "AWS::Logs::LogGroup";

    fn setup() -> (Harness, Value) {
        (
            Harness::of(LogsService(Logs::new(Arc::new(Fake::default())))),
            properties(&[("LogGroupName", "web".into())]),
        )
    }

    fn properties(members: &[(&str, Value)]) -> Value {
        members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect::<Map<_, _>>().into()
    }

    fn tag(key: &str, value: &str) -> Value {
        properties(&[("Key", key.into()), ("Value", value.into())])
    }

    #[test]
    fn updates_every_property() {
        PropertyTable::new(TYPE, setup)
            .row("RetentionInDays", 7.into(), 14.into())
            .row("RetentionInDays", 7.into(), Value::Null)
            .row("Tags", vec![tag("a", "1"), tag("b", "2")].into(), vec![tag("a", "3"), tag("c", "4")].into())
            .exempt(&[("LogGroupClass", "the class of an existing group cannot change")])
            .check();
    }

    #[test]
    fn refuses_a_change_of_the_class() {
        let (harness, base) = setup();
        let mut group = harness.create_resource(TYPE, base.clone()).unwrap();
        let mut other = base;
        other["LogGroupClass"] = "INFREQUENT_ACCESS".into();
        let error = harness.update_resource(&mut group, other).unwrap_err();
        assert!(error.message.contains("cannot be changed to INFREQUENT_ACCESS"), "{error}");
    }

    #[test]
    fn deleted_group_is_not_read() {
        let (harness, base) = setup();
        let group = harness.create_resource(TYPE, base).unwrap();
        harness.delete_resource(&group).unwrap();
        assert_eq!(harness.read_resource(&group), Value::Null);
    }
}
