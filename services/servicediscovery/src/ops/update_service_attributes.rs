//! <https://docs.aws.amazon.com/cloud-map/latest/api/API_UpdateServiceAttributes.html>

use crate::{Error, rules};
use escale_base::{Wire, limits::discovery as limits};
use escale_service::{Cx, Operation};
use escale_tables::servicediscovery::DiscoveryService;
use std::collections::BTreeMap;

pub(crate) struct UpdateServiceAttributes;

#[derive(Wire)]
pub(crate) struct Input {
    service_id: String,
    attributes: BTreeMap<String, String>,
}

impl Operation for UpdateServiceAttributes {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::service_arn(cx, &input.service_id)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let mut row = DiscoveryService::clone(&*rules::service(cx.tx, &input.service_id)?);
        row.attributes.extend(input.attributes);
        if row.attributes.len() > limits::ATTRIBUTES_PER_SERVICE {
            return Err(Error::TooManyAttributes(limits::ATTRIBUTES_PER_SERVICE));
        }
        cx.tx.put(row);
        Ok(())
    }
}
