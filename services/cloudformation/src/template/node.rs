//! A template's text as a tree with positions, from JSON or YAML. Short forms (`!Sub`) are already functions (`Fn::Sub`).

use super::error::TemplateError;
pub use escale_tree::{Key, Kind, Node, Scalar};

/// Refuses null, which AWS allows nowhere in a template.
pub(crate) fn refuse_null(node: &Node, path: &str) -> Result<(), TemplateError> {
    match &node.kind {
        Kind::Scalar(scalar) if scalar.plain && scalar.value().is_null() => {
            let path = if path.is_empty() { "/" } else { path };
            Err(TemplateError::format(format!("[{path}] 'null' values are not allowed in templates"))
                .at(node.place))
        }
        Kind::Scalar(_) => Ok(()),
        Kind::List(items) => {
            items.iter().enumerate().try_for_each(|(i, item)| refuse_null(item, &format!("{path}/{i}")))
        }
        Kind::Map(entries) => {
            entries.iter().try_for_each(|(k, n)| refuse_null(n, &format!("{path}/{}", k.text)))
        }
    }
}
