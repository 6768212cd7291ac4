//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeFlowLogs.html>

use crate::{
    Error,
    filters::{self, Filter, maybe, one},
    rules,
    shapes::flow_log::{FlowLogShape, flow_log},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{FlowLog, FlowLogId};

pub(crate) struct DescribeFlowLogs;

#[derive(Wire)]
pub(crate) struct Input {
    flow_log_ids: Vec<FlowLogId>,
    filter: Vec<Filter>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) flow_logs: Vec<FlowLogShape>,
    next_token: Option<String>,
}

impl Operation for DescribeFlowLogs {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut found = Vec::new();
        for row in rules::named::<FlowLog>(cx, &input.flow_log_ids)? {
            let shape = flow_log(cx.tx, &row);
            let value_of = |name: &str| match name {
                "flow-log-id" => one(&row.id),
                "resource-id" => one(&row.resource),
                "traffic-type" => one(row.traffic),
                "log-destination-type" => one(row.destination_type),
                "deliver-log-status" => maybe(shape.deliver_logs_status.as_ref()),
                "log-group-name" => maybe(row.log_group.as_ref()),
                _ => None,
            };
            if filters::passes(&input.filter, &row.tags, value_of)? {
                found.push(shape);
            }
        }
        let key = |f: &FlowLogShape| f.flow_log_id.to_string();
        let (flow_logs, next_token) = filters::page(found, key, input.next_token, input.max_results)?;
        Ok(Output { flow_logs, next_token })
    }
}
