//! XML: a small tree for requests, and a model-driven writer for answers.

mod read;
mod tree;
mod write;

pub(crate) use read::{parse, read};
pub use tree::{Element, NotXml};
pub(crate) use write::Writer;
