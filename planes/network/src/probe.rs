//! Checks whether this kernel supports what networks are made of, by trying each part.
//!
//! Lists such as `/proc/modules` cannot answer that: the kernel loads most modules at their first use.

use crate::{
    firewall,
    namespace::Namespace,
    netlink::{ETH0, Netlink, Peer},
    spec::{self, Group, Interface, Kind, Ports, Protocol, Rule, VpcSpec, nth},
};
use escale_base::PlaneError;
use ipnet::Ipv4Net;
use std::{collections::BTreeSet, net::Ipv4Addr, path::Path};

/// A part that was tried, and why it failed.
#[derive(Debug)]
pub struct Probe {
    /// A part of the kernel: `veth`, `nf_tables`, `nf_conntrack`.
    pub part: &'static str,
    pub failed: Option<String>,
}

/// Tries each part once, in network namespaces that only this call uses and that end with it. Needs root and the
/// programs `nft` and `conntrack`. Must be called outside of a tokio runtime, or on a thread of its own.
pub fn probe() -> Vec<Probe> {
    let tried = std::thread::Builder::new().name("probe".into()).spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map(|runtime| runtime.block_on(all()))
    });
    match tried.map(|thread| thread.join()) {
        Ok(Ok(Ok(probes))) => probes,
        other => {
            vec![Probe { part: "network namespaces", failed: Some(format!("cannot test it: {other:?}")) }]
        }
    }
}

async fn all() -> Vec<Probe> {
    let name = |name| Namespace::create(Path::new(name));
    let (router, inside) = match (name("probe-router"), name("probe-inside")) {
        (Ok(router), Ok(inside)) => (router, inside),
        (Err(e), _) | (_, Err(e)) => {
            return vec![Probe { part: "network namespaces", failed: Some(e.to_string()) }];
        }
    };
    let probe =
        |part, tried: Result<(), PlaneError>| Probe { part, failed: tried.err().map(|e| e.to_string()) };
    vec![
        probe("veth", links(&router, &inside).await),
        probe("nf_tables", rules(&router).await),
        probe("nf_conntrack", flows(&router).await),
    ]
}

/// A pair of links as between a router and an interface, and a routing table that a mark selects.
async fn links(router: &Namespace, inside: &Namespace) -> Result<(), PlaneError> {
    let netlink = Netlink::open(router)?;
    let peer = Peer { name: "eth0", namespace: inside, index: Some(ETH0) };
    netlink.add_pair("probe", peer).await?;
    netlink.add_marked_table(firewall::table_id("probe")).await
}

/// The rules of a small network and of a NAT gateway: every kind of expression that Escale uses.
async fn rules(router: &Namespace) -> Result<(), PlaneError> {
    let spec = example();
    for set in [firewall::router(&spec), firewall::nat(spec.cidr, nth(spec.cidr, 9))] {
        let script = set.script(None).script;
        router.run("nft", &["-f", "-"], script).await?.good(|| "install firewall rules".to_owned())?;
    }
    Ok(())
}

async fn flows(router: &Namespace) -> Result<(), PlaneError> {
    let listed = router.run("conntrack", &["-L", "-f", "ipv4"], String::new()).await?;
    listed.good(|| "list tracked connections".to_owned()).map(drop)
}

/// A network with one interface, whose group has a rule of each kind.
fn example() -> VpcSpec {
    let cidr = Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 24);
    let from = |protocol, peer| Rule { protocol, peer };
    let ingress = vec![
        from(Protocol::Tcp(Ports::one(80)), spec::Peer::Cidr(cidr)),
        from(Protocol::Udp(Ports::ALL), spec::Peer::Group("probe".to_owned())),
        from(Protocol::Icmp { kind: Some(8), code: Some(0) }, spec::Peer::Prefixes(vec![cidr])),
    ];
    let groups = BTreeSet::from(["probe".to_owned()]);
    VpcSpec {
        name: "probe".to_owned(),
        cidr,
        service_addresses: BTreeSet::from([nth(cidr, 2)]),
        subnets: vec![],
        route_tables: vec![],
        interfaces: vec![Interface {
            name: "probe".to_owned(),
            subnet: "probe".to_owned(),
            address: nth(cidr, 10),
            public_address: Some(nth(spec::PUBLIC, 10)),
            groups,
            source_dest_check: true,
            kind: Kind::Plain,
        }],
        groups: vec![Group { name: "probe".to_owned(), ingress, egress: vec![] }],
        filters: vec![],
        peerings: Vec::new(),
        remote_groups: Vec::new(),
        counted: BTreeSet::new(),
        gateway_idle_s: 350,
        internet_gateway: true,
        revoked_flows: spec::RevokedFlows::Cut,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    fn failed(probes: &[Probe]) -> Vec<&Probe> {
        probes.iter().filter(|p| p.failed.is_some()).collect()
    }

    #[test]
    fn this_machine_passes() {
        let probes = probe();
        assert_eq!(probes.iter().map(|p| p.part).collect::<Vec<_>>(), ["veth", "nf_tables", "nf_conntrack"]);
        assert!(failed(&probes).is_empty(), "{probes:?}");
    }

    /// The probes leave the caller's own namespace alone.
    #[test]
    fn leaves_the_callers_namespace_unchanged() {
        let rules = || {
            let out = Command::new("nft").args(["list", "tables"]).stderr(Stdio::null()).output().unwrap();
            (out.stdout, std::fs::read_to_string("/proc/net/dev").unwrap().lines().count())
        };
        let before = rules();
        probe();
        assert_eq!(rules(), before);
    }
}
