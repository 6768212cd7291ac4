//! AWS's protocols: decodes bytes to a value tree and encodes a value tree to bytes. One interpreter of the models in
//! `escale-model`; no code is specific to one operation.
//!
//! The request path: [`identify`] finds the service and protocol; [`sigv4`] verifies the signature and reads the body;
//! [`decode`] returns the operation and its input; [`validate()`] applies the model's constraints. [`encode_output`] or
//! [`encode_error`] makes the answer. The tree is `escale_base::wire::Value`: members under the model's names, blobs as
//! base64 text, timestamps as seconds.
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
pub use target::{Target, bucket_of_host, encode_unidentified, identify, is_own_host};
pub use validate::validate;
pub use xml::{Element, NotXml};
