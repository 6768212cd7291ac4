//! CloudFormation: `AWS::Logs::LogGroup`.

use crate::rules;
use escale_base::{AwsError, wire::Wire};
use escale_service::{Created, Cx, Props, Readiness, ResourceType, Resources};
use escale_tables::logs::LogGroup;
use serde_json::json;

pub(crate) fn types() -> Resources {
    vec![ResourceType {
        name: "AWS::Logs::LogGroup",
        properties: &["LogGroupName", "RetentionInDays", "LogGroupClass", "Tags"],
        create,
        ready: |_, _| Readiness::ready(),
        delete,
        gone: |image, created| match image.has::<LogGroup>(&created.physical_id) {
            true => Readiness::Pending("the log group's deletion".into()),
            false => Readiness::ready(),
        },
    }]
}

fn create(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let name = props.name_or_generated("LogGroupName", 512);
    let tags: Vec<escale_base::Tag> =
        Wire::read(&props.tags()).map_err(|e| crate::Error::Invalid(e.to_string()))?;
    let mut input = json!({ "logGroupName": name, "tags": rules::tag_map(&tags) });
    if let Some(class) = props.str("LogGroupClass") {
        input["logGroupClass"] = class.into();
    }
    cx.call_untyped("logs", "CreateLogGroup", input)?;
    if let Some(days) = props.int("RetentionInDays") {
        let input = json!({ "logGroupName": name, "retentionInDays": days });
        cx.call_untyped("logs", "PutRetentionPolicy", input)?;
    }
    let arn = rules::group_resource(cx.config, &name);
    Ok(Created::new(name).with("Arn", arn))
}

fn delete(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    if !cx.tx.has::<LogGroup>(&created.physical_id) {
        return Ok(());
    }
    cx.call_untyped("logs", "DeleteLogGroup", json!({ "logGroupName": created.physical_id })).map(|_| ())
}
