//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_PromoteReadReplica.html>

use crate::{
    Error, replicas, rules,
    shapes::{self, InstanceAnswer},
    status::{self, Status},
    windows,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::rds::Instance;

pub(crate) struct PromoteReadReplica;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("DBInstanceIdentifier")]
    id: String,
    backup_retention_period: Option<i32>,
    preferred_backup_window: Option<String>,
}

impl Operation for PromoteReadReplica {
    type Input = Input;
    type Output = InstanceAnswer;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        rules::instance_arn(cx, &input.id)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<InstanceAnswer, Error> {
        let mut row = Instance::clone(&*rules::instance(cx.tx, &input.id)?);
        if !replicas::is_replica(&row) {
            return Err(Error::InstanceState(format!("Instance {} is not a read replica.", row.id)));
        }
        let status = status::instance(cx.tx, &row);
        if !matches!(status, Status::Available | Status::Modifying | Status::Rebooting) {
            let what = format!("Instance {} is {status}. Only an available replica can be promoted.", row.id);
            return Err(Error::InstanceState(what));
        }
        // One day is AWS's default.
        row.backup_retention_days = rules::backup_retention(input.backup_retention_period.unwrap_or(1))?;
        if let Some(window) = &input.preferred_backup_window {
            let kept = &mut row.recorded;
            (kept.backup_window, kept.maintenance_window) =
                windows::both(Some(window), Some(&kept.maintenance_window))?;
        }
        replicas::promote(cx, &mut row);
        cx.tx.put(row.clone());
        Ok(InstanceAnswer { db_instance: shapes::instance(cx, &row) })
    }
}
