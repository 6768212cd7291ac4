//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteFlowLogs.html>

use crate::{Error, error::Kind, shapes::unsuccessful};
use escale_base::Wire;
use escale_service::{Also, Cx, Operation};
use escale_tables::ec2::{FlowLog, FlowLogId, LogDestinationType};

pub(crate) struct DeleteFlowLogs;

#[derive(Wire)]
pub(crate) struct Input {
    flow_log_ids: Vec<FlowLogId>,
}

#[derive(Wire)]
pub(crate) struct Output {
    unsuccessful: Vec<unsuccessful::Item>,
}

impl Operation for DeleteFlowLogs {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    /// Source: <https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-permissions.html>
    fn also(input: &Input, cx: &Cx<'_>) -> Vec<Also> {
        let is_file = |id: &FlowLogId| {
            let log = cx.tx.get::<FlowLog>(id.as_str());
            log.is_some_and(|log| log.destination_type == LogDestinationType::S3)
        };
        let any = input.flow_log_ids.iter().any(is_file);
        any.then(|| Also::new("logs:DeleteLogDelivery", [])).into_iter().collect()
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut unsuccessful = Vec::new();
        for id in input.flow_log_ids {
            // AWS reports an unknown flow log in the response and deletes the others.
            if !cx.tx.delete::<FlowLog>(id.as_str()) {
                unsuccessful.push(unsuccessful::item(Error::NotFound(Kind::FlowLog, id.to_string()), &id));
            }
        }
        Ok(Output { unsuccessful })
    }
}
