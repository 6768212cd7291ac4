//! Flow logs: which interfaces they cover, and the delivery of their records to CloudWatch Logs and to buckets.
//!
//! The network plane counts the packets of covered interfaces. Once a minute, which AWS also does for interfaces of its current
//! hardware whatever the flow log's maximum is, the counts become lines in a stream for each interface, or a file in a bucket for each flow log.
//!
//! Source: <https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-basics.html>

pub(crate) mod bucket;
mod delivery;
pub(crate) mod format;

use delivery::Delivery;
use escale_base::Arn;
use escale_network::Network;
use escale_service::{Cloud, Config};
use escale_store::{Image, Row, Store};
use escale_tables::ec2::{FlowLog, FlowLogDestination, Interface, Subnet, VpcId};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// The service that delivers the records to log groups, under the flow log's role.
pub(crate) const PRINCIPAL: &str = "vpc-flow-logs.amazonaws.com";

/// The time that one record covers, in milliseconds.
const WINDOW_MS: i64 = 60_000;

/// AWS refuses a second flow log of a resource with the same traffic and destination.
pub(crate) fn is_duplicate(one: &FlowLog, other: &FlowLog) -> bool {
    let key = |log: &FlowLog| {
        (
            log.resource.clone(),
            log.traffic,
            log.destination_type,
            log.destination.clone(),
            log.log_group.clone(),
        )
    };
    key(one) == key(other)
}

/// The VPC of a flow log's resource, if that exists.
pub(crate) fn vpc_of(image: &Image, log: &FlowLog) -> Option<VpcId> {
    let resource = log.resource.as_str();
    if resource.starts_with("vpc-") {
        Some(VpcId(resource.to_owned()))
    } else if resource.starts_with("subnet-") {
        image.get::<Subnet>(resource).map(|subnet| subnet.vpc.clone())
    } else {
        image.get::<Interface>(resource).map(|interface| interface.vpc.clone())
    }
}

fn covers(log: &FlowLog, interface: &Interface) -> bool {
    let resource = log.resource.as_str();
    [interface.vpc.as_str(), interface.subnet.as_str(), interface.id.as_str()].contains(&resource)
}

/// The interfaces of a VPC whose packets are counted.
pub(crate) fn counted(image: &Image, vpc: &VpcId) -> BTreeSet<String> {
    let logs: Vec<_> = image.scan::<FlowLog>().collect();
    if logs.is_empty() {
        return BTreeSet::new();
    }
    let of_vpc = image.scan::<Interface>().filter(|i| i.vpc == *vpc);
    of_vpc.filter(|i| logs.iter().any(|log| covers(log, i))).map(|i| i.id.to_string()).collect()
}

/// The name of a log group of this account and region, from `arn:…:log-group:NAME` with or without `:*` behind it.
pub(crate) fn group_of(config: &Config, arn: &FlowLogDestination) -> Option<String> {
    let prefix = Arn::new("logs", &config.region, &config.account, "log-group:").to_string();
    let name = arn.as_str().strip_prefix(&prefix)?;
    let name = name.strip_suffix(":*").unwrap_or(name);
    (!name.is_empty() && !name.contains(':')).then(|| name.to_owned())
}

/// Delivers records for as long as the engine lives.
pub(crate) async fn deliver(store: Store, cloud: Arc<Cloud>, network: Arc<dyn Network>) {
    let mut changes = store.subscribe(&[FlowLog::TABLE]);
    let mut delivery = Delivery::new(store.clone(), Arc::clone(&cloud), network);
    let window_ms = WINDOW_MS / cloud.config.clock_speed;
    loop {
        let logs: Vec<Arc<FlowLog>> = store.read().scan::<FlowLog>().collect();
        if logs.is_empty() {
            delivery.pause();
            changes.changed().await;
            continue;
        }
        let now = cloud.clock.now().0;
        // Until the boundary itself: a record covers a whole minute.
        let wait_ms = (now / window_ms + 1) * window_ms - now;
        tokio::time::sleep(Duration::from_millis(u64::try_from(wait_ms).unwrap_or(1))).await;
        delivery.run(&logs).await;
    }
}
