//! Policy documents: reading and evaluating them. Pure.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>

mod aws_managed;
mod condition;
mod document;
mod pattern;

pub(crate) use aws_managed::aws_managed;
pub(crate) use document::{Document, Effect, Question, Verdict};
