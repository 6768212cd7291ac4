//! Packets counted by flow, as the firewall decided.

use crate::{
    packets::{APP1, DB, WEB, host, open},
    rig::*,
};
use escale_network::*;

pub(crate) async fn counts_need_a_network_and_an_interface(network: &dyn Network) {
    let absent = network.take_flows("shop").await.unwrap_err();
    assert_eq!(absent.fault, escale_base::error::Fault::Asked, "{absent}");
    network.apply(shop()).await.unwrap();
    assert_eq!(network.take_flows("shop").await.unwrap(), Flows::default());
    let refused = network.apply(counted(&["nope"])).await.unwrap_err();
    assert_eq!(refused.fault, escale_base::error::Fault::Asked);
    assert!(refused.to_string().contains("'nope'"), "{refused}");
    network.apply(counted(&["app1"])).await.unwrap();
    assert_eq!(network.take_flows("shop").await.unwrap(), Flows::default());
}

fn counted(interfaces: &[&str]) -> VpcSpec {
    VpcSpec { counted: interfaces.iter().map(|i| (*i).to_owned()).collect(), ..shop() }
}

/// What an interface counted, without its own ports and the numbers of packets: `in accepted 6 10.0.0.10 8080`.
fn seen(flows: &Flows, interface: &str) -> Vec<String> {
    assert!(!flows.skipped);
    assert!(flows.counts.iter().all(|c| c.packets > 0 && c.bytes >= 20 * c.packets), "{flows:?}");
    let mut seen: Vec<String> = flows
        .counts
        .iter()
        .filter(|c| c.interface == interface)
        .map(|c| {
            let (way, peer) = if c.outbound { ("out", c.destination) } else { ("in", c.source) };
            let verdict = if c.accepted { "accepted" } else { "rejected" };
            let port = [c.source_port, c.destination_port].into_iter().find(|port| *port < 32768);
            format!("{way} {verdict} {} {peer} {}", c.protocol, port.unwrap_or(0))
        })
        .collect();
    seen.sort();
    seen.dedup();
    seen
}

#[tokio::test]
async fn counts_what_groups_and_borders_decide() {
    let rig = open().await;
    rig.network.apply(counted(&["web", "app1", "db", "nat"])).await.unwrap();
    reaches(&rig.at("web"), (APP1, 8080)).await;
    dropped(&rig.at("app2"), (APP1, 8080)).await;
    reaches(&rig.at("app1"), (SERVICE, 443)).await;
    let udp = rig.at("app1").udp_bind((APP1, 0).into()).await.unwrap();
    udp.send_to(b"four", (DB, 9)).await.unwrap();
    // The replies to the last packets of a connection are still on their way.
    let (mut stream, _) = connect(&rig.at("web"), (APP1, 8080)).await;
    assert!(echoes(&mut stream).await);
    let flows = rig.network.take_flows("shop").await.unwrap();
    let service = SERVICE.to_string();
    assert_eq!(seen(&flows, "web"), ["in accepted 6 10.0.10.11 8080", "out accepted 6 10.0.10.11 8080"]);
    let at_app = seen(&flows, "app1");
    for line in [
        "in accepted 6 10.0.0.10 8080",
        "in rejected 6 10.0.10.12 8080",
        "out accepted 6 10.0.0.10 8080",
        &format!("in accepted 6 {service} 443"),
        &format!("out accepted 6 {service} 443"),
        "out accepted 17 10.0.11.21 9",
    ] {
        assert!(at_app.contains(&line.to_owned()), "{line} in {at_app:?}");
    }
    assert_eq!(seen(&flows, "db"), ["in rejected 17 10.0.10.11 9"]);
    let datagram = flows.counts.iter().find(|c| c.interface == "db").unwrap();
    assert_eq!((datagram.packets, datagram.bytes), (1, 20 + 8 + 4));
    assert_eq!((datagram.source, datagram.destination), (APP1, DB));
    // Before and after translation, and the replies.
    let at_nat = seen(&flows, "nat");
    for line in ["in accepted 6 10.0.10.11 443", "out accepted 6 10.0.10.11 443"] {
        assert!(at_nat.contains(&line.to_owned()), "{line} in {at_nat:?}");
    }
    for way in ["in", "out"] {
        assert!(at_nat.contains(&format!("{way} accepted 6 {service} 443")), "{at_nat:?}");
    }
    assert!(seen(&flows, "app2").is_empty(), "it is not counted");

    // A border, on the way out of the sender's subnet and into the receiver's.
    let deny = FilterRule { allow: false, protocol: Protocol::Any, peer: "10.0.11.0/24".parse().unwrap() };
    let all = FilterRule { allow: true, peer: "0.0.0.0/0".parse().unwrap(), ..deny };
    for (subnet, sender, receiver) in [("app", "rejected", None), ("data", "accepted", Some("rejected"))] {
        let mut spec = counted(&["app1", "db"]);
        let own = FilterRule { peer: "10.0.10.0/24".parse().unwrap(), ..deny };
        let ingress = if subnet == "data" { vec![own, all] } else { vec![all] };
        spec.filters = vec![Filter { name: "f".into(), ingress, egress: vec![deny, all] }];
        spec.subnets.iter_mut().find(|s| s.name == subnet).unwrap().filter = Some("f".into());
        rig.network.apply(spec).await.unwrap();
        rig.network.take_flows("shop").await.unwrap();
        dropped(&rig.at("app1"), (DB, 5432)).await;
        let flows = rig.network.take_flows("shop").await.unwrap();
        assert_eq!(seen(&flows, "app1"), [format!("out {sender} 6 {DB} 5432")]);
        let expected: Vec<String> = receiver.iter().map(|v| format!("in {v} 6 {APP1} 5432")).collect();
        assert_eq!(seen(&flows, "db"), expected);
    }
}

#[tokio::test]
async fn counts_survive_a_restart_and_a_removed_interface() {
    let mut rig = open().await;
    rig.network.apply(counted(&["app1", "app2"])).await.unwrap();
    reaches(&rig.at("app2"), (WEB, 80)).await;
    reaches(&rig.at("app1"), (WEB, 80)).await;
    rig.restart().await;
    rig.network.apply(counted(&["app1", "app2"])).await.unwrap();
    let mut spec = counted(&["app1"]);
    spec.interfaces.retain(|i| i.name != "app2");
    dropped(&rig.at("app2"), (APP1, 8080)).await;
    rig.network.apply(spec).await.unwrap();
    let flows = rig.network.take_flows("shop").await.unwrap();
    assert!(seen(&flows, "app1").contains(&"out accepted 6 10.0.0.10 80".to_owned()), "{flows:?}");
    assert!(seen(&flows, "app2").contains(&"out accepted 6 10.0.10.11 8080".to_owned()), "{flows:?}");
    assert!(seen(&flows, "app2").contains(&"out accepted 6 10.0.0.10 80".to_owned()), "{flows:?}");

    rig.network.apply(shop()).await.unwrap();
    reaches(&host(&rig), (WEB_PUBLIC, 80)).await;
    assert_eq!(rig.network.take_flows("shop").await.unwrap(), Flows::default());
    let table = || {
        let router = rig.network.namespace_path(&Place::Router("shop".into()));
        let net = format!("--net={}", router.display());
        let list = std::process::Command::new("nsenter").args([&net, "nft", "list", "tables"]).output();
        String::from_utf8(list.unwrap().stdout).unwrap()
    };
    assert_eq!(table(), "table ip net\n", "without a counted interface nothing is left that costs time");
    rig.network.apply(counted(&["app1"])).await.unwrap();
    assert_eq!(table(), "table ip net\ntable ip flows\n");
}
