//! What is wrong with a template, in AWS's words, and where.

use std::fmt;

/// A place in the template's text; both count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// The message of a `ValidationError` (HTTP 400), worded as AWS words it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    pub message: String,
    /// For who points at the line; AWS's wording has no room for it.
    pub at: Option<Position>,
}

impl TemplateError {
    /// The message as it is.
    pub fn plain(message: impl Into<String>) -> TemplateError {
        TemplateError { message: message.into(), at: None }
    }

    /// `Template format error: …`: the template's form.
    pub fn format(message: impl fmt::Display) -> TemplateError {
        TemplateError::plain(format!("Template format error: {message}"))
    }

    /// `Template error: …`: a function's use.
    pub fn usage(message: impl fmt::Display) -> TemplateError {
        TemplateError::plain(format!("Template error: {message}"))
    }

    /// Something that AWS has and Escale does not do. Always names it.
    pub fn not_supported(what: impl fmt::Display) -> TemplateError {
        TemplateError::plain(format!("Template validation error: {what} is not supported by Escale"))
    }

    pub fn at(mut self, at: Position) -> TemplateError {
        self.at.get_or_insert(at);
        self
    }
}
