//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBInstance.html>

use crate::{
    Error, events, provision, replicas, rules,
    shapes::{self, InstanceAnswer},
    status::{self, Status},
};
use escale_base::{AwsError, Wire};
use escale_service::{Also, Cx, Operation};
use escale_tables::rds::{Deletion, Instance, SnapshotKind};

pub(crate) struct DeleteDBInstance;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("DBInstanceIdentifier")]
    id: String,
    skip_final_snapshot: Option<bool>,
    #[wire("FinalDBSnapshotIdentifier")]
    final_snapshot: Option<String>,
    delete_automated_backups: Option<bool>,
}

impl Operation for DeleteDBInstance {
    type Input = Input;
    type Output = InstanceAnswer;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        rules::instance_arn(cx, &input.id)
    }

    fn also(input: &Input, cx: &Cx<'_>) -> Vec<Also> {
        let arn = |id: &String| Also::new("rds:CreateDBSnapshot", [rules::arn(cx, "snapshot", id)]);
        input.final_snapshot.iter().map(arn).collect()
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<InstanceAnswer, Error> {
        let row = rules::instance(cx.tx, &input.id)?;
        let status = status::instance(cx.tx, &row);
        if status == Status::Deleting {
            return Err(Error::InstanceState(format!("Instance {} is already being deleted.", row.id)));
        }
        if row.deletion_protection {
            let what =
                "Cannot delete protected DB Instance, please disable deletion protection and try again.";
            return Err(Error::Combination(what.into()));
        }
        if input.delete_automated_backups == Some(false) {
            let unsupported = AwsError::not_supported("DeleteAutomatedBackups=false");
            return Err(unsupported.hint("Use FinalDBSnapshotIdentifier to keep a snapshot.").into());
        }
        let skip = input.skip_final_snapshot == Some(true);
        if replicas::is_replica(&row) && !skip {
            let what = "A read replica has no final snapshot. Set SkipFinalSnapshot and no FinalDBSnapshotIdentifier.";
            return Err(Error::Combination(what.into()));
        }
        promote_replicas(cx, &row)?;
        let final_snapshot = match input.final_snapshot {
            Some(_) if skip => {
                let what = "FinalDBSnapshotIdentifier can not be specified when deleting a DB instance with \
                            SkipFinalSnapshot set to true";
                return Err(Error::Combination(what.into()));
            }
            None if !skip => {
                let what = "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.";
                return Err(Error::Combination(what.into()));
            }
            Some(_) if matches!(status, Status::Creating | Status::Failed) => {
                let what = format!("Cannot create a final snapshot because instance {} is {status}.", row.id);
                return Err(Error::InstanceState(what));
            }
            Some(id) => {
                let id = rules::identifier("FinalDBSnapshotIdentifier", &id, 255)?;
                // Only the row: the reconciler takes the snapshot, and deletes the database only after that.
                Some(provision::snapshot(cx, &row, id, SnapshotKind::Manual, vec![])?.id)
            }
            None => None,
        };
        let mut row = (*row).clone();
        row.deletion = Some(Deletion { asked: cx.now, final_snapshot });
        cx.tx.put::<Instance>(row.clone());
        events::instance(cx.tx, cx.config, cx.now, &row.id, "deletion", "DB instance deletion started");
        Ok(InstanceAnswer { db_instance: shapes::instance(cx, &row) })
    }
}

/// As on AWS, the replicas of a deleted instance become independent:
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ReadRepl.html>. The reconciler keeps the source until they are.
fn promote_replicas(cx: &mut Cx<'_>, source: &Instance) -> Result<(), Error> {
    for replica in replicas::of(cx.tx, source).into_iter().filter(|r| r.deletion.is_none()) {
        let status = status::instance(cx.tx, &replica);
        if matches!(status, Status::Creating | Status::Failed) {
            let what = format!(
                "Instance {} cannot be deleted: its read replica {} is {status}. Wait until it is available, or delete it.",
                source.id, replica.id
            );
            return Err(Error::InstanceState(what));
        }
        if replicas::is_replica(&replica) {
            let mut replica = Instance::clone(&replica);
            replicas::promote(cx, &mut replica);
            cx.tx.put(replica);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::FakeCloud;
    use serde_json::json;

    #[test]
    fn deletion_needs_a_decision_about_the_final_snapshot() {
        let cloud = FakeCloud::new();
        cloud.create("shop", json!({"DeletionProtection": true})).unwrap();
        let delete = |input| cloud.call("DeleteDBInstance", input).map_err(|e| e.code);
        let skip = json!({"DBInstanceIdentifier": "shop", "SkipFinalSnapshot": true});
        assert_eq!(delete(skip.clone()).unwrap_err(), "InvalidParameterCombination");
        let off = json!({"DBInstanceIdentifier": "shop", "DeletionProtection": false});
        cloud.ok("ModifyDBInstance", off);
        assert_eq!(
            delete(json!({"DBInstanceIdentifier": "shop"})).unwrap_err(),
            "InvalidParameterCombination"
        );
        let both = json!({"DBInstanceIdentifier": "shop", "SkipFinalSnapshot": true, "FinalDBSnapshotIdentifier": "f"});
        assert_eq!(delete(both).unwrap_err(), "InvalidParameterCombination");
        let early = json!({"DBInstanceIdentifier": "shop", "FinalDBSnapshotIdentifier": "f"});
        assert_eq!(delete(early).unwrap_err(), "InvalidDBInstanceState");
        assert_eq!(delete(skip.clone()).unwrap()["DBInstance"]["DBInstanceStatus"], "deleting");
        assert_eq!(delete(skip).unwrap_err(), "InvalidDBInstanceState");
    }
}
