//! AWS's services and operations that Escale's models leave out, by name only, so that an error can name them.

use crate::{Segment, load};
use serde_json::Value;
use std::sync::OnceLock;

/// An operation of one of Escale's services that its trimmed model leaves out.
#[derive(Debug)]
pub struct Other {
    pub name: String,
    /// For REST services: distinguishes its requests from those of the operations in the model.
    pub(crate) route: Option<Route>,
}

#[derive(Debug)]
pub(crate) struct Route {
    pub method: String,
    pub path: Vec<Segment>,
    pub query: Vec<(String, Option<String>)>,
    /// Query keys and headers that each of its requests has.
    pub required_query: Vec<String>,
    pub required_headers: Vec<String>,
}

/// A service that Escale does not have at all.
#[derive(Debug)]
pub struct OtherService {
    /// As AWS's SDKs name it: `SQS`, `API Gateway`.
    pub name: String,
    pub api_version: String,
    /// The service's name in the credential scope.
    pub signing_name: String,
    /// The part of `X-Amz-Target` before its last dot; empty for services without that header.
    pub target_prefix: String,
    pub form: Form,
}

/// The form in which a service's clients expect an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Json,
    Xml,
    Cbor,
}

/// Every service of AWS besides [`crate::services()`].
pub fn other_services() -> &'static [OtherService] {
    static LISTED: OnceLock<Vec<OtherService>> = OnceLock::new();
    LISTED.get_or_init(|| match read(&crate::unpack(include_bytes!(concat!(env!("OUT_DIR"), "/services.json.z")))) {
        Ok(listed) => listed,
        // The list is part of the program, and a test reads it.
        Err(e) => panic!("models/services.json: {e}"),
    })
}

fn read(text: &str) -> Result<Vec<OtherService>, String> {
    let tree: Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let entries = tree.as_array().ok_or("it is not a list")?;
    entries.iter().map(service).collect()
}

fn service(entry: &Value) -> Result<OtherService, String> {
    let required = |key: &str| load::text(entry, key).ok_or_else(|| format!("`{key}` is missing in {entry}"));
    Ok(OtherService {
        name: required("name")?,
        api_version: required("version")?,
        signing_name: required("signing")?,
        target_prefix: load::text(entry, "target").unwrap_or_default(),
        form: match required("protocol")?.as_str() {
            "json" | "rest-json" => Form::Json,
            "query" | "ec2" | "rest-xml" => Form::Xml,
            "smithy-rpc-v2-cbor" => Form::Cbor,
            other => return Err(format!("protocol `{other}` is not known")),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_every_other_service() {
        let find = |signing: &str| other_services().iter().find(|s| s.signing_name == signing);
        assert_eq!(find("sqs").map(|s| (s.name.as_str(), s.form)), Some(("SQS", Form::Json)));
        assert_eq!(find("lambda").map(|s| (s.name.as_str(), s.form)), Some(("Lambda", Form::Json)));
        assert!(find("ecs").is_none(), "a service that Escale has");
        assert!(other_services().len() > 350);
    }
}
