//! Operations: the requests whose completion clients poll.

use super::{DiscoveryServiceId, InstanceId, NamespaceId};
use crate::{route53::ChangeId, row};
use escale_base::{Timestamp, ids};
use serde::{Deserialize, Serialize};

escale_base::name! {
    /// 32 letters and digits, a hyphen, and eight more.
    OperationId;
}

escale_base::choice! {
    pub enum OperationType {
        CreateNamespace = "CREATE_NAMESPACE", DeleteNamespace = "DELETE_NAMESPACE",
        UpdateNamespace = "UPDATE_NAMESPACE", UpdateService = "UPDATE_SERVICE",
        RegisterInstance = "REGISTER_INSTANCE", DeregisterInstance = "DEREGISTER_INSTANCE",
    }
}

/// An accepted request. It is complete once DNS answers with its change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    pub id: OperationId,
    pub kind: OperationType,
    pub target: OperationTarget,
    /// The last change of the hosted zone; `None` if the request changed no record.
    pub change: Option<ChangeId>,
    pub created: Timestamp,
}
row!(Operation, "servicediscovery_operation", |r| r.id.to_string());

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum OperationTarget {
    Namespace(NamespaceId),
    Service { namespace: NamespaceId, service: DiscoveryServiceId },
    Instance { namespace: NamespaceId, service: DiscoveryServiceId, instance: InstanceId },
}

impl Operation {
    pub fn random_id() -> OperationId {
        OperationId(format!("{}-{}", ids::random_hex(32), ids::random_hex(8)))
    }
}

impl OperationTarget {
    pub fn namespace(&self) -> &NamespaceId {
        match self {
            OperationTarget::Namespace(namespace)
            | OperationTarget::Service { namespace, .. }
            | OperationTarget::Instance { namespace, .. } => namespace,
        }
    }

    pub fn service(&self) -> Option<&DiscoveryServiceId> {
        match self {
            OperationTarget::Namespace(_) => None,
            OperationTarget::Service { service, .. } | OperationTarget::Instance { service, .. } => {
                Some(service)
            }
        }
    }
}
