//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RebootDBInstance.html>

use crate::{
    Error, rules,
    shapes::{self, InstanceAnswer},
    status::{self, Status},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::rds::{Instance, InstanceSeen, Reboot, Replication};

pub(crate) struct RebootDBInstance;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("DBInstanceIdentifier")]
    id: String,
    force_failover: Option<bool>,
}

impl Operation for RebootDBInstance {
    type Input = Input;
    type Output = InstanceAnswer;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        rules::instance_arn(cx, &input.id)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<InstanceAnswer, Error> {
        let mut row = Instance::clone(&*rules::instance(cx.tx, &input.id)?);
        let status = status::instance(cx.tx, &row);
        let seen = cx.tx.get::<InstanceSeen>(&row.id);
        let forced = input.force_failover == Some(true);
        // A primary that is down is no reason to refuse its replacement.
        let takes_over = forced && seen.as_deref().is_some_and(|s| status::standby(&row, s).is_some());
        let fits = matches!(status, Status::Available | Status::BackingUp | Status::IncompatibleParameters);
        let is_waiting =
            status == Status::Rebooting && seen.as_deref().is_some_and(|s| status::has_rebooted(&row, s));
        if !(fits || takes_over && is_waiting) {
            let what =
                format!("Instance {} is {status}. Only an available instance can be rebooted.", row.id);
            return Err(Error::InstanceState(what));
        }
        let failover_from = match seen.as_deref().filter(|_| forced) {
            None => None,
            Some(_) if !row.multi_az => {
                let what = "Cannot force failover since the instance is not configured for Multi-AZ.";
                return Err(Error::Combination(what.into()));
            }
            Some(seen) if seen.replication != Replication::Protected => {
                let what = format!(
                    "The standby of instance {} does not have every commit yet. Try again later.",
                    row.id
                );
                return Err(Error::InstanceState(what));
            }
            Some(seen) => Some(seen.primary.clone()),
        };
        row.reboot = Some(Reboot { asked: cx.now, failover_from });
        cx.tx.put(row.clone());
        Ok(InstanceAnswer { db_instance: shapes::instance(cx, &row) })
    }
}
