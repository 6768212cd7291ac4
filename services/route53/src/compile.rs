//! Converts rows to the specification of the DNS plane. Pure.

use crate::{answers, names, system};
use escale_base::limits;
use escale_dns::{Data, Kind, Record, Resolver, Routing, Servers, Spec, Upstream, Zone};
use escale_service::{Config, Endpoint, Internet};
use escale_store::Image;
use escale_tables::{
    ec2::Vpc,
    route53::{self, HostedZone, RecordData, RecordSet, RecordType},
};
use std::sync::Arc;

/// The zones of the public servers and of each VPC's resolver.
pub(crate) fn spec(image: &Image, config: &Config, endpoints: &[Endpoint]) -> Spec {
    let zones: Vec<_> = image.scan::<HostedZone>().map(|row| (Arc::new(zone(image, &row)), row)).collect();
    let mut public = system::public(image, config);
    public.extend(zones.iter().filter(|(_, row)| !row.private).map(|(zone, _)| Arc::clone(zone)));
    let of_all = system::private(image, config);
    let of_aws = system::endpoints(endpoints);
    let resolver = |vpc: &Vpc| {
        let mut own = of_all.clone();
        let associated = || zones.iter().filter(|(_, row)| row.private && row.vpcs.contains(&vpc.id));
        own.extend(associated().map(|(zone, _)| Arc::clone(zone)));
        // As on AWS, a private zone of the user replaces the public names within it.
        let is_replaced =
            |zone: &Zone| associated().any(|(_, row)| names::within(&format!("{}.", zone.name), &row.name));
        own.extend(of_aws.iter().filter(|zone| !is_replaced(zone)).cloned());
        Resolver {
            zones: own,
            upstream: upstream(&config.internet),
            queries_per_second: Some(limits::dns::VPC_PACKETS_PER_SECOND),
        }
    };
    // As on AWS, a VPC without DNS support has no resolver.
    let vpcs = image.scan::<Vpc>().filter(|vpc| vpc.dns_support);
    let networks = vpcs.map(|vpc| (vpc.id.to_string(), resolver(&vpc))).collect();
    Spec { public, public_queries_per_second: None, outside: outside(&config.internet), networks }
}

/// The names of AWS's own endpoints, in all partitions. Those of this cloud's services have zones of their own
/// (`system::endpoints`). A service that this cloud lacks must not be found at AWS: the request would carry the task's
/// credentials there, or act on real resources.
const AWS: [&str; 7] = [
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "amazonwebservices.com.cn",
    "api.aws",
    "aws.dev",
    "on.aws",
];

/// Whether a name is one of AWS's own, which do not resolve unless the configuration allows them.
pub fn is_withheld(name: &str) -> bool {
    AWS.iter().any(|suffix| names::within(&format!("{name}."), &format!("{suffix}.")))
}

/// Answers for names outside of the cloud.
fn upstream(internet: &Internet) -> Option<Upstream> {
    match internet {
        Internet::None => None,
        Internet::Host { allowed_names } => Some(Upstream {
            servers: Servers::OfHost,
            withheld: AWS.map(str::to_owned).into(),
            allowed: allowed_names.clone(),
        }),
    }
}

/// The same for names that the edge looks up. Those below `localhost` are this cloud's, and never asked of a resolver (RFC 6761).
fn outside(internet: &Internet) -> Option<Upstream> {
    let mut upstream = upstream(internet)?;
    upstream.withheld.push("localhost".to_owned());
    Some(upstream)
}

/// Converts one hosted zone.
pub(crate) fn zone(image: &Image, row: &HostedZone) -> Zone {
    let prefix = format!("{}/", row.id);
    let sets: Vec<_> = image.prefix::<RecordSet>(&prefix).collect();
    // Sets of one name and type follow one another.
    let groups = sets.chunk_by(|a, b| a.name == b.name && a.kind == b.kind);
    let records = groups.flat_map(|group| answers::of(image, group)).map(record).collect();
    Zone { name: names::for_plane(&row.name), records }
}

fn record(set: &RecordSet) -> Record {
    let data = match &set.data {
        RecordData::Values { ttl_secs, values } => {
            let values = values.iter().map(|v| value(set.kind, v)).collect();
            Data::Values { ttl_secs: *ttl_secs, values }
        }
        RecordData::Alias { target, .. } => Data::Alias { target: names::for_plane(target) },
    };
    let routing = match &set.routing {
        // Of two sets with failover, one is left.
        route53::Routing::Simple | route53::Routing::Failover { .. } => Routing::Simple,
        route53::Routing::Weighted { weight, .. } => Routing::Weighted(*weight),
        route53::Routing::Multivalue { .. } => Routing::Multivalue,
    };
    Record { name: names::for_plane(&set.name), kind: kind(set.kind), data, routing }
}

/// A value that cannot be converted stays as it is: the plane's check then reports the fault.
fn value(kind: RecordType, text: &str) -> String {
    match kind {
        RecordType::Txt | RecordType::Caa => names::value_for_plane(text).unwrap_or_else(|_| text.to_owned()),
        _ => text.to_owned(),
    }
}

pub(crate) fn kind(kind: RecordType) -> Kind {
    match kind {
        RecordType::A => Kind::A,
        RecordType::Aaaa => Kind::AAAA,
        RecordType::Caa => Kind::CAA,
        RecordType::Cname => Kind::CNAME,
        RecordType::Mx => Kind::MX,
        RecordType::Ns => Kind::NS,
        RecordType::Ptr => Kind::PTR,
        RecordType::Soa => Kind::SOA,
        RecordType::Srv => Kind::SRV,
        RecordType::Txt => Kind::TXT,
    }
}
