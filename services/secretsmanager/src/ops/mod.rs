//! The operations of Secrets Manager.

escale_service::operations! { "secretsmanager";
    CreateSecret => create_secret,
    DeleteSecret => delete_secret,
    DescribeSecret => describe_secret,
    GetRandomPassword => get_random_password,
    GetResourcePolicy => get_resource_policy,
    GetSecretValue => get_secret_value,
    ListSecretVersionIds => list_secret_version_ids,
    ListSecrets => list_secrets,
    PutSecretValue => put_secret_value,
    RestoreSecret => restore_secret,
    TagResource => tag_resource,
    UntagResource => untag_resource,
    UpdateSecret => update_secret,
    UpdateSecretVersionStage => update_secret_version_stage,
}
