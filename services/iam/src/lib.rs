//! IAM: users, roles, policies, and what they allow.
//!
//! Operations write rows; nothing has to be brought about. The other half is [`Iam`]'s [`Identity`]: the gate asks it who
//! holds a key and whether a caller may do what it asks, for every request. The evaluation itself is pure and stands in
//! `policy/`.

mod error;
mod identity;
mod ops;
mod policy;
mod shapes;

use escale_base::Secret;
use escale_service::{Entry, Service};

pub use error::Error;

/// The service, and the [`escale_service::Identity`] of the gate.
#[derive(Clone, Debug)]
pub struct Iam {
    /// The account's root key.
    pub root_key: String,
    pub root_secret: Secret<String>,
}

impl Service for Iam {
    fn id(&self) -> &'static str {
        "iam"
    }
    fn global(&self) -> bool {
        true
    }
    fn operations(&self) -> Vec<Entry> {
        ops::all()
    }
}
