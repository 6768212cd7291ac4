//! <https://docs.aws.amazon.com/cloud-map/latest/api/API_GetInstance.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::servicediscovery::{CreatorRequestId, InstanceId};
use std::collections::BTreeMap;

pub(crate) struct GetInstance;

#[derive(Wire)]
pub(crate) struct Input {
    service_id: String,
    instance_id: InstanceId,
}

#[derive(Wire)]
pub(crate) struct Output {
    resource_owner: String,
    pub(crate) instance: InstanceShape,
}

#[derive(Wire)]
pub(crate) struct InstanceShape {
    id: InstanceId,
    creator_request_id: Option<CreatorRequestId>,
    pub(crate) attributes: BTreeMap<String, String>,
    created_by_account: String,
}

impl Operation for GetInstance {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::service_arn(cx, &input.service_id)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let service = rules::service(cx.tx, &input.service_id)?;
        let row = rules::instance(cx.tx, &service.id, &input.instance_id)?;
        let instance = InstanceShape {
            id: row.id.clone(),
            creator_request_id: row.creator_request_id.clone(),
            attributes: row.attributes.clone(),
            created_by_account: cx.config.account.clone(),
        };
        Ok(Output { resource_owner: cx.config.account.clone(), instance })
    }
}
