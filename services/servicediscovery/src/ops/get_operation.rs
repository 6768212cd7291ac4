//! <https://docs.aws.amazon.com/cloud-map/latest/api/API_GetOperation.html>

use crate::{Error, ops::discover_instances::check_owner, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::servicediscovery::{self as tables, OperationId};

pub(crate) struct GetOperation;

#[derive(Wire)]
pub(crate) struct Input {
    operation_id: OperationId,
    owner_account: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    operation: shapes::OperationShape,
}

impl Operation for GetOperation {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        check_owner(cx, input.owner_account.as_deref())?;
        let row = cx.tx.get::<tables::Operation>(&input.operation_id);
        let row = row.ok_or(Error::NoOperation(input.operation_id))?;
        Ok(Output { operation: shapes::operation(cx, &row) })
    }
}
