//! The network plane.
