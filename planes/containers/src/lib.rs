//! The containers plane.
