//! STS: who am I, and credentials for a while. Sessions are access keys in IAM's table.

mod ops;

use escale_service::{Entry, Service};

/// The service, for the wiring.
pub struct Sts;

impl Service for Sts {
    fn id(&self) -> &'static str {
        "sts"
    }
    fn global(&self) -> bool {
        true
    }
    fn operations(&self) -> Vec<Entry> {
        ops::all()
    }
}
