//! The operations of IAM, a line each.

escale_service::operations! {
    CreateRole => create_role,
}
