//! RDS's errors: code and HTTP status stand here and nowhere else.

use escale_base::AwsError;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("DBInstance {0} not found.")]
    NoInstance(String),
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
    #[error("{0}")]
    Combination(String),
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl From<Error> for AwsError {
    fn from(error: Error) -> AwsError {
        let (code, status) = match &error {
            Error::NoInstance(_) => ("DBInstanceNotFound", 404),
            Error::InstanceExists(_) => ("DBInstanceAlreadyExists", 400),
            Error::InstanceState(_) => ("InvalidDBInstanceState", 400),
            Error::NoSnapshot(_) => ("DBSnapshotNotFound", 404),
            Error::SnapshotExists(_) => ("DBSnapshotAlreadyExists", 400),
            Error::SnapshotState(_) => ("InvalidDBSnapshotState", 400),
            Error::NoSubnetGroup(_) => ("DBSubnetGroupNotFoundFault", 404),
            Error::SubnetGroupExists(_) => ("DBSubnetGroupAlreadyExists", 400),
            Error::SubnetGroupInUse(..) | Error::DefaultSubnetGroup => {
                ("InvalidDBSubnetGroupStateFault", 400)
            }
            Error::TooFewZones(_) => ("DBSubnetGroupDoesNotCoverEnoughAZs", 400),
            Error::Subnet(_) => ("InvalidSubnet", 400),
            Error::Network(_) => ("InvalidVPCNetworkStateFault", 400),
            Error::NoParameterGroup(_) => ("DBParameterGroupNotFound", 404),
            Error::ParameterGroupExists(_) => ("DBParameterGroupAlreadyExists", 400),
            Error::ParameterGroupState(_) => ("InvalidDBParameterGroupState", 400),
            Error::Value(_) => ("InvalidParameterValue", 400),
            Error::Combination(_) => ("InvalidParameterCombination", 400),
            Error::Aws(e) => return e.clone(),
        };
        AwsError::new(code, status, error.to_string())
    }
}
