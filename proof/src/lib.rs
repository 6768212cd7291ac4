//! What a template is, seen from outside: its architecture, a diagram of it, its monthly price, and a review by rules.
//!
//! [`survey`] evaluates a template's resources and keeps the references between them; [`graph`] makes the architecture of it, and
//! everything else reads that. What cannot be known without a deployment is listed, never guessed.
//!
//! Pure: it reads no file, asks no API and knows no clock. Start at [`graph`].

pub mod cost;
pub mod diagram;
pub mod graph;
pub mod language;
pub mod prices;
pub mod report;
pub mod review;
#[cfg(test)]
mod samples;
pub mod survey;
pub mod verify;
pub mod why;
