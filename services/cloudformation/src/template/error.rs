//! Errors of templates, in AWS's wording, with their positions.

pub use escale_tree::Place as Position;
use std::fmt;

/// The message of a `ValidationError` (HTTP 400), in AWS's wording.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    pub message: String,
    /// Not part of AWS's message; callers append it.
    pub at: Option<Position>,
}

impl TemplateError {
    /// A message without a prefix.
    pub fn plain(message: impl Into<String>) -> TemplateError {
        TemplateError { message: message.into(), at: None }
    }

    /// `Template format error: …`: an error in the structure of the template.
    pub fn format(message: impl fmt::Display) -> TemplateError {
        TemplateError::plain(format!("Template format error: {message}"))
    }

    /// `Template error: …`: the wrong use of a function.
    pub fn usage(message: impl fmt::Display) -> TemplateError {
        TemplateError::plain(format!("Template error: {message}"))
    }

    /// A feature that AWS supports and Escale does not. The message names it.
    pub fn not_supported(what: impl fmt::Display) -> TemplateError {
        TemplateError::plain(format!("Template validation error: {what} is not supported"))
    }

    /// Adds a sentence: what to do next.
    pub fn hint(mut self, what: impl fmt::Display) -> TemplateError {
        self.message = format!("{}. {what}", self.message);
        self
    }

    /// Sets the position unless it is known already: an inner expression's position is more precise.
    pub fn at(mut self, at: Position) -> TemplateError {
        self.at.get_or_insert(at);
        self
    }
}
