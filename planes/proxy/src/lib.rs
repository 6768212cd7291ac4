//! The proxy plane.
