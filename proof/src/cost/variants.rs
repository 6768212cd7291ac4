//! What redundancy costs and buys, and what would be cheaper.

use super::{HOURS, Line};
use crate::{
    graph::{Architecture, Database, Service},
    prices,
};
use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
pub struct Redundancy {
    pub resource: String,
    pub what: String,
    /// A month; `None` if a price in it has no source.
    pub monthly_usd: Option<f64>,
    /// What it buys: the failure, and its effect without the redundancy.
    pub buys: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct Variant {
    pub what: String,
    pub saves_usd: Option<f64>,
    /// The price in availability.
    pub loses: String,
}

/// The price of quantities of items; `None` if one has no source.
fn sum(region: &str, items: &[(&str, f64)]) -> Option<f64> {
    items.iter().map(|(item, quantity)| prices::of(item, region).map(|price| price.usd * quantity)).sum()
}

fn nat(arch: &Architecture) -> Option<f64> {
    sum(&arch.region, &[("nat.hour", HOURS), ("ipv4.hour", HOURS)])
}

fn standby(arch: &Architecture, database: &Database) -> Option<f64> {
    let server = format!("rds.{}.{}", database.engine, database.class);
    let storage = format!("rds.{}", database.storage_type);
    sum(&arch.region, &[(&server, HOURS), (&storage, database.storage_gb?)])
}

fn tasks(arch: &Architecture, service: &Service, count: u32) -> Option<f64> {
    if service.is_spot || service.is_arm {
        return None;
    }
    let hours = f64::from(count) * HOURS;
    sum(&arch.region, &[("fargate.vcpu", service.vcpu? * hours), ("fargate.gb", service.memory_gb? * hours)])
}

pub(super) fn redundancies(arch: &Architecture) -> Vec<Redundancy> {
    let mut all = Vec::new();
    for other in arch.nats.iter().skip(1) {
        all.push(Redundancy {
            resource: other.id.clone(),
            what: "one more NAT gateway, in a zone of its own".to_owned(),
            monthly_usd: nat(arch),
            buys: "Without it, a failure of the zone of the first NAT gateway cuts this zone's way to the Internet, and its traffic \
                   to the other zone is billed."
                .to_owned(),
        });
    }
    for database in arch.databases.iter().filter(|d| d.is_multi_az) {
        all.push(Redundancy {
            resource: database.id.clone(),
            what: "the standby in another zone".to_owned(),
            monthly_usd: standby(arch, database),
            buys: "Without it, a failure of the server or of its zone stops the database until it is restored from a backup, and the \
                   last minutes of writes are lost."
                .to_owned(),
        });
    }
    for service in arch.services.iter().filter(|s| s.count > 1) {
        all.push(Redundancy {
            resource: service.id.clone(),
            what: format!("{} more task(s), spread over the zones", service.count - 1),
            monthly_usd: tasks(arch, service, service.count - 1),
            buys: "Without them, the failure of a task or of its zone stops the service until a new task is healthy.".to_owned(),
        });
    }
    for balancer in arch.balancers.iter().filter(|b| !b.is_internal && b.subnets.len() > 1) {
        let more = balancer.subnets.len() - 1;
        all.push(Redundancy {
            resource: balancer.id.clone(),
            what: format!("{more} more node(s) of the load balancer: only their addresses are billed"),
            monthly_usd: sum(&arch.region, &[("ipv4.hour", HOURS * more as f64)]),
            buys: "An application load balancer needs two zones in any case; with them it survives the failure of one.".to_owned(),
        });
    }
    all
}

pub(super) fn cheaper(arch: &Architecture, lines: &[Line]) -> Vec<Variant> {
    let mut all = Vec::new();
    let others = arch.nats.len().saturating_sub(1);
    if others > 0 {
        all.push(Variant {
            what: format!("one NAT gateway instead of {}", arch.nats.len()),
            saves_usd: nat(arch).map(|one| one * others as f64),
            loses: "A failure of its zone cuts all tasks off the Internet: payments, mail and image pulls from outside fail. Traffic \
                    of users is not affected."
                .to_owned(),
        });
    }
    if !arch.nats.is_empty() {
        let of_nat = lines.iter().filter(|l| l.item.starts_with("nat."));
        let hours: Option<f64> = of_nat.map(|l| l.monthly_usd).sum();
        let count: u32 = arch.services.iter().map(|s| s.count).sum();
        let tasks = f64::from(count);
        let addresses = sum(&arch.region, &[("ipv4.hour", HOURS * (arch.nats.len() as f64 - tasks))]);
        all.push(Variant {
            what: "tasks in public subnets with addresses of their own, without NAT gateways".to_owned(),
            saves_usd: hours.zip(addresses).map(|(hours, addresses)| hours + addresses),
            loses: "Nothing in availability. In security: only security groups separate tasks from the Internet then.".to_owned(),
        });
    }
    for database in arch.databases.iter().filter(|d| d.is_multi_az) {
        all.push(Variant {
            what: format!("{} in one zone", database.id),
            saves_usd: standby(arch, database),
            loses: "A failure of the server or of its zone stops the application until the database is restored. Writes of the last \
                    minutes are lost."
                .to_owned(),
        });
    }
    let count: u32 = arch.services.iter().map(|s| s.count.saturating_sub(1)).sum();
    if count > 0 {
        let saved: Option<f64> =
            arch.services.iter().filter(|s| s.count > 1).map(|s| tasks(arch, s, s.count - 1)).sum();
        all.push(Variant {
            what: "one task for each service".to_owned(),
            saves_usd: saved,
            loses: "Each failure of a task or of its zone is an outage of its service until a new task is healthy.".to_owned(),
        });
    }
    all
}
