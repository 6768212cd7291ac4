//! Systems Manager: only its Parameter Store.
//!
//! A parameter is one row with its history. Operations only write rows. AWS's public parameters (`/aws/service/…`),
//! references to secrets (`/aws/reference/…`) and labels are refused. Start at `ops/put_parameter.rs`.

mod cfn;
mod choices;
mod error;
mod filters;
mod ops;
mod recorded;
mod rules;
mod shapes;
#[cfg(test)]
mod testing;

use escale_base::wire::Value;
use escale_service::{Also, Entry, Recorded, ResourceType, Service, gives_tags};

pub use error::Error;

/// The SSM service, as the wiring registers it.
pub struct Ssm;

impl Service for Ssm {
    fn id(&self) -> &'static str {
        "ssm"
    }
    fn operations(&self) -> Vec<Entry> {
        ops::all()
    }
    fn tagging(&self, operation: &str, input: &Value, resources: &[String]) -> Option<Also> {
        let tagged = operation != "AddTagsToResource" && gives_tags(input, "/Tags");
        tagged.then(|| Also::tagging("ssm:AddTagsToResource", resources))
    }
    fn recorded(&self) -> &'static [Recorded] {
        recorded::RECORDED
    }
    fn resource_types(&self) -> Vec<ResourceType> {
        cfn::types()
    }
}
