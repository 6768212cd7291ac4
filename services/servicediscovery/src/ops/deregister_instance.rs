//! <https://docs.aws.amazon.com/cloud-map/latest/api/API_DeregisterInstance.html>

use crate::{Error, records, rules, shapes::Accepted};
use escale_base::Wire;
use escale_service::{Also, Cx, Operation};
use escale_store::Row;
use escale_tables::servicediscovery::{
    DiscoveryService, Instance, InstanceId, OperationTarget, OperationType,
};

pub(crate) struct DeregisterInstance;

#[derive(Wire)]
pub(crate) struct Input {
    service_id: String,
    instance_id: InstanceId,
}

impl Operation for DeregisterInstance {
    type Input = Input;
    type Output = Accepted;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::service_arn(cx, &input.service_id)]
    }

    fn also(input: &Input, cx: &Cx<'_>) -> Vec<Also> {
        records::permission(cx, &input.service_id)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Accepted, Error> {
        let mut service = DiscoveryService::clone(&*rules::service(cx.tx, &input.service_id)?);
        let instance = rules::instance(cx.tx, &service.id, &input.instance_id)?;
        cx.tx.delete::<Instance>(&instance.key());
        service.revision += 1;
        cx.tx.put(service.clone());
        let change = records::apply(cx, &service)?;
        let target = OperationTarget::Instance {
            namespace: service.namespace,
            service: service.id,
            instance: input.instance_id,
        };
        let operation = rules::record(cx, OperationType::DeregisterInstance, target, change);
        Ok(Accepted { operation_id: operation.id })
    }
}
