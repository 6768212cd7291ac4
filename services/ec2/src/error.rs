//! EC2's errors: code and HTTP status stand here and nowhere else.
//!
//! The model declares none; they are AWS's documented codes:
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>

use escale_base::AwsError;
use escale_tables::ec2::{SubnetId, VpcId};
use ipnet::Ipv4Net;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("The vpc ID '{0}' does not exist")]
    NoVpc(VpcId),
    #[error("The subnet ID '{0}' does not exist")]
    NoSubnet(SubnetId),
    #[error(
        "The CIDR '{0}' is invalid: a VPC's block is between /16 and /28, written with its network address."
    )]
    VpcRange(String),
    #[error("The CIDR '{0}' conflicts with another subnet ({1} has {2})")]
    SubnetConflict(Ipv4Net, SubnetId, Ipv4Net),
    #[error("The vpc '{0}' has dependencies and cannot be deleted: {1}")]
    VpcInUse(VpcId, String),
    #[error("Value ({value}) for parameter {parameter} is invalid. {why}")]
    Invalid { parameter: &'static str, value: String, why: String },
    #[error("The request must contain the parameter {0}")]
    Missing(&'static str),
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl From<Error> for AwsError {
    fn from(error: Error) -> AwsError {
        let code = match &error {
            Error::NoVpc(_) => "InvalidVpcID.NotFound",
            Error::NoSubnet(_) => "InvalidSubnetID.NotFound",
            Error::VpcRange(_) => "InvalidVpc.Range",
            Error::SubnetConflict(..) => "InvalidSubnet.Conflict",
            Error::VpcInUse(..) => "DependencyViolation",
            Error::Invalid { .. } => "InvalidParameterValue",
            Error::Missing(_) => "MissingParameter",
            Error::Aws(e) => return e.clone(),
        };
        AwsError::new(code, 400, error.to_string())
    }
}
