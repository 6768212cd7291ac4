//! Tests of the public interface: parsing Dockerfiles, building images, pushing and pulling.

#![allow(clippy::unwrap_used, reason = "a test may fail by it; clippy only knows of #[test] functions")]

mod base;
mod building;
mod on_bases;
mod parsing;
mod pulling;
mod pushing;
mod serving;
