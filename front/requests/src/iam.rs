//! Roles: <https://docs.aws.amazon.com/IAM/latest/APIReference/API_Operations.html>

use escale_base::Wire;

crate::requests! { "iam";
    CreateServiceLinkedRole => CreatedRole,
}

#[derive(Clone, Debug, Wire)]
pub struct CreateServiceLinkedRole {
    #[wire("AWSServiceName")]
    pub service: String,
}

#[derive(Clone, Debug, Wire)]
pub struct CreatedRole {
    pub role: LinkedRole,
}

#[derive(Clone, Debug, Wire)]
pub struct LinkedRole {
    pub arn: String,
}
