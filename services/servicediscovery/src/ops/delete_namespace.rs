//! <https://docs.aws.amazon.com/cloud-map/latest/api/API_DeleteNamespace.html>

use crate::{
    Error,
    records::{refused, zone_arn},
    rules,
    shapes::Accepted,
};
use escale_base::Wire;
use escale_requests::route53::{DeleteHostedZone, change_id};
use escale_service::{Also, Cx, Operation};
use escale_tables::servicediscovery::{Namespace, OperationTarget, OperationType};

pub(crate) struct DeleteNamespace;

#[derive(Wire)]
pub(crate) struct Input {
    id: String,
}

impl Operation for DeleteNamespace {
    type Input = Input;
    type Output = Accepted;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::namespace_arn(cx, &input.id)]
    }

    fn also(input: &Input, cx: &Cx<'_>) -> Vec<Also> {
        let zone =
            rules::namespace(cx.tx, &input.id).ok().and_then(|row| Some(row.dns.as_ref()?.zone.clone()));
        zone.map(|zone| Also::new("route53:DeleteHostedZone", [zone_arn(&zone)])).into_iter().collect()
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Accepted, Error> {
        let row = rules::namespace(cx.tx, &input.id)?;
        if rules::services_of(cx.tx, &row).next().is_some() {
            return Err(Error::NamespaceInUse(row.id.clone()));
        }
        let mut change = None;
        if let Some(dns) = &row.dns {
            let request = DeleteHostedZone { id: dns.zone.clone() };
            let deleted = cx.call_as(rules::PRINCIPAL, request).map_err(refused)?;
            change = Some(change_id(&deleted.change_info.id));
        }
        cx.tx.delete::<Namespace>(&row.id);
        let target = OperationTarget::Namespace(row.id.clone());
        let operation = rules::record(cx, OperationType::DeleteNamespace, target, change);
        Ok(Accepted { operation_id: operation.id })
    }
}
