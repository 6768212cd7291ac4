//! AWS's protocols: bytes in, a value tree out; a value tree in, bytes out. One interpreter over the models of
//! `escale-model`, nothing written per operation.
//!
//! The road of a request: [`identify`] says which service and protocol; [`sigv4`] says who signed it and reads its
//! body; [`decode`] gives the operation and its input; [`validate()`] applies the model's constraints. The road back:
//! [`encode_output`] or [`encode_error`]. The tree is `escale_base::wire::Value`: members under the model's names,
//! blobs as base64 text, timestamps as seconds.
//!
//! This crate never does I/O, keeps no state but a bounded cache of signing keys, and knows no operation's meaning.

mod check;
pub mod checksum;
mod fault;
mod head;
mod protocol;
mod scalar;
pub mod sigv4;
mod target;
mod validate;
mod xml;

pub use check::{check_fields, check_output};
pub use fault::{
    access_denied, missing_authentication, too_busy, too_slow, unknown_access_key, unknown_operation,
};
pub use head::{host, is_form, query_pairs};
pub use protocol::{Request, body_headers, decode, encode_error, encode_head, encode_output, operation};
pub use target::{Target, encode_unidentified, identify, is_own_host};
pub use validate::validate;
