//! <https://docs.aws.amazon.com/cloud-map/latest/api/API_UpdatePrivateDnsNamespace.html>

use crate::{
    Error,
    ops::create_private_dns_namespace::set_soa_ttl,
    records::{refused, zone_arn},
    rules,
    shapes::{Accepted, PropertiesInput},
};
use escale_base::Wire;
use escale_requests::route53::UpdateHostedZoneComment;
use escale_service::{Also, Cx, Operation};
use escale_tables::servicediscovery::{Namespace, OperationTarget, OperationType};

pub(crate) struct UpdatePrivateDnsNamespace;

#[derive(Wire)]
pub(crate) struct Input {
    id: String,
    updater_request_id: Option<String>,
    namespace: Change,
}

#[derive(Wire)]
pub(crate) struct Change {
    description: Option<String>,
    properties: Option<PropertiesInput>,
}

impl Operation for UpdatePrivateDnsNamespace {
    type Input = Input;
    type Output = Accepted;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::namespace_arn(cx, &input.id)]
    }

    fn also(input: &Input, cx: &Cx<'_>) -> Vec<Also> {
        let zone =
            rules::namespace(cx.tx, &input.id).ok().and_then(|row| Some(row.dns.as_ref()?.zone.clone()));
        let change = |zone| Also::new("route53:ChangeResourceRecordSets", [zone_arn(&zone)]);
        zone.map(change).into_iter().collect()
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Accepted, Error> {
        let mut row = Namespace::clone(&*rules::namespace(cx.tx, &input.id)?);
        let Some(dns) = &row.dns else { return Err(Error::NoNamespace(input.id)) };
        let mut change = None;
        if let Some(properties) = input.namespace.properties {
            change = set_soa_ttl(cx, &dns.zone, properties.dns_properties.soa.ttl)?;
        }
        if let Some(description) = input.namespace.description {
            row.description = Some(description).filter(|text| !text.is_empty());
            let request = UpdateHostedZoneComment { id: dns.zone.clone(), comment: row.description.clone() };
            cx.call_as(rules::PRINCIPAL, request).map_err(refused)?;
        }
        let target = OperationTarget::Namespace(row.id.clone());
        cx.tx.put(row);
        let operation = rules::record(cx, OperationType::UpdateNamespace, target, change);
        Ok(Accepted { operation_id: operation.id })
    }
}
