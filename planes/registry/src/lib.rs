//! The registry plane.
