//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CopyDBSnapshot.html>

use crate::{
    Error, events, rules,
    shapes::{self, SnapshotAnswer},
};
use escale_base::{Tag, Wire, ids};
use escale_service::{Cx, Operation};
use escale_tables::rds::{CopyOf, Snapshot, SnapshotKind, SnapshotSeen};

pub(crate) struct CopyDBSnapshot;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("SourceDBSnapshotIdentifier")]
    source: String,
    #[wire("TargetDBSnapshotIdentifier")]
    target: String,
    copy_tags: Option<bool>,
    tags: Vec<Tag>,
}

impl Operation for CopyDBSnapshot {
    type Input = Input;
    type Output = SnapshotAnswer;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        let source = input.source.rsplit_once(":snapshot:").map_or(input.source.as_str(), |(_, name)| name);
        vec![rules::arn(cx, "snapshot", source), rules::arn(cx, "snapshot", &input.target)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<SnapshotAnswer, Error> {
        let id = rules::identifier("TargetDBSnapshotIdentifier", &input.target, 255)?;
        let source = rules::snapshot(cx.tx, &input.source)?;
        let Some(seen) = cx.tx.get::<SnapshotSeen>(&source.id) else {
            return Err(Error::SnapshotState(format!("The snapshot {} is not available yet.", source.id)));
        };
        if cx.tx.has::<Snapshot>(&id) {
            return Err(Error::SnapshotExists(id));
        }
        let tags = if input.tags.is_empty() && input.copy_tags == Some(true) {
            source.tags.clone()
        } else {
            input.tags
        };
        let taken = source.copy_of.as_ref().map_or(seen.at, |c| c.taken);
        let row = Snapshot {
            id,
            copy: format!("snap-{}", ids::random_hex(17)),
            kind: SnapshotKind::Manual,
            copy_of: Some(CopyOf { copy: source.copy.clone(), taken }),
            deleted: false,
            tags,
            created: cx.now,
            ..(*source).clone()
        };
        // Only the row: the reconciler copies the data, and keeps the source until then.
        cx.tx.put(row.clone());
        let message = format!("Started copy of snapshot {}", source.id);
        events::snapshot(cx.tx, cx.config, cx.now, &row.id, "notification", &message);
        Ok(SnapshotAnswer { db_snapshot: shapes::snapshot(cx, &row) })
    }
}
