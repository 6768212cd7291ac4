//! The objects plane.
