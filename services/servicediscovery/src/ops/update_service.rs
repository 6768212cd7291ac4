//! <https://docs.aws.amazon.com/cloud-map/latest/api/API_UpdateService.html>

use crate::{
    Error, records, rules,
    shapes::{self, Accepted, HealthCheckConfig},
};
use escale_base::Wire;
use escale_service::{Also, Cx, Operation};
use escale_tables::servicediscovery::{DiscoveryService, DnsRecord, OperationTarget, OperationType};

pub(crate) struct UpdateService;

#[derive(Wire)]
pub(crate) struct Input {
    id: String,
    service: Change,
}

#[derive(Wire)]
pub(crate) struct Change {
    description: Option<String>,
    dns_config: Option<DnsChange>,
    health_check_config: Option<HealthCheckConfig>,
}

#[derive(Wire)]
pub(crate) struct DnsChange {
    dns_records: Vec<DnsRecord>,
}

impl Operation for UpdateService {
    type Input = Input;
    type Output = Accepted;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::service_arn(cx, &input.id)]
    }

    fn also(input: &Input, cx: &Cx<'_>) -> Vec<Also> {
        records::permission(cx, &input.id)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Accepted, Error> {
        shapes::refuse_checks(input.service.health_check_config.as_ref())?;
        let mut row = DiscoveryService::clone(&*rules::service(cx.tx, &input.id)?);
        if let Some(description) = input.service.description {
            row.description = Some(description).filter(|text| !text.is_empty());
        }
        match (&row.dns, input.service.dns_config) {
            (Some(dns), Some(change)) => {
                row.dns = Some(shapes::dns_config(Some(dns.routing), change.dns_records)?);
            }
            (None, Some(_)) => {
                return Err(Error::Invalid(format!("The service {} has no DnsConfig to change.", row.id)));
            }
            // Records that a DnsConfig leaves out are deleted; without a DnsConfig they stay.
            (_, None) => {}
        }
        cx.tx.put(row.clone());
        let change = records::apply(cx, &row)?;
        let target = OperationTarget::Service { namespace: row.namespace.clone(), service: row.id.clone() };
        let operation = rules::record(cx, OperationType::UpdateService, target, change);
        Ok(Accepted { operation_id: operation.id })
    }
}
