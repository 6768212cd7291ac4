//! Packets and connections of NAT gateways.
//!
//! Source: <https://docs.aws.amazon.com/vpc/latest/userguide/metrics-dimensions-nat-gateway.html>

use super::{
    batch::{Batch, Name},
    counters::Counters,
};
use crate::choices::StandardUnit;
use escale_metrics::Summary;
use escale_network::{Network, Translations};
use escale_store::Store;
use escale_tables::ec2::NatGateway;

pub(super) async fn read(store: &Store, network: &dyn Network, counters: &mut Counters, batch: &mut Batch) {
    let gateways: Vec<_> = store.read().scan::<NatGateway>().filter(|g| g.deleted.is_none()).collect();
    for gateway in gateways {
        let Some(interface) = &gateway.interface else { continue };
        // A gateway that does not exist yet has no values.
        let Ok(Some(counted)) = network.translations(gateway.vpc.as_str(), interface.as_str()).await else {
            continue;
        };
        let (id, now) = (gateway.id.as_str(), batch.pass.now);
        let since =
            |what: &str, value| counters.since(format!("{id}/{what}"), value, gateway.created, now) as f64;
        for (name, unit, value) in values(&counted, since) {
            let name = Name { space: "AWS/NATGateway", name, unit };
            batch.minute(name, &[&[("NatGatewayId", id)]], &Summary::of(value));
        }
    }
}

fn values(
    counted: &Translations,
    mut since: impl FnMut(&str, u64) -> f64,
) -> Vec<(&'static str, StandardUnit, f64)> {
    let (mut values, count) = (Vec::new(), StandardUnit::Count);
    let traffic = [
        ("BytesInFromSource", "PacketsInFromSource", counted.in_from_source),
        ("BytesOutToDestination", "PacketsOutToDestination", counted.out_to_destination),
        ("BytesInFromDestination", "PacketsInFromDestination", counted.in_from_destination),
        ("BytesOutToSource", "PacketsOutToSource", counted.out_to_source),
    ];
    for (bytes, packets, traffic) in traffic {
        values.push((bytes, StandardUnit::Bytes, since(bytes, traffic.bytes)));
        values.push((packets, count, since(packets, traffic.packets)));
    }
    let connections =
        [("ConnectionAttemptCount", counted.attempts), ("ConnectionEstablishedCount", counted.established)];
    values.extend(connections.map(|(name, value)| (name, count, since(name, value))));
    values.extend(counted.active.map(|active| ("ActiveConnectionCount", count, active as f64)));
    let without = counted.without_port.map(|failed| since("ErrorPortAllocation", failed));
    values.extend(without.map(|failed| ("ErrorPortAllocation", count, failed)));
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use escale_base::Timestamp;
    use escale_network::Traffic;

    #[test]
    fn counts_are_those_since_the_last_minute() {
        let mut counters = Counters::new(Timestamp(0));
        let mut at = |packets, attempts, active| {
            let counted = Translations {
                in_from_source: Traffic { packets, bytes: packets * 100 },
                attempts,
                active,
                ..Translations::default()
            };
            values(&counted, |what, value| counters.since(what.to_owned(), value, Timestamp(1), 0) as f64)
        };
        let value = |values: &[(&str, StandardUnit, f64)], wanted: &str| {
            values.iter().find(|(name, ..)| *name == wanted).map(|(.., value)| *value)
        };
        let first = at(10, 2, Some(4));
        assert_eq!(value(&first, "BytesInFromSource"), Some(1000.0));
        let second = at(15, 2, None);
        assert_eq!(value(&second, "PacketsInFromSource"), Some(5.0));
        assert_eq!(
            (value(&second, "ConnectionAttemptCount"), value(&first, "ActiveConnectionCount")),
            (Some(0.0), Some(4.0))
        );
        assert_eq!(value(&second, "ActiveConnectionCount"), None, "not measured");
        assert_eq!(value(&second, "ErrorPortAllocation"), None, "not measured");
    }
}
