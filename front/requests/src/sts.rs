//! STS: <https://docs.aws.amazon.com/STS/latest/APIReference/API_Operations.html>

use escale_base::{Secret, Timestamp, Wire};

crate::requests! { "sts";
    AssumeRole => AssumedRole,
}

#[derive(Clone, Debug, Wire)]
pub struct AssumeRole {
    pub role_arn: String,
    pub role_session_name: String,
    pub duration_seconds: i64,
}

#[derive(Clone, Debug, Wire)]
pub struct AssumedRole {
    pub credentials: Credentials,
    pub assumed_role_user: AssumedRoleUser,
}

#[derive(Clone, Debug, Wire)]
pub struct AssumedRoleUser {
    /// `ID_OF_THE_ROLE:SESSION`
    pub assumed_role_id: String,
}

#[derive(Clone, Debug, Wire)]
pub struct Credentials {
    pub access_key_id: String,
    pub secret_access_key: Secret<String>,
    pub session_token: Secret<String>,
    pub expiration: Timestamp,
}
