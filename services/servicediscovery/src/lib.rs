//! Cloud Map: services that find each other by name.
//!
//! A private DNS namespace is a hosted zone of Route 53, and an instance is a few record sets in it. The operations (`ops/`) write the
//! rows of this service and, in the same transaction, call Route 53's operations as `servicediscovery.amazonaws.com`
//! (`records.rs`). So there is no reconciler here: the one of Route 53 serves the records, and an operation of this service is
//! complete once it does (`status.rs`).
//!
//! Public DNS namespaces are refused, and with them Route 53 health checks: nobody delegates a domain to this machine. Instances
//! have the health that clients report.
//!
//! Its tests need Route 53, too, so they are in `tests/sim/tests/discovery`.
//!
//! Start at `ops/register_instance.rs`, then `records.rs`.

mod cfn;
mod choices;
mod error;
mod filters;
mod ops;
mod recorded;
mod records;
mod rules;
mod shapes;
mod status;

use escale_base::wire::Value;
use escale_service::{Also, Entry, Recorded, ResourceType, Service, gives_tags};

pub use error::Error;

/// The service, for the wiring.
pub struct ServiceDiscovery;

impl Service for ServiceDiscovery {
    fn id(&self) -> &'static str {
        "servicediscovery"
    }
    fn operations(&self) -> Vec<Entry> {
        ops::all()
    }
    fn tagging(&self, operation: &str, input: &Value, resources: &[String]) -> Option<Also> {
        let tagged = operation != "TagResource" && gives_tags(input, "/Tags");
        // CreateService names the namespace; the new service has no id yet. A new namespace is no resource of its request.
        let service = |arn: &String| format!("{}:service/*", arn.split(":namespace/").next().unwrap_or(arn));
        tagged.then(|| Also::new("servicediscovery:TagResource", resources.iter().map(service)))
    }
    fn recorded(&self) -> &'static [Recorded] {
        recorded::RECORDED
    }
    fn resource_types(&self) -> Vec<ResourceType> {
        cfn::types()
    }
}
