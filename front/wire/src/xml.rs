//! XML: a small tree for requests, and a model-driven writer for answers.

mod read;
mod write;

pub(crate) use read::{parse, read};
pub(crate) use write::Writer;
