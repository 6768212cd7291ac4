//! The contract of every `Proxies`.

use super::parts::{balancer, forward_to, group};
use escale_proxy::{ListenerSeen, Proxies, TargetState, spec::*};

pub(crate) async fn keeps_the_contract(plane: &dyn Proxies, target: std::net::SocketAddr) {
    assert!(plane.seen("web").is_none());
    let mut spec = balancer(vec![group("used", &[target]), group("spare", &[target])]);
    plane.apply(spec.clone()).await.unwrap();
    plane.apply(spec.clone()).await.unwrap();
    assert_eq!(plane.names(), ["web"]);

    let mut seen = plane.seen("web").unwrap();
    let state = |seen: &escale_proxy::Seen, group: &str| {
        seen.targets.iter().find(|t| t.group == group).map(|t| t.state.clone())
    };
    let now = seen.wait_for(|s| state(s, "used") == Some(TargetState::Healthy)).await.unwrap().clone();
    assert!(matches!(&now.listeners[..], [ListenerSeen { node, state: Ok(_), .. }] if node == "n1"));
    assert_eq!(state(&now, "spare"), Some(TargetState::Unused));
    assert_eq!(now.targets[0].nodes, [("n1".to_owned(), TargetState::Healthy)]);
    assert_eq!(plane.counts("web").await.unwrap().unwrap()[0].zone, "a");

    // A target in a zone without a node is not used.
    spec.groups[0].targets[0].zone = Some("elsewhere".into());
    plane.apply(spec.clone()).await.unwrap();
    seen.wait_for(|s| state(s, "used") == Some(TargetState::Unused)).await.unwrap();

    spec.groups[0].targets[0] = TargetSpec { addr: target, zone: None, draining: true };
    plane.apply(spec.clone()).await.unwrap();
    seen.wait_for(|s| state(s, "used") == Some(TargetState::Drained)).await.unwrap();
    // Registered again, it starts as a new target.
    spec.groups[0].targets[0].draining = false;
    plane.apply(spec.clone()).await.unwrap();
    seen.wait_for(|s| state(s, "used") == Some(TargetState::Healthy)).await.unwrap();

    let mut wrong = spec.clone();
    wrong.listeners[0].default = forward_to("nowhere");
    let error = plane.apply(wrong).await.unwrap_err();
    assert_eq!(
        error.what,
        "balancer 'web', listener 0, default action: it forwards to group 'nowhere', which is not in the spec"
    );
    assert_eq!(
        state(&seen.borrow(), "used"),
        Some(TargetState::Healthy),
        "a refused spec must change nothing"
    );

    plane.remove("web").await.unwrap();
    plane.remove("web").await.unwrap();
    assert!(plane.seen("web").is_none());
    assert!(seen.wait_for(|_| false).await.is_err(), "the channel must close");
}
