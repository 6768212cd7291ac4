//! Two private certificate authorities: one for names that browsers open, one for names that only workloads use. Each has a
//! key that never leaves its folder.
//!
//! It decides nothing: the caller has checked that a certificate's names are the requester's. It keeps no issued certificate
//! and revokes none; whoever asked for a certificate stores it and asks for another one before it expires.
//!
//! Start at [`spec`] for what can be issued, at [`Authorities`] for the real plane.

mod fake;
mod files;
mod keys;
mod real;
mod root;
mod sign;
pub mod spec;

pub use fake::FakeAuthorities;
pub use real::{Authorities, root_file, root_files};
pub use spec::{Issued, KeyKind, Leaf, Purpose};

use async_trait::async_trait;
use escale_base::PlaneError;

/// The authorities plane. [`Authorities`] is the real one, [`FakeAuthorities`] the one for simulations.
#[async_trait]
pub trait Authority: Send + Sync {
    /// Issues a certificate with a new key. May be repeated: each call gives another certificate, and an earlier one stays
    /// valid.
    async fn issue(&self, purpose: Purpose, leaf: Leaf) -> Result<Issued, PlaneError>;
    /// The root certificate that clients must trust, as PEM.
    fn root(&self, purpose: Purpose) -> Result<String, PlaneError>;
}
