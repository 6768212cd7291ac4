//! All errors of RDS, with their codes and HTTP statuses.

use escale_base::{AwsError, ErrorKind};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("DBInstance {0} not found.")]
    NoInstance(String),
    #[error("DBInstanceAutomatedBackup {0} not found.")]
    NoAutomatedBackup(String),
    #[error("DB instance already exists: {0}")]
    InstanceExists(String),
    #[error("{0}")]
    InstanceState(String),
    #[error("DBSnapshot not found: {0}")]
    NoSnapshot(String),
    #[error("Cannot create the snapshot because a snapshot with the identifier {0} already exists.")]
    SnapshotExists(String),
    #[error("{0}")]
    SnapshotState(String),
    #[error("DB subnet group '{0}' does not exist.")]
    NoSubnetGroup(String),
    #[error("DB subnet group '{0}' already exists.")]
    SubnetGroupExists(String),
    #[error(
        "Cannot delete the subnet group '{0}' because at least one database instance: {1} is still using it."
    )]
    SubnetGroupInUse(String, String),
    #[error("The subnet group 'default' cannot be deleted: instances without a DBSubnetGroupName use it.")]
    DefaultSubnetGroup,
    #[error(
        "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. Current AZ coverage: {0}. Add \
         subnets to cover at least 2 AZs."
    )]
    TooFewZones(String),
    #[error("{0}")]
    Subnet(String),
    #[error("{0}")]
    Network(String),
    #[error("DBParameterGroup not found: {0}")]
    NoParameterGroup(String),
    #[error("Parameter group {0} already exists")]
    ParameterGroupExists(String),
    #[error("{0}")]
    ParameterGroupState(String),
    #[error("{0}")]
    Value(String),
    /// A value that RDS has and Escale does not.
    #[error("{0}")]
    NotHere(String),
    #[error("{0}")]
    Combination(String),
    #[error(
        "Point in time restore is not enabled for DB instance {0}: its BackupRetentionPeriod is 0, or its first backup is not \
         complete."
    )]
    NoPointInTime(String),
    #[error("No pending maintenance actions found for resource {0}")]
    NoMaintenance(String),
    #[error(
        "DB instance {0} has {1} read replicas, the most that an instance can have. Delete or promote one of them."
    )]
    TooManyReplicas(String, usize),
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl From<Error> for AwsError {
    fn from(error: Error) -> AwsError {
        let (kind, code, status) = match &error {
            Error::NoInstance(_) => (ErrorKind::NotFound, "DBInstanceNotFound", 404),
            Error::NoAutomatedBackup(_) => (ErrorKind::NotFound, "DBInstanceAutomatedBackupNotFound", 404),
            Error::InstanceExists(_) => (ErrorKind::AlreadyExists, "DBInstanceAlreadyExists", 400),
            Error::InstanceState(_) => (ErrorKind::InUse, "InvalidDBInstanceState", 400),
            Error::NoSnapshot(_) => (ErrorKind::NotFound, "DBSnapshotNotFound", 404),
            Error::SnapshotExists(_) => (ErrorKind::AlreadyExists, "DBSnapshotAlreadyExists", 400),
            Error::SnapshotState(_) => (ErrorKind::InUse, "InvalidDBSnapshotState", 400),
            Error::NoSubnetGroup(_) => (ErrorKind::NotFound, "DBSubnetGroupNotFoundFault", 404),
            Error::SubnetGroupExists(_) => (ErrorKind::AlreadyExists, "DBSubnetGroupAlreadyExists", 400),
            Error::SubnetGroupInUse(..) | Error::DefaultSubnetGroup => {
                (ErrorKind::InUse, "InvalidDBSubnetGroupStateFault", 400)
            }
            Error::TooFewZones(_) => (ErrorKind::Invalid, "DBSubnetGroupDoesNotCoverEnoughAZs", 400),
            Error::Subnet(_) => (ErrorKind::Invalid, "InvalidSubnet", 400),
            Error::Network(_) => (ErrorKind::Invalid, "InvalidVPCNetworkStateFault", 400),
            Error::NoParameterGroup(_) => (ErrorKind::NotFound, "DBParameterGroupNotFound", 404),
            Error::ParameterGroupExists(_) => {
                (ErrorKind::AlreadyExists, "DBParameterGroupAlreadyExists", 400)
            }
            Error::ParameterGroupState(_) => (ErrorKind::InUse, "InvalidDBParameterGroupState", 400),
            Error::Value(_) => (ErrorKind::Invalid, "InvalidParameterValue", 400),
            Error::NotHere(_) => (ErrorKind::NotSupported, "InvalidParameterValue", 400),
            Error::NoMaintenance(_) => (ErrorKind::NotFound, "ResourceNotFoundFault", 404),
            Error::NoPointInTime(_) => (ErrorKind::Invalid, "PointInTimeRestoreNotEnabled", 400),
            Error::Combination(_) => (ErrorKind::Invalid, "InvalidParameterCombination", 400),
            Error::TooManyReplicas(..) => (ErrorKind::Invalid, "InstanceQuotaExceeded", 400),
            Error::Aws(e) => return e.clone(),
        };
        AwsError::new(kind, code, status, error.to_string())
    }
}
