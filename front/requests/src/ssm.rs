//! The parameter store: <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_Operations.html>

use escale_base::{Secret, Wire};

crate::requests! { "ssm";
    GetParameter => FoundParameter,
    GetParameters => FoundParameters,
}

#[derive(Clone, Debug, Wire)]
pub struct GetParameter {
    /// `name`, or `name:3` for a version.
    pub name: String,
    pub with_decryption: Option<bool>,
}

#[derive(Clone, Debug, Wire)]
pub struct FoundParameter {
    pub parameter: Parameter,
}

/// The operation that AWS requires an execution role to be allowed.
#[derive(Clone, Debug, Wire)]
pub struct GetParameters {
    pub names: Vec<String>,
    pub with_decryption: bool,
}

/// Names that do not exist are left out.
#[derive(Clone, Debug, Wire)]
pub struct FoundParameters {
    pub parameters: Vec<Parameter>,
}

#[derive(Clone, Debug, Wire)]
pub struct Parameter {
    pub value: Secret<String>,
}
