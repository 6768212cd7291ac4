//! CloudTrail: records API calls with their callers, and answers LookupEvents.
//!
//! [`Trail`] is both the service and the cloud's [`Audit`]. It writes denied calls and other calls to separate journals: each is
//! bounded, and many calls of one kind must not displace those of the other. A record never contains a request's parameters, its
//! body or a secret.
//!
//! AWS's event history has only management events. Escale also records denied calls on data (objects, log events), because
//! users most often look for the reason of a denial. Trails that write to a bucket and event data stores are not supported:
//! their operations are refused by name.
//!
//! Start at `event.rs` for the recorded members, at `streams/lookup_events.rs` for the search.

mod error;
mod event;
mod streams;

use escale_journal::Journal;
use escale_service::{Audit, AuditedCall, Entry, EventKind, Service};
use std::sync::Arc;

pub use error::Error;

/// The service, and the record of calls.
pub struct Trail {
    /// Calls that were not denied.
    calls: Arc<dyn Journal>,
    denials: Arc<dyn Journal>,
    account: String,
    region: String,
}

impl Trail {
    pub fn new(
        calls: Arc<dyn Journal>,
        denials: Arc<dyn Journal>,
        account: &str,
        region: &str,
    ) -> Arc<Trail> {
        Arc::new(Trail { calls, denials, account: account.to_owned(), region: region.to_owned() })
    }
}

impl Audit for Trail {
    fn record(&self, call: AuditedCall) {
        let journal = if call.is_denied() { &self.denials } else { &self.calls };
        journal.append(event::entry(&call, &self.account, &self.region));
    }
}

/// The service, for the wiring. Its operations share the [`Trail`].
pub struct CloudTrail(pub Arc<Trail>);

impl Service for CloudTrail {
    fn id(&self) -> &'static str {
        "cloudtrail"
    }
    fn event_kind(&self, operation: &str) -> EventKind {
        match operation {
            "LookupEvents" => EventKind::TrailRead,
            _ => EventKind::Management,
        }
    }
    fn operations(&self) -> Vec<Entry> {
        streams::all(&self.0)
    }
}
