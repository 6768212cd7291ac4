//! Tests of the wire layer: botocore's protocol suite from the server's side, requests that botocore signed, and random
//! bytes.

#![allow(clippy::unwrap_used)] // helpers of tests

mod bounds;
mod random;
mod signed;
mod streams;
mod suite;
mod suite_compare;
mod suite_skips;
