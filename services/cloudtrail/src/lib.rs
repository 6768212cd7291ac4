//! CloudTrail: records who called what, and answers LookupEvents.
//!
//! [`Trail`] is both the service and the cloud's [`Audit`]. It writes to two journals, so that a flood of ordinary calls does not
//! push out the denials, nor a flood of denials the ordinary calls. A record never holds a request's parameters, its body or a
//! secret.
//!
//! Unlike AWS, where event history has management events only, denied calls on data (objects, log events) are recorded too:
//! on one machine the question is most often why something was denied. There are no trails that write into a bucket, and no
//! event data stores: operations on them are refused by name.
//!
//! Start at `event.rs` for what is recorded, at `streams/lookup_events.rs` for how it is found.

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

/// How the wiring holds the service: its operations share it.
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
