//! Images from outside: what a Dockerfile is read as, what comes out of a build, what a registry gets.

#![allow(clippy::unwrap_used, reason = "a test may fail by it; clippy only knows of #[test] functions")]

mod base;
mod building;
mod on_bases;
mod parsing;
mod pulling;
mod pushing;
mod serving;
