//! `DeletionPolicy: Snapshot`: a last snapshot is taken as the resource is deleted.

use crate::template::{Resource, expression::Form};
use escale_base::{AwsError, ids};
use escale_service::{Created, Cx};
use serde_json::json;

/// A type whose deleting operation takes a last snapshot.
struct Snapshot {
    type_name: &'static str,
    service: &'static str,
    operation: &'static str,
    /// The member that names the resource.
    id: &'static str,
    /// The error of a resource that is gone already.
    gone: &'static str,
}

const SNAPSHOTS: &[Snapshot] = &[
    Snapshot {
        type_name: "AWS::RDS::DBInstance",
        service: "rds",
        operation: "DeleteDBInstance",
        id: "DBInstanceIdentifier",
        gone: "DBInstanceNotFound",
    },
    Snapshot {
        type_name: "AWS::RDS::DBCluster",
        service: "rds",
        operation: "DeleteDBCluster",
        id: "DBClusterIdentifier",
        gone: "DBClusterNotFoundFault",
    },
];

pub(crate) fn is_taken_of(type_name: &str) -> bool {
    SNAPSHOTS.iter().any(|s| s.type_name == type_name)
}

/// AWS snapshots databases that say nothing; an instance of a cluster leaves it to the cluster.
pub(crate) fn is_default_for(resource: &Resource) -> bool {
    let Form::Map(properties) = &resource.properties.form else { return false };
    is_taken_of(&resource.type_name)
        && (resource.type_name == "AWS::RDS::DBCluster"
            || !properties.iter().any(|(name, _)| name == "DBClusterIdentifier"))
}

/// Deletes the resource with a last snapshot.
pub(crate) fn delete(
    cx: &mut Cx<'_>,
    type_name: &str,
    created: &Created,
    (stack, logical_id): (&str, &str),
) -> Result<(), AwsError> {
    let Some(snapshot) = SNAPSHOTS.iter().find(|s| s.type_name == type_name) else {
        return Err(AwsError::not_supported(format_args!("A snapshot of {type_name}")));
    };
    let name = format!("{stack}-snapshot-{logical_id}-{}", ids::random_hex(12)).to_lowercase();
    let input = json!({snapshot.id: created.physical_id, "FinalDBSnapshotIdentifier": name});
    match cx.call(snapshot.service, snapshot.operation, input) {
        Err(e) if e.code != snapshot.gone => Err(e),
        _ => Ok(()),
    }
}
