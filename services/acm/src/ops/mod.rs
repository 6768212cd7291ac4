//! The operations of Acm, one module each.

escale_service::operations! { "acm";
}
