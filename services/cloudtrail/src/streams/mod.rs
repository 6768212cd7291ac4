//! The operations that read the record, a line each.

escale_service::streams! { crate::Trail;
    LookupEvents => lookup_events,
}
