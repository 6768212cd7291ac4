//! The wire layer from outside: botocore's protocol suite turned round, requests that botocore signed, and bytes that
//! nobody meant.

#![allow(clippy::unwrap_used)] // helpers of tests

mod bounds;
mod random;
mod signed;
mod streams;
mod suite;
mod suite_compare;
mod suite_skips;
