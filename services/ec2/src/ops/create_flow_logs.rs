//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateFlowLogs.html>

use crate::{
    Error,
    choices::{FlowLogsResourceType, ResourceType},
    flow_logs::{self, bucket::Place, format},
    rules,
    shapes::{self, flow_log::Options},
};
use escale_base::Wire;
use escale_service::{Also, Cx, Operation};
use escale_tables::ec2::{
    FlowLog, FlowLogDestination, FlowLogFileFormat, FlowLogFormat, FlowLogGroup, FlowLogId, FlowLogRole,
    Interface, LogDestinationType, Subnet, TrafficType, Vpc,
};

pub(crate) struct CreateFlowLogs;

#[derive(Wire)]
pub(crate) struct Input {
    resource_ids: Vec<String>,
    resource_type: FlowLogsResourceType,
    traffic_type: Option<TrafficType>,
    log_destination_type: Option<LogDestinationType>,
    log_destination: Option<FlowLogDestination>,
    log_group_name: Option<FlowLogGroup>,
    deliver_logs_permission_arn: Option<FlowLogRole>,
    log_format: Option<FlowLogFormat>,
    max_aggregation_interval: Option<u32>,
    destination_options: Option<Options>,
    client_token: Option<String>,
    tag_specifications: Vec<shapes::TagSpecification>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) flow_log_ids: Vec<FlowLogId>,
    client_token: Option<String>,
}

impl Operation for CreateFlowLogs {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    /// Source: <https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-permissions.html>
    fn also(input: &Input, _cx: &Cx<'_>) -> Vec<Also> {
        match input.log_destination_type {
            Some(LogDestinationType::S3) => vec![Also::new("logs:CreateLogDelivery", [])],
            _ => Vec::new(),
        }
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let destination_type = input.log_destination_type.unwrap_or(LogDestinationType::CloudWatchLogs);
        check_destination(cx, destination_type, &input)?;
        let interval_s = input.max_aggregation_interval.unwrap_or(600);
        if ![60, 600].contains(&interval_s) {
            let why = "The interval is 60 or 600 seconds.";
            return Err(Error::invalid("maxAggregationInterval", interval_s, why));
        }
        let traffic = input.traffic_type.ok_or(Error::Missing("trafficType"))?;
        let tags = shapes::tags_for(&input.tag_specifications, ResourceType::VpcFlowLog)?;
        let mut flow_log_ids = Vec::new();
        for resource in input.resource_ids {
            exists(cx, input.resource_type, &resource)?;
            let row = FlowLog {
                id: FlowLogId::random(),
                resource: resource.into(),
                traffic,
                destination_type,
                destination: input.log_destination.clone(),
                log_group: input.log_group_name.clone(),
                role_arn: input.deliver_logs_permission_arn.clone(),
                format: input.log_format.clone(),
                interval_s,
                options: input.destination_options.as_ref().map(Options::row),
                tags: tags.clone(),
                created: cx.now,
            };
            if cx.tx.scan::<FlowLog>().any(|other| flow_logs::is_duplicate(&other, &row)) {
                return Err(Error::FlowLogExists);
            }
            flow_log_ids.push(row.id.clone());
            cx.tx.put(row);
        }
        Ok(Output { flow_log_ids, client_token: input.client_token })
    }
}

fn check_destination(cx: &mut Cx<'_>, kind: LogDestinationType, input: &Input) -> Result<(), Error> {
    match kind {
        LogDestinationType::CloudWatchLogs => {
            let role = input.deliver_logs_permission_arn.as_ref();
            let role = role.ok_or(Error::Missing("deliverLogsPermissionArn"))?;
            cx.pass_role(role.as_str(), flow_logs::PRINCIPAL).map_err(Error::Aws)?;
            if let Some(text) = &input.log_format {
                format::check(text.as_str())?;
            }
            if input.destination_options.is_some() {
                let why = "destinationOptions apply to the destination type s3 only.";
                return Err(Error::Combination(why.into()));
            }
            if let Some(arn) = &input.log_destination {
                let why = "It is not the ARN of a log group of this account and region.";
                flow_logs::group_of(cx.config, arn)
                    .ok_or_else(|| Error::invalid("logDestination", arn, why))?;
            }
            if input.log_group_name.is_some() == input.log_destination.is_some() {
                let why = "Specify either logGroupName or logDestination.";
                return Err(Error::Combination(why.into()));
            }
            Ok(())
        }
        LogDestinationType::S3 => {
            let destination = input.log_destination.as_ref().ok_or(Error::Missing("logDestination"))?;
            if input.deliver_logs_permission_arn.is_some() || input.log_group_name.is_some() {
                let why = "deliverLogsPermissionArn and logGroupName apply to the destination type cloud-watch-logs only.";
                return Err(Error::Combination(why.into()));
            }
            if let Some(text) = &input.log_format {
                format::check(text.as_str())?;
            }
            let options = input.destination_options.clone().unwrap_or_default().row();
            if options.file_format == FlowLogFileFormat::Parquet {
                let what = format_args!("The file format {} of a flow log", options.file_format);
                return Err(rules::refuse_with_hint(what, "Use plain-text."));
            }
            flow_logs::bucket::check(cx, &Place::of(destination)?, &options)
        }
        LogDestinationType::KinesisDataFirehose => {
            Err(rules::refuse_with_hint(format_args!("A flow log to {kind}"), "Use cloud-watch-logs or s3."))
        }
    }
}

fn exists(cx: &Cx<'_>, kind: FlowLogsResourceType, id: &str) -> Result<(), Error> {
    match kind {
        FlowLogsResourceType::Vpc => rules::find::<Vpc>(cx, id).map(drop),
        FlowLogsResourceType::Subnet => rules::find::<Subnet>(cx, id).map(drop),
        FlowLogsResourceType::NetworkInterface => rules::find::<Interface>(cx, id).map(drop),
        other => Err(rules::refuse_with_hint(
            format_args!("A flow log of the resource type {other}"),
            "Use VPC, Subnet or NetworkInterface.",
        )),
    }
}
