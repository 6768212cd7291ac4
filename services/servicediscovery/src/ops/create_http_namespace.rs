//! <https://docs.aws.amazon.com/cloud-map/latest/api/API_CreateHttpNamespace.html>

use crate::{Error, rules, shapes::Accepted};
use escale_base::{Tag, Wire};
use escale_service::{Cx, Operation};
use escale_tables::servicediscovery::{
    CreatorRequestId, Namespace, NamespaceName, OperationTarget, OperationType,
};

pub(crate) struct CreateHttpNamespace;

#[derive(Wire)]
pub(crate) struct Input {
    name: NamespaceName,
    creator_request_id: Option<CreatorRequestId>,
    description: Option<String>,
    tags: Vec<Tag>,
}

impl Operation for CreateHttpNamespace {
    type Input = Input;
    type Output = Accepted;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Accepted, Error> {
        if let Some(same) = cx.tx.scan::<Namespace>().find(|n| n.name == input.name) {
            return Err(Error::NamespaceExists(input.name, same.id.clone()));
        }
        let row = Namespace {
            id: Namespace::random_id(),
            name: input.name,
            dns: None,
            description: input.description,
            creator_request_id: input.creator_request_id,
            tags: input.tags,
            created: cx.now,
        };
        let target = OperationTarget::Namespace(row.id.clone());
        cx.tx.put(row);
        let operation = rules::record(cx, OperationType::CreateNamespace, target, None);
        Ok(Accepted { operation_id: operation.id })
    }
}
