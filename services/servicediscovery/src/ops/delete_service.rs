//! <https://docs.aws.amazon.com/cloud-map/latest/api/API_DeleteService.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::servicediscovery::DiscoveryService;

pub(crate) struct DeleteService;

#[derive(Wire)]
pub(crate) struct Input {
    id: String,
}

impl Operation for DeleteService {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::service_arn(cx, &input.id)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let row = rules::service(cx.tx, &input.id)?;
        if !rules::instances(cx.tx, &row.id).is_empty() {
            return Err(Error::ServiceInUse(row.id.clone()));
        }
        cx.tx.delete::<DiscoveryService>(&row.id);
        Ok(())
    }
}
