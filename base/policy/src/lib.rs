//! IAM policy documents: reading ([`Document`]) and evaluating ([`decide()`]) them.
//!
//! Pure: it knows the policy language, and neither users nor roles nor HTTP requests; the principal and the request's
//! context are passed in a [`Context`]. An element that it does not evaluate (an operator, a condition key, a variable)
//! makes a document unreadable, so the document is refused when it is stored: a condition that is silently false would
//! disable a `Deny`.
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

/// Whether a document was refused for an element that AWS has and Escale does not evaluate, rather than for an error in it.
pub fn is_unsupported(refusal: &str) -> bool {
    refusal.ends_with(" is not supported")
}
