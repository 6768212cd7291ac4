//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBSnapshot.html>

use crate::{
    Error, events, provision, replicas, rules,
    shapes::{self, SnapshotAnswer},
    status::{self, Status},
};
use escale_base::{Tag, Wire};
use escale_service::{Cx, Operation};
use escale_tables::rds::SnapshotKind;

pub(crate) struct CreateDBSnapshot;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("DBSnapshotIdentifier")]
    id: String,
    #[wire("DBInstanceIdentifier")]
    instance: String,
    tags: Vec<Tag>,
}

impl Operation for CreateDBSnapshot {
    type Input = Input;
    type Output = SnapshotAnswer;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx, "db", &input.instance), rules::arn(cx, "snapshot", &input.id)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<SnapshotAnswer, Error> {
        let id = rules::identifier("DBSnapshotIdentifier", &input.id, 255)?;
        let instance = rules::instance(cx.tx, &input.instance)?;
        replicas::refuse_on_replica(&instance, "A snapshot")?;
        let status = status::instance(cx.tx, &instance);
        if matches!(status, Status::Creating | Status::Deleting | Status::Failed) {
            let what = format!(
                "Cannot create a snapshot because the database instance {} is {status}.",
                instance.id
            );
            return Err(Error::InstanceState(what));
        }
        let row = provision::snapshot(cx, &instance, id, SnapshotKind::Manual, input.tags)?;
        events::snapshot(cx.tx, cx.config, cx.now, &row.id, "creation", "Creating manual snapshot");
        Ok(SnapshotAnswer { db_snapshot: shapes::snapshot(cx, &row) })
    }
}
