//! The dns plane.
