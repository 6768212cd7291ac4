//! SNS: topics whose messages go to HTTP endpoints and into a local mailbox.
//!
//! Publish writes a row for each confirmed subscription (`publish.rs`), in the transaction of its caller: an alarm that changes its
//! state and the message about it are one commit. One reconciler delivers the rows (`deliver.rs`) and tries again as AWS does. A
//! message to an endpoint leaves from the cloud's Internet, so that the rules of egress decide what it reaches. Mail goes into the
//! log group [`MAILBOX`]; nothing is sent.
//!
//! Messages are signed with a key of this installation (`signature.rs`). Subscriptions to queues, functions and phones are refused
//! by name.
//!
//! Start at `publish.rs`.

mod cfn;
mod deliver;
mod document;
mod error;
#[cfg(test)]
mod fault_tests;
mod ops;
mod pages;
mod poster;
mod publish;
mod recorded;
mod rules;
mod signature;
#[cfg(test)]
mod tests;

use escale_authority::Authority;
use escale_base::wire::Value;
use escale_dns::Dns;
use escale_engine::Engine;
use escale_network::Network;
use escale_service::{
    Also, Cloud, Config, Entry, Mount, Recorded, ResourcePolicy, ResourceType, Service, gives_tags,
};
use escale_store::{Image, Store};
use escale_tables::sns::Topic;
use std::sync::Arc;

pub use error::Error;

/// The log group that gets the mail of all subscriptions, a stream for each address.
pub const MAILBOX: &str = "/escale/mailbox";

/// The service principal of deliveries.
pub(crate) const PRINCIPAL: &str = "sns.amazonaws.com";

/// The planes that deliver messages.
pub struct Planes {
    pub network: Arc<dyn Network>,
    pub dns: Arc<dyn Dns>,
    pub authority: Arc<dyn Authority>,
}

/// Starts the delivery of messages.
pub fn start(engine: &mut Engine, store: &Store, cloud: &Arc<Cloud>, planes: Planes) {
    let (store, cloud) = (|| store.clone(), || Arc::clone(cloud));
    engine.add(signature::Keys { store: store(), cloud: cloud(), authority: planes.authority });
    let poster = poster::Poster { network: planes.network, dns: planes.dns, cloud: cloud() };
    engine.add(deliver::Deliveries { store: store(), cloud: cloud(), poster: Arc::new(poster) });
}

/// The pages that a message links to: its certificate, and the confirmation and the end of a subscription.
pub fn pages(store: &Store, cloud: &Arc<Cloud>) -> Arc<dyn Mount> {
    Arc::new(pages::Pages { store: store.clone(), cloud: Arc::clone(cloud) })
}

/// The service, for the wiring.
pub struct Sns;

impl Service for Sns {
    fn id(&self) -> &'static str {
        "sns"
    }
    fn operations(&self) -> Vec<Entry> {
        ops::all()
    }
    fn tagging(&self, operation: &str, input: &Value, resources: &[String]) -> Option<Also> {
        let tagged = operation == "CreateTopic" && gives_tags(input, "/Tags");
        tagged.then(|| Also::tagging("sns:TagResource", resources))
    }
    fn recorded(&self) -> &'static [Recorded] {
        recorded::RECORDED
    }
    fn resource_policies(
        &self,
        image: &Image,
        _config: &Config,
        _operation: &str,
        input: &Value,
    ) -> Vec<ResourcePolicy> {
        let arn = input.get("TopicArn").and_then(Value::as_str).unwrap_or_default();
        let policy = image.get::<Topic>(arn).and_then(|topic| topic.policy.clone());
        policy.map(|document| ResourcePolicy { document }).into_iter().collect()
    }
    fn resource_types(&self) -> Vec<ResourceType> {
        cfn::types()
    }
}
