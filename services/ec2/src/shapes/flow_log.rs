//! Flow logs.

use crate::{
    choices::{FlowLogDelivery, FlowLogStatus},
    flow_logs::format::DEFAULT,
    status,
};
use escale_base::{Tag, Timestamp, Wire};
use escale_store::Image;
use escale_tables::ec2::{
    FlowLog, FlowLogDestination, FlowLogFileFormat, FlowLogFormat, FlowLogGroup, FlowLogId, FlowLogOptions,
    FlowLogRole, LogDestinationType, TrafficType,
};

#[derive(Debug, Wire)]
pub(crate) struct FlowLogShape {
    pub flow_log_id: FlowLogId,
    pub flow_log_status: FlowLogStatus,
    /// Missing until the first delivery.
    pub deliver_logs_status: Option<FlowLogDelivery>,
    pub deliver_logs_error_message: Option<String>,
    pub resource_id: String,
    pub traffic_type: TrafficType,
    pub log_destination_type: LogDestinationType,
    pub log_destination: Option<FlowLogDestination>,
    pub log_group_name: Option<FlowLogGroup>,
    pub deliver_logs_permission_arn: Option<FlowLogRole>,
    pub log_format: FlowLogFormat,
    pub max_aggregation_interval: u32,
    pub destination_options: Option<Options>,
    pub creation_time: Timestamp,
    pub tags: Vec<Tag>,
}

#[derive(Clone, Debug, Default, Wire)]
pub(crate) struct Options {
    pub file_format: Option<FlowLogFileFormat>,
    pub hive_compatible_partitions: Option<bool>,
    pub per_hour_partition: Option<bool>,
}

impl Options {
    pub(crate) fn row(&self) -> FlowLogOptions {
        FlowLogOptions {
            file_format: self.file_format.unwrap_or(FlowLogFileFormat::PlainText),
            hive_compatible_partitions: self.hive_compatible_partitions.unwrap_or(false),
            per_hour_partition: self.per_hour_partition.unwrap_or(false),
        }
    }
}

pub(crate) fn flow_log(image: &Image, row: &FlowLog) -> FlowLogShape {
    let (status, error) = status::flow_log(image, row);
    FlowLogShape {
        flow_log_id: row.id.clone(),
        flow_log_status: FlowLogStatus::Active,
        deliver_logs_status: status,
        deliver_logs_error_message: error,
        resource_id: row.resource.to_string(),
        traffic_type: row.traffic,
        log_destination_type: row.destination_type,
        log_destination: row.destination.clone(),
        log_group_name: row.log_group.clone(),
        deliver_logs_permission_arn: row.role_arn.clone(),
        log_format: row.format.clone().unwrap_or_else(|| DEFAULT.into()),
        max_aggregation_interval: row.interval_s,
        destination_options: row.options.as_ref().map(|options| Options {
            file_format: Some(options.file_format),
            hive_compatible_partitions: Some(options.hive_compatible_partitions),
            per_hour_partition: Some(options.per_hour_partition),
        }),
        creation_time: row.created,
        tags: row.tags.clone(),
    }
}
