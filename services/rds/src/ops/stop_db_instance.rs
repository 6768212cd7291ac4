//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_StopDBInstance.html>

use crate::{
    Error, provision, replicas, rules,
    shapes::{self, InstanceAnswer},
    status::{self, Status},
};
use escale_base::Wire;
use escale_service::{Also, Cx, Operation};
use escale_tables::rds::{Instance, SnapshotKind};

pub(crate) struct StopDBInstance;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("DBInstanceIdentifier")]
    id: String,
    #[wire("DBSnapshotIdentifier")]
    snapshot: Option<String>,
}

impl Operation for StopDBInstance {
    type Input = Input;
    type Output = InstanceAnswer;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        rules::instance_arn(cx, &input.id)
    }

    fn also(input: &Input, cx: &Cx<'_>) -> Vec<Also> {
        let arn = |id: &String| Also::new("rds:CreateDBSnapshot", [rules::arn(cx, "snapshot", id)]);
        input.snapshot.iter().map(arn).collect()
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<InstanceAnswer, Error> {
        let mut row = Instance::clone(&*rules::instance(cx.tx, &input.id)?);
        let status = status::instance(cx.tx, &row);
        if status != Status::Available {
            let what = format!("Instance {} is {status}. Only an available instance can be stopped.", row.id);
            return Err(Error::InstanceState(what));
        }
        if row.replica_of.is_some() || !replicas::of(cx.tx, &row).is_empty() {
            let what = format!(
                "Instance {} cannot be stopped, because it is a read replica or has read replicas. Promote or delete them first.",
                row.id
            );
            return Err(Error::InstanceState(what));
        }
        if let Some(snapshot) = &input.snapshot {
            let id = rules::identifier("DBSnapshotIdentifier", snapshot, 255)?;
            provision::snapshot(cx, &row, id, SnapshotKind::Manual, vec![])?;
        }
        (row.running, row.stopped) = (false, Some(cx.now));
        row.revision += 1;
        cx.tx.put(row.clone());
        Ok(InstanceAnswer { db_instance: shapes::instance(cx, &row) })
    }
}
