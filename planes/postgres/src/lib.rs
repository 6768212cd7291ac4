//! The postgres plane.
