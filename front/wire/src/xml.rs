//! XML: a small tree for what comes in, a model-driven writer for what goes out.

mod read;
mod write;

pub(crate) use read::{parse, read};
pub(crate) use write::Writer;
