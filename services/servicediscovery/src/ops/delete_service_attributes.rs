//! <https://docs.aws.amazon.com/cloud-map/latest/api/API_DeleteServiceAttributes.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::servicediscovery::DiscoveryService;

pub(crate) struct DeleteServiceAttributes;

#[derive(Wire)]
pub(crate) struct Input {
    service_id: String,
    attributes: Vec<String>,
}

impl Operation for DeleteServiceAttributes {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::service_arn(cx, &input.service_id)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let mut row = DiscoveryService::clone(&*rules::service(cx.tx, &input.service_id)?);
        row.attributes.retain(|key, _| !input.attributes.contains(key));
        cx.tx.put(row);
        Ok(())
    }
}
