//! <https://docs.aws.amazon.com/cloud-map/latest/api/API_UpdateHttpNamespace.html>

use crate::{Error, rules, shapes::Accepted};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::servicediscovery::{Namespace, OperationTarget, OperationType};

pub(crate) struct UpdateHttpNamespace;

#[derive(Wire)]
pub(crate) struct Input {
    id: String,
    updater_request_id: Option<String>,
    namespace: Change,
}

#[derive(Wire)]
pub(crate) struct Change {
    description: String,
}

impl Operation for UpdateHttpNamespace {
    type Input = Input;
    type Output = Accepted;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::namespace_arn(cx, &input.id)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Accepted, Error> {
        let mut row = Namespace::clone(&*rules::namespace(cx.tx, &input.id)?);
        if row.dns.is_some() {
            return Err(Error::NoNamespace(input.id));
        }
        row.description = Some(input.namespace.description).filter(|text| !text.is_empty());
        let target = OperationTarget::Namespace(row.id.clone());
        cx.tx.put(row);
        let operation = rules::record(cx, OperationType::UpdateNamespace, target, None);
        Ok(Accepted { operation_id: operation.id })
    }
}
