//! CloudFormation: `AWS::Logs::LogGroup`.

use crate::{
    ops::{
        create_log_group::CreateLogGroup, delete_log_group::DeleteLogGroup,
        put_retention_policy::PutRetentionPolicy,
    },
    rules,
};
use escale_base::AwsError;
use escale_service::{Created, Cx, Props, Readiness, ResourceType, Resources};
use escale_tables::logs::{LogGroup, LogGroupName};

pub(crate) fn types() -> Resources {
    let group = ResourceType::new(
        "AWS::Logs::LogGroup",
        &["LogGroupName", "RetentionInDays", "LogGroupClass", "Tags"],
        create,
        delete,
    );
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
    let arn = rules::group_resource(cx.config, &name);
    Ok(Created::new(name).with("Arn", arn))
}

fn delete(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    if !cx.tx.has::<LogGroup>(&created.physical_id) {
        return Ok(());
    }
    created.delete_by::<DeleteLogGroup>(cx, "logGroupName")
}
