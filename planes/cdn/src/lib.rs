//! The cdn plane.
