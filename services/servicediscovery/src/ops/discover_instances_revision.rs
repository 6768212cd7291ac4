//! <https://docs.aws.amazon.com/cloud-map/latest/api/API_DiscoverInstancesRevision.html>

use crate::{
    Error,
    ops::discover_instances::{check_owner, named},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::servicediscovery::{DiscoveryServiceName, NamespaceName};

pub(crate) struct DiscoverInstancesRevision;

#[derive(Wire)]
pub(crate) struct Input {
    namespace_name: NamespaceName,
    service_name: DiscoveryServiceName,
    owner_account: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    instances_revision: i64,
}

impl Operation for DiscoverInstancesRevision {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        check_owner(cx, input.owner_account.as_deref())?;
        let service = named(cx.tx, &input.namespace_name, &input.service_name)?;
        Ok(Output { instances_revision: service.revision })
    }
}
