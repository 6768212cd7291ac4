//! Secrets Manager: <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_Operations.html>

use escale_base::{Secret, Tag, Wire};

crate::requests! { "secretsmanager";
    CreateSecret => CreatedSecret,
    DeleteSecret => (),
    GetRandomPassword => RandomPassword,
    GetSecretValue => SecretValue,
    PutSecretValue => (),
}

#[derive(Clone, Debug, Wire)]
pub struct CreateSecret {
    pub name: String,
    pub description: String,
    pub secret_string: Secret<String>,
    pub tags: Vec<Tag>,
}

#[derive(Clone, Debug, Wire)]
pub struct CreatedSecret {
    #[wire("ARN")]
    pub arn: String,
}

/// Deletes the secret at once, so that its name is free again.
#[derive(Clone, Debug, Wire)]
pub struct DeleteSecret {
    pub secret_id: String,
    pub force_delete_without_recovery: bool,
}

#[derive(Clone, Debug, Wire)]
pub struct GetRandomPassword {
    pub password_length: i64,
    pub exclude_characters: String,
}

#[derive(Clone, Debug, Wire)]
pub struct RandomPassword {
    pub random_password: Secret<String>,
}

#[derive(Clone, Debug, Wire)]
pub struct GetSecretValue {
    pub secret_id: String,
    pub version_stage: Option<String>,
    pub version_id: Option<String>,
}

#[derive(Clone, Debug, Wire)]
pub struct SecretValue {
    /// `None` for a binary secret.
    pub secret_string: Option<Secret<String>>,
}

#[derive(Clone, Debug, Wire)]
pub struct PutSecretValue {
    pub secret_id: String,
    pub secret_string: Secret<String>,
}
