//! The contract on the fake and on the real plane, and tests that need the real one.
//!
//! The real ones need root, crun or runc, and a static busybox at /bin/busybox (Debian: busybox-static).

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod both;
mod image;
mod real;
mod rig;
mod sessions;
mod volumes;
