//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteService.html>

use crate::{Error, rules, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ecs::Service;

pub(crate) struct DeleteService;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    cluster: Option<String>,
    service: String,
    force: Option<bool>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    service: shapes::ServiceShape,
}

impl Operation for DeleteService {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        let cluster = rules::cluster_name(input.cluster.as_deref());
        vec![rules::arn(cx.config, format!("service/{cluster}/{}", rules::last_part(&input.service)))]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let cluster = rules::cluster(cx.tx, input.cluster.as_deref())?;
        let mut row: Service = (*rules::service(cx.tx, &cluster.name, &input.service)?).clone();
        if row.deleted.is_some() {
            return Err(Error::ServiceNotActive);
        }
        if row.desired > 0 && input.force != Some(true) {
            return Err(Error::Invalid("The service cannot be stopped while it is scaled above 0.".into()));
        }
        // The row stays: the scheduler stops the tasks of a service with a desired count of 0, and DescribeServices returns it
        // as DRAINING, then as INACTIVE.
        row.deleted = Some(cx.now);
        row.desired = 0;
        cx.tx.put(row.clone());
        Ok(Output { service: shapes::service(cx.tx, cx.config, &row, true) })
    }
}
