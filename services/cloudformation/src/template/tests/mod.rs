//! One `check` function per topic with many small cases; `shop` is a template of real size.

mod extensions;
mod functions;
mod loops;
mod parameters;
mod sections;
mod shop;
mod text;

use super::*;
use serde_json::{Value, json};

/// A stack whose resources all exist or are all missing. `Ref` returns the logical id in lower case, an attribute is
/// `Logical.Attribute`.
struct FakeStack {
    exists: bool,
}

impl Environment for FakeStack {
    fn resource_ref(&self, logical: &str) -> Option<Value> {
        self.exists.then(|| logical.to_lowercase().into())
    }

    fn get_att(&self, logical: &str, attribute: &str) -> Result<Option<Value>, TemplateError> {
        let value = match attribute {
            "Nope" => return Err(TemplateError::usage(format!("resource {logical} has no attribute Nope"))),
            "CidrBlock" => json!("10.0.0.0/16"),
            "List" => json!(["x", "y"]),
            _ => json!(format!("{logical}.{attribute}")),
        };
        Ok(self.exists.then_some(value))
    }

    fn export(&self, name: &str) -> Option<String> {
        (name == "shared-vpc").then(|| "vpc-1".to_owned())
    }

    fn zones(&self, region: &str) -> Vec<String> {
        ["a", "b", "c"].iter().map(|zone| format!("{region}{zone}")).collect()
    }
}

fn pseudo() -> Pseudo {
    Pseudo {
        account_id: "000000000000".into(),
        notification_arns: vec![],
        partition: "aws".into(),
        region: "eu-west-3".into(),
        stack_id: "arn:aws:cloudformation:eu-west-3:000000000000:stack/shop/1".into(),
        stack_name: "shop".into(),
        url_suffix: "amazonaws.com".into(),
    }
}

fn given(pairs: &[(&str, &str)]) -> BTreeMap<escale_tables::cloudformation::ParameterKey, String> {
    pairs.iter().map(|(k, v)| ((*k).into(), v.to_string())).collect()
}

/// An error with its position.
fn with_position(error: &TemplateError) -> String {
    match error.at {
        Some(at) => format!("{error} @ {at}"),
        None => error.to_string(),
    }
}
