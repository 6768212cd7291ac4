//! Route 53's errors. Only this file maps them to error codes and HTTP statuses.

use escale_base::{AwsError, ErrorKind};
use escale_tables::ServicePrincipal;
use escale_tables::ec2::VpcId;
use escale_tables::route53::{ChangeId, HealthCheckId, HostedZoneId};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("No hosted zone found with ID: {0}")]
    NoZone(HostedZoneId),
    #[error("No health check exists with the specified ID.")]
    NoHealthCheck,
    #[error(
        "A health check with a different configuration has already been created with the specified caller reference."
    )]
    HealthCheckExists,
    #[error("The health check {0} is a child of the calculated health check {1}.")]
    HealthCheckInUse(HealthCheckId, HealthCheckId),
    #[error("The health check version is not {0}; the current version is {1}.")]
    HealthCheckVersion(u64, u64),
    #[error("Could not find resource with ID: {0}")]
    NoChange(ChangeId),
    #[error("A hosted zone has already been created with the specified caller reference.")]
    ZoneExists,
    #[error("The specified hosted zone contains non-required resource record sets and so cannot be deleted.")]
    ZoneNotEmpty,
    #[error("{0} is not a valid domain name: {1}")]
    InvalidDomainName(String, String),
    #[error("{0}")]
    ConflictingDomain(String),
    #[error("The resource hostedzone/{0} can only be managed through {1}.")]
    Linked(HostedZoneId, ServicePrincipal),
    #[error("The VPC: {0} in region {1} does not exist.")]
    InvalidVpc(VpcId, String),
    #[error("The hosted zone {0} is public. VPCs can be associated only with private hosted zones.")]
    PublicZone(HostedZoneId),
    #[error("The VPC: {0} is not associated with the hosted zone {1}.")]
    NotAssociated(VpcId, HostedZoneId),
    #[error(
        "The VPC: {0} is the last one that is associated with the hosted zone {1}. Delete the zone instead."
    )]
    LastAssociation(VpcId, HostedZoneId),
    #[error("[{}]", .0.join(", "))]
    InvalidBatch(Vec<String>),
    #[error("{0}")]
    InvalidInput(String),
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl From<Error> for AwsError {
    fn from(error: Error) -> AwsError {
        let (kind, code, status) = match &error {
            Error::NoZone(_) => (ErrorKind::NotFound, "NoSuchHostedZone", 404),
            Error::NoHealthCheck => (ErrorKind::NotFound, "NoSuchHealthCheck", 404),
            Error::HealthCheckExists => (ErrorKind::AlreadyExists, "HealthCheckAlreadyExists", 409),
            Error::HealthCheckInUse(..) => (ErrorKind::InUse, "HealthCheckInUse", 400),
            Error::HealthCheckVersion(..) => (ErrorKind::Invalid, "HealthCheckVersionMismatch", 409),
            Error::NoChange(_) => (ErrorKind::NotFound, "NoSuchChange", 404),
            Error::ZoneExists => (ErrorKind::AlreadyExists, "HostedZoneAlreadyExists", 409),
            Error::ZoneNotEmpty => (ErrorKind::Invalid, "HostedZoneNotEmpty", 400),
            Error::InvalidDomainName(..) => (ErrorKind::Invalid, "InvalidDomainName", 400),
            Error::ConflictingDomain(_) => (ErrorKind::AlreadyExists, "ConflictingDomainExists", 400),
            Error::InvalidVpc(..) => (ErrorKind::Invalid, "InvalidVPCId", 400),
            Error::Linked(..) => (ErrorKind::Denied, "AccessDenied", 403),
            Error::PublicZone(_) => (ErrorKind::Invalid, "PublicZoneVPCAssociation", 400),
            Error::NotAssociated(..) => (ErrorKind::NotFound, "VPCAssociationNotFound", 404),
            Error::LastAssociation(..) => (ErrorKind::InUse, "LastVPCAssociation", 400),
            Error::InvalidBatch(_) => (ErrorKind::Invalid, "InvalidChangeBatch", 400),
            Error::InvalidInput(_) => (ErrorKind::Invalid, "InvalidInput", 400),
            Error::Aws(e) => return e.clone(),
        };
        AwsError::new(kind, code, status, error.to_string())
    }
}
