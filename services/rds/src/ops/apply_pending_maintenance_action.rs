//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ApplyPendingMaintenanceAction.html>

use crate::{
    Error,
    maintenance::{self, ResourceActions},
    rules,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::rds::{Instance, OptIn};

pub(crate) struct ApplyPendingMaintenanceAction;

#[derive(Wire)]
pub(crate) struct Input {
    resource_identifier: String,
    apply_action: String,
    opt_in_type: String,
}

#[derive(Wire)]
pub(crate) struct Output {
    resource_pending_maintenance_actions: ResourceActions,
}

impl Operation for ApplyPendingMaintenanceAction {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        // A name instead of an ARN must not escape policies that name the instance.
        let name = input.resource_identifier.rsplit(':').next().unwrap_or_default();
        vec![rules::arn(cx, "db", name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let missing = || Error::NoMaintenance(input.resource_identifier.clone());
        let instance = rules::instance(cx.tx, &input.resource_identifier).map_err(|_| missing())?;
        if input.apply_action != maintenance::ACTION || maintenance::pending(cx, cx.tx, &instance).is_none() {
            return Err(missing());
        }
        let opt_in: OptIn = input.opt_in_type.parse().map_err(|_| {
            Error::Value(format!(
                "Invalid OptInType {}. Valid values are immediate, next-maintenance and undo-opt-in",
                input.opt_in_type
            ))
        })?;
        if opt_in == OptIn::Undo && instance.upgrade == Some(OptIn::Immediate) {
            return Err(Error::Combination("An opt-in of type immediate can't be undone.".into()));
        }
        let row = Instance { upgrade: Some(opt_in).filter(|o| *o != OptIn::Undo), ..(*instance).clone() };
        cx.tx.put(row.clone());
        let shown = maintenance::pending(cx, cx.tx, &row).ok_or_else(missing)?;
        Ok(Output { resource_pending_maintenance_actions: shown })
    }
}
