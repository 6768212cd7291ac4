//! TODO: what the service does, what it never does, and where to start.

mod error;
mod ops;
mod recorded;

use escale_service::{Entry, Recorded, Service};

pub use error::Error;

/// The service, for the wiring.
pub struct Acm;

impl Service for Acm {
    fn id(&self) -> &'static str {
        "acm"
    }
    fn operations(&self) -> Vec<Entry> {
        ops::all()
    }
    fn recorded(&self) -> &'static [Recorded] {
        recorded::RECORDED
    }
}
