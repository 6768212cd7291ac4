//! The first transaction of a stack's deletion, as far as requests and parents of nested stacks share it.

use crate::{Error, events, find};
use escale_service::Cx;
use escale_tables::cloudformation::{LogicalId, ResourceState, Stack, StackName, StackResource};

/// Refuses the deletion of a stack whose exports another one uses.
pub(crate) fn unused(cx: &Cx<'_>, stack: &Stack) -> Result<(), Error> {
    for output in &stack.outputs {
        let Some(export) = &output.export else { continue };
        let users: Vec<StackName> =
            // A stack that imports its own export does not block its deletion.
            find::importers(cx.tx, export).into_iter().filter(|user| *user != stack.name).collect();
        if let Some(user) = users.first() {
            return Err(Error::invalid(format!(
                "Export {export} cannot be deleted as it is in use by {user}"
            )));
        }
    }
    Ok(())
}

/// Marks resources whose deletion failed for another attempt, or as retained if the caller lists them.
pub(crate) fn retry_failed(cx: &mut Cx<'_>, stack: &Stack, retain: &[LogicalId]) -> Result<(), Error> {
    let rows = find::resources(cx.tx, &stack.uuid);
    for named in retain {
        if !rows.iter().any(|r| r.logical_id == *named && r.state == ResourceState::DeleteFailed) {
            return Err(Error::invalid(format!(
                "The specified resources to retain must be in a valid state. Resource [{named}] is not in DELETE_FAILED"
            )));
        }
    }
    for row in rows.iter().filter(|r| r.state == ResourceState::DeleteFailed) {
        let mut row = StackResource::clone(row);
        let kept = retain.contains(&row.logical_id);
        row.state = if kept { ResourceState::Retained } else { ResourceState::Created };
        (row.since, row.reason) = (cx.now, None);
        cx.tx.put(row.clone());
        if kept {
            events::resource(cx.tx, &row, None, cx.now);
        }
    }
    Ok(())
}
