//! The operations of STS, a line each.

escale_service::operations! {
    GetCallerIdentity => get_caller_identity,
}
