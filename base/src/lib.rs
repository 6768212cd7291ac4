//! Types shared by all crates: names ([`arn`], [`ids`]), [`tags`], [`paging`], [`glob`]s, [`json`] without duplicate keys, errors
//! ([`error`]), time ([`clock`]), [`secret`]s, [`limits`], the views of a request's [`path`], how to install a missing program
//! ([`packages`]), and the wire format of a value ([`wire`]).
//!
//! This crate does no I/O, except that [`packages`] reads `/etc/os-release`, and knows no service. Start at [`error`] if you
//! write a plane, at [`wire`] if you write an operation.

pub mod arn;
pub mod choice;
pub mod clock;
pub mod error;
pub mod glob;
pub mod ids;
pub mod json;
pub mod limits;
pub mod packages;
pub mod paging;
pub mod path;
pub mod secret;
pub mod tags;
pub mod wire;

pub use arn::Arn;
pub use clock::{Clock, Timestamp};
pub use error::{AwsError, ErrorKind, PlaneError, already_gone, found};
pub use secret::Secret;
pub use tags::Tag;
pub use wire::Wire;
