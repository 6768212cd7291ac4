//! IAM policy documents: reading ([`Document`]) and evaluating ([`decide()`]) them.
//!
//! Pure: it knows the words of policies and nothing of users, roles or requests; who asks, and in what circumstances, is
//! told in a [`Context`]. What it does not evaluate (an operator, a condition key, a variable) makes a document
//! unreadable, so that it is refused when it is stored: a condition that is silently false would open a `Deny`.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>

mod condition;
mod context;
mod decide;
mod document;
mod pattern;
mod principal;

pub use condition::is_operator;
pub use context::{Context, Question, Who};
pub use decide::{Outcome, decide, trusts};
pub use document::{Document, Kind, Verdict};
