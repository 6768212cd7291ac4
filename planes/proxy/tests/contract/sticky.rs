//! Clients that stay with their target or group.

use super::parts::*;
use escale_base::Secret;
use escale_proxy::{Proxies, TargetState, spec::*};
use std::collections::BTreeSet;

/// The `name=value` pairs that the answer sets.
fn cookies(answer: &str) -> Vec<String> {
    let lines = answer.lines().filter_map(|l| l.strip_prefix("set-cookie: "));
    lines.map(|l| l.split(';').next().unwrap().to_owned()).collect()
}

fn named(answer: &str, name: &str) -> Option<String> {
    cookies(answer).into_iter().find(|cookie| cookie.split('=').next() == Some(name))
}

/// Which server answered: its port, from the Host of the health check's name.
async fn ask(running: &Running, cookie: Option<&str>) -> String {
    let cookie = cookie.map(|c| format!("Cookie: {c}\r\n")).unwrap_or_default();
    running.ask(&format!("GET / HTTP/1.1\r\nHost: x\r\n{cookie}\r\n")).await
}

/// Three servers that answer with different statuses, each in a round-robin.
async fn three(sticky: Sticky) -> (BalancerSpec, Vec<Server>) {
    let mut servers = Vec::new();
    for name in ["one", "two", "three"] {
        servers.push(Server::start(Behaviour::Named(name.into())).await);
    }
    let addrs: Vec<_> = servers.iter().map(|s| s.addr).collect();
    let mut group = group("g", &addrs);
    group.sticky = Some(sticky);
    let mut spec = balancer(vec![group]);
    spec.attributes.cookies.key = Secret::new("secret".into());
    (spec, servers)
}

fn body(answer: &str) -> &str {
    answer.rsplit('\n').next().unwrap()
}

#[tokio::test]
async fn client_stays_with_its_target_until_that_is_gone() {
    let (spec, mut servers) = three(Sticky::Own { seconds: 60 }).await;
    let running = Running::start(spec.clone()).await;
    let first = ask(&running, None).await;
    let (name, cookie) = (body(&first).to_owned(), named(&first, "TARGET").unwrap());
    assert_eq!(named(&first, "TARGET-CORS").unwrap(), cookie.replace("TARGET=", "TARGET-CORS="));
    assert!(first.contains("; Path=/; SameSite=None") && first.contains("; Expires="), "{first}");
    for _ in 0..5 {
        let again = ask(&running, Some(&format!("a=1; {cookie}"))).await;
        assert_eq!(body(&again), name);
        assert!(named(&again, "TARGET").is_some(), "each answer extends the session");
    }
    // One of the two is enough, as when a browser keeps only the other one.
    let cors = named(&first, "TARGET-CORS").unwrap();
    assert_eq!(body(&ask(&running, Some(&cors)).await), name);
    let mut others = BTreeSet::new();
    for _ in 0..6 {
        others.insert(body(&ask(&running, None).await).to_owned());
    }
    assert_eq!(others.len(), 3, "clients without a cookie go to all targets");

    // The target's server ends: it becomes unhealthy, and the client gets another one, for good.
    let at = ["one", "two", "three"].iter().position(|n| *n == name).unwrap();
    let addr = servers[at].addr;
    drop(servers.remove(at));
    let mut seen = running.plane.seen("web").unwrap();
    let is_out = |s: &escale_proxy::Seen| {
        s.targets.iter().any(|t| t.addr == addr && matches!(t.state, TargetState::Unhealthy(_)))
    };
    seen.wait_for(|s| is_out(s)).await.unwrap();
    let moved = ask(&running, Some(&cookie)).await;
    assert_ne!(body(&moved), name);
    let next = named(&moved, "TARGET").unwrap();
    for _ in 0..3 {
        assert_eq!(body(&ask(&running, Some(&next)).await), body(&moved));
    }
    // A target that is not in the group any more.
    let mut without = spec;
    without.groups[0].targets.retain(|t| t.addr != addr);
    running.plane.apply(without).await.unwrap();
    assert!(ask(&running, Some(&cookie)).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn forged_cookies_choose_nothing() {
    let (spec, _servers) = three(Sticky::Own { seconds: 60 }).await;
    let running = Running::start(spec).await;
    let cookie = named(&ask(&running, None).await, "TARGET").unwrap();
    let changed = cookie.replace(|c: char| c.is_ascii_digit(), "5");
    let mut seen = BTreeSet::new();
    for _ in 0..6 {
        seen.insert(body(&ask(&running, Some(&changed)).await).to_owned());
    }
    assert_eq!(seen.len(), 3);
}

#[tokio::test]
async fn session_of_the_application_begins_and_ends_with_its_cookie() {
    let (spec, _servers) = three(Sticky::Application { cookie: "SESSION".into(), seconds: 60 }).await;
    let running = Running::start(spec).await;
    // The servers set the cookie for this path only.
    assert_eq!(cookies(&ask(&running, None).await), Vec::<String>::new());
    let login = running.ask("GET /login HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let (name, own) = (body(&login).to_owned(), named(&login, "APPLICATION").unwrap());
    assert!(named(&login, "SESSION").is_some() && named(&login, "APPLICATION-CORS").is_none());
    for _ in 0..4 {
        let again = ask(&running, Some(&format!("SESSION=1; {own}"))).await;
        assert_eq!(body(&again), name);
        assert!(named(&again, "APPLICATION").is_some());
    }
    let mut seen = BTreeSet::new();
    for _ in 0..6 {
        let answer = ask(&running, Some(&own)).await;
        assert_eq!(named(&answer, "APPLICATION"), None);
        seen.insert(body(&answer).to_owned());
    }
    assert_eq!(seen.len(), 3, "without the application's cookie");
}

#[tokio::test]
async fn client_stays_with_the_group_of_a_rule() {
    let (a, b) = (
        Server::start(Behaviour::Named("a".into())).await,
        Server::start(Behaviour::Named("b".into())).await,
    );
    let mut spec = balancer(vec![group("a", &[a.addr]), group("b", &[b.addr])]);
    let weighted = |group: &str| Weighted { group: group.into(), weight: 1 };
    let groups = vec![weighted("a"), weighted("b")];
    spec.listeners[0].default = Action::Forward(Forward { groups, sticky_s: Some(60) });
    let running = Running::start(spec).await;
    let first = ask(&running, None).await;
    let cookie = named(&first, "GROUP").unwrap();
    assert!(named(&first, "GROUP-CORS").is_some());
    for _ in 0..10 {
        assert_eq!(body(&ask(&running, Some(&cookie)).await), body(&first));
    }
    let mut seen = BTreeSet::new();
    for _ in 0..40 {
        seen.insert(body(&ask(&running, None).await).to_owned());
    }
    assert_eq!(seen.len(), 2);
}
