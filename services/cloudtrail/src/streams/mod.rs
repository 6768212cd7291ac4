//! The operations that read the record, one per line.

escale_service::streams! { crate::Trail;
    LookupEvents => lookup_events,
}
