//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBSnapshot.html>

use crate::{
    Error, rules,
    shapes::{self, SnapshotAnswer},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::rds::{Snapshot, SnapshotKind, SnapshotSeen};

pub(crate) struct DeleteDBSnapshot;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("DBSnapshotIdentifier")]
    id: String,
}

impl Operation for DeleteDBSnapshot {
    type Input = Input;
    type Output = SnapshotAnswer;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx, "snapshot", &input.id)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<SnapshotAnswer, Error> {
        let mut row = Snapshot::clone(&*rules::snapshot(cx.tx, &input.id)?);
        if row.kind == SnapshotKind::Automated {
            let what = format!(
                "{} is an automated snapshot. It is deleted at the end of its retention period.",
                row.id
            );
            return Err(Error::SnapshotState(what));
        }
        if !cx.tx.has::<SnapshotSeen>(&row.id) {
            let what =
                format!("Cannot delete the snapshot {} because it is currently being created.", row.id);
            return Err(Error::SnapshotState(what));
        }
        row.deleted = true;
        cx.tx.put(row.clone());
        let mut shape = shapes::snapshot(cx, &row);
        shape.status = "deleted"; // AWS returns this status only here
        Ok(SnapshotAnswer { db_snapshot: shape })
    }
}
