//! The same contract on the fake and on the real plane, and what only the real one can show.
//!
//! The real ones need root, crun or runc, and a static busybox at /bin/busybox (Debian: busybox-static).

mod both;
mod image;
mod real;
mod rig;
