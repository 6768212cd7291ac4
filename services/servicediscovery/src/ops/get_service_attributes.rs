//! <https://docs.aws.amazon.com/cloud-map/latest/api/API_GetServiceAttributes.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use std::collections::BTreeMap;

pub(crate) struct GetServiceAttributes;

#[derive(Wire)]
pub(crate) struct Input {
    service_id: String,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) service_attributes: ServiceAttributes,
}

#[derive(Wire)]
pub(crate) struct ServiceAttributes {
    service_arn: String,
    resource_owner: String,
    pub(crate) attributes: BTreeMap<String, String>,
}

impl Operation for GetServiceAttributes {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::service_arn(cx, &input.service_id)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = rules::service(cx.tx, &input.service_id)?;
        Ok(Output {
            service_attributes: ServiceAttributes {
                service_arn: rules::service_arn(cx, &row.id),
                resource_owner: cx.config.account.clone(),
                attributes: row.attributes.clone(),
            },
        })
    }
}
