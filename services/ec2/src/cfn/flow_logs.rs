//! FlowLog.

use super::{describe, only_tags, shown, tags};
use crate::{
    choices,
    ops::{
        create_flow_logs::CreateFlowLogs, delete_flow_logs::DeleteFlowLogs,
        describe_flow_logs::DescribeFlowLogs,
    },
};
use escale_base::{AwsError, already_gone};
use escale_service::{Created, InputDraft, ResourceType};

pub(super) const TYPES: &[ResourceType] = &[ResourceType::new(
    "AWS::EC2::FlowLog",
    &[
        "DeliverLogsPermissionArn",
        "DestinationOptions",
        "LogDestination",
        "LogDestinationType",
        "LogFormat",
        "LogGroupName",
        "MaxAggregationInterval",
        "ResourceId",
        "ResourceType",
        "Tags",
        "TrafficType",
    ],
    |cx, props| {
        let resources = vec![props.text("ResourceId")?.to_owned()];
        let input = props.input_without::<CreateFlowLogs>(&["ResourceId", "Tags"]);
        let tags = tags(props, choices::ResourceType::VpcFlowLog)?;
        let answer = input.with("ResourceIds", &resources).with("TagSpecifications", &tags).call(cx)?;
        let id = answer.flow_log_ids.into_iter().next().ok_or_else(AwsError::internal)?;
        Ok(Created::new(id.as_str()).with("Id", id.as_str()))
    },
    |cx, c| {
        let ids = vec![c.physical_id.clone()];
        already_gone(InputDraft::<DeleteFlowLogs>::new().with("FlowLogIds", &ids).call(cx))
    },
)
.update(only_tags)
.read(|cx, c| {
    let answer = describe::<DescribeFlowLogs>(cx, "FlowLogIds", &c.physical_id)?;
    let log = answer.and_then(|a| a.flow_logs.into_iter().next());
    Ok(log.map(|log| {
        let mut properties = shown("AWS::EC2::FlowLog", &log, &log.tags);
        // DescribeFlowLogs does not return the type; the prefix of the id shows it.
        let kind = log.resource_id.split('-').next().unwrap_or_default();
        let kind = match kind {
            "vpc" => choices::FlowLogsResourceType::Vpc,
            "subnet" => choices::FlowLogsResourceType::Subnet,
            _ => choices::FlowLogsResourceType::NetworkInterface,
        };
        properties.insert("ResourceType".into(), kind.as_str().into());
        properties
    }))
})];
