//! <https://docs.aws.amazon.com/cloud-map/latest/api/API_UpdateInstanceCustomHealthStatus.html>

use crate::{Error, records, rules};
use escale_base::Wire;
use escale_service::{Also, Cx, Operation};
use escale_tables::servicediscovery::{CustomHealthStatus, DiscoveryService, Instance, InstanceId};

pub(crate) struct UpdateInstanceCustomHealthStatus;

#[derive(Wire)]
pub(crate) struct Input {
    service_id: String,
    instance_id: InstanceId,
    status: CustomHealthStatus,
}

impl Operation for UpdateInstanceCustomHealthStatus {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::service_arn(cx, &input.service_id)]
    }

    fn also(input: &Input, cx: &Cx<'_>) -> Vec<Also> {
        records::permission(cx, &input.service_id)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let mut service = DiscoveryService::clone(&*rules::service(cx.tx, &input.service_id)?);
        let mut instance = Instance::clone(&*rules::instance(cx.tx, &service.id, &input.instance_id)?);
        if !service.custom_health {
            return Err(Error::NoCustomHealth(service.id));
        }
        if instance.health == Some(input.status) {
            return Ok(());
        }
        instance.health = Some(input.status);
        cx.tx.put(instance);
        service.revision += 1;
        cx.tx.put(service.clone());
        records::apply(cx, &service)?;
        Ok(())
    }
}
