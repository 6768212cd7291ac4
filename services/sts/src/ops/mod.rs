//! The operations of STS, one module each.

escale_service::operations! { "sts";
    AssumeRole => assume_role,
    GetAccessKeyInfo => get_access_key_info,
    GetCallerIdentity => get_caller_identity,
    GetSessionToken => get_session_token,
}
