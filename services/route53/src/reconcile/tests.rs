//! Tests of answers without packets, and of the reconcilers' plans.

use super::{Parts, checkups, checkups::Checkups, servers::Servers, servers::Step, zones::Zones};
use crate::checker::{self, Checks};
use async_trait::async_trait;
use escale_base::{Clock, Timestamp};
use escale_dns::{Code, FakeDns, Kind, View};
use escale_engine::{Plan, Reconciler};
use escale_faults::{
    Driven, Fate, Risky, Stage, survives_failure_at_each_step, survives_repeat,
    survives_withdrawal_at_each_step,
};
use escale_network::Place;
use escale_service::{Config, Endpoint, Internet};
use escale_store::{Row, Store, StoreError};
use escale_tables::{
    cloudfront::DistributionName,
    ec2::{Vpc, VpcSeen},
    elbv2::LoadBalancerName,
    rds::RdsEndpoint,
    route53::{
        ChangeCounter, DnsServer, Failover, HealthCheck, HealthCheckSeen, HostedZone, RecordData, RecordSet,
        RecordType, Routing,
    },
};
use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

fn parts(dir: &tempfile::TempDir, run: &str) -> Parts {
    Parts {
        store: Store::open(&dir.path().join("state.db"), &escale_tables::all()).unwrap(),
        config: Arc::new(Config { dns_port: 0, ..Config::default() }),
        endpoints: Arc::new([]),
        clock: Clock::by_hand(Timestamp(0)),
        dns: Arc::new(FakeDns::new()),
        run: run.into(),
    }
}

fn put<R: Row>(parts: &Parts, row: R) {
    let put: Result<(), StoreError> = parts.store.write(|tx| {
        tx.put(row);
        Ok(())
    });
    put.unwrap();
}

fn vpc(id: &str) -> Vpc {
    Vpc {
        id: id.into(),
        cidr: "10.0.0.0/16".parse().unwrap(),
        dns_support: true,
        dns_hostnames: false,
        tags: vec![],
        created: Timestamp(0),
    }
}

fn zone(parts: &Parts, id: &str, name: &str, vpcs: &[&str]) {
    put(
        parts,
        HostedZone {
            id: id.into(),
            name: name.into(),
            caller_reference: id.into(),
            comment: None,
            private: !vpcs.is_empty(),
            vpcs: vpcs.iter().map(|v| (*v).into()).collect(),
            tags: vec![],
            linked_service: None,
            created: Timestamp(0),
        },
    );
    let soa = "ns-1.dns.localhost. hostmaster.dns.localhost. 1 7200 900 1209600 86400";
    record(parts, id, name, RecordType::Soa, values(&[soa]));
}

fn values(values: &[&str]) -> RecordData {
    RecordData::Values { ttl_secs: 60, values: values.iter().map(|v| (*v).to_owned()).collect() }
}

fn alias(target: &str) -> RecordData {
    RecordData::Alias { zone: "Z".into(), target: target.into(), evaluate_target_health: true }
}

fn record(parts: &Parts, zone: &str, name: &str, kind: RecordType, data: RecordData) {
    put(
        parts,
        RecordSet {
            zone: zone.into(),
            name: name.into(),
            kind,
            data,
            routing: Routing::Simple,
            health_check: None,
        },
    );
}

async fn apply(zones: &Zones) {
    let plan = zones.plan(&zones.0.store.read(), "zones", Timestamp(0));
    match plan {
        Plan::Step(step) => zones.act("zones", step).await.unwrap(),
        other => panic!("{other:?}"),
    }
}

fn answer(parts: &Parts, view: &View, name: &str) -> (Code, Vec<String>) {
    let answer = parts.dns.ask(view, name, Kind::A).unwrap();
    (answer.code, answer.records.into_iter().map(|r| r.value).collect())
}

fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(198, 18, 9, last)
}

#[tokio::test]
async fn answers_depend_on_the_view() {
    let dir = tempfile::tempdir().unwrap();
    let parts = parts(&dir, "one");
    put(&parts, vpc("vpc-a"));
    put(&parts, vpc("vpc-b"));
    let name = "web-1.eu-west-3.elb.localhost".to_owned();
    put(
        &parts,
        LoadBalancerName {
            name: name.into(),
            addresses: vec![address(1)],
            public: true,
            vpc: "vpc-a".into(),
        },
    );
    let name = "internal-api-1.eu-west-3.elb.escale.internal".to_owned();
    let inside = Ipv4Addr::new(10, 0, 2, 7);
    put(
        &parts,
        LoadBalancerName { name: name.into(), addresses: vec![inside], public: false, vpc: "vpc-a".into() },
    );
    put(&parts, DistributionName { name: "d1.cloudfront.localhost".into(), addresses: vec![address(2)] });
    put(&parts, DistributionName { name: "stray.elsewhere".into(), addresses: vec![address(2)] });
    let name = "db.eu-west-3.rds.escale.internal".to_owned();
    put(&parts, RdsEndpoint { name, address: Ipv4Addr::new(10, 0, 1, 4), vpc: "vpc-a".into(), ttl_secs: 5 });
    zone(&parts, "Z1", "shop.localhost.", &[]);
    record(&parts, "Z1", "shop.localhost.", RecordType::A, alias("web-1.eu-west-3.elb.localhost."));
    record(&parts, "Z1", "\\052.shop.localhost.", RecordType::A, alias("d1.cloudfront.localhost."));
    zone(&parts, "Z2", "inner.test.", &["vpc-a"]);
    record(&parts, "Z2", "x.inner.test.", RecordType::A, values(&["10.0.0.9"]));
    record(&parts, "Z2", "lb.inner.test.", RecordType::A, alias("web-1.eu-west-3.elb.localhost."));
    let internal = "internal-api-1.eu-west-3.elb.escale.internal";
    record(&parts, "Z1", "api.shop.localhost.", RecordType::A, alias(&format!("{internal}.")));
    record(&parts, "Z2", "api.inner.test.", RecordType::A, alias(&format!("{internal}.")));
    apply(&Zones(parts.clone())).await;

    let (public, a, b) = (View::Public, View::Network("vpc-a".into()), View::Network("vpc-b".into()));
    for (view, name, expected) in [
        (&public, "shop.localhost", "198.18.9.1"),
        (&public, "any.shop.localhost", "198.18.9.2"),
        (&public, "web-1.eu-west-3.elb.localhost", "198.18.9.1"),
        (&public, "ns-1.dns.localhost", "198.18.0.5"),
        (&a, "shop.localhost", "198.18.9.1"),
        (&a, "lb.inner.test", "198.18.9.1"),
        (&a, "x.inner.test", "10.0.0.9"),
        (&a, "db.eu-west-3.rds.escale.internal", "10.0.1.4"),
        (&b, "db.eu-west-3.rds.escale.internal", "10.0.1.4"),
        (&b, "api.escale.internal", "198.18.0.2"),
        (&b, "s3.escale.internal", "198.18.0.3"),
        // As on AWS: an internal load balancer's name is public, its addresses are private.
        (&public, internal, "10.0.2.7"),
        (&public, "api.shop.localhost", "10.0.2.7"),
        (&a, internal, "10.0.2.7"),
        (&b, internal, "10.0.2.7"),
        (&a, "api.inner.test", "10.0.2.7"),
    ] {
        assert_eq!(answer(&parts, view, name), (Code::NoError, vec![expected.to_owned()]), "{view} {name}");
    }
    assert_eq!(answer(&parts, &public, "x.inner.test").0, Code::Refused);
    assert_eq!(answer(&parts, &public, "api.escale.internal").0, Code::Refused);
    assert_eq!(answer(&parts, &public, "gone.elb.localhost").0, Code::NoSuchName);
    assert_ne!(answer(&parts, &b, "x.inner.test").0, Code::NoError);
}

#[tokio::test]
async fn other_names_are_the_hosts_except_those_of_aws() {
    let dir = tempfile::tempdir().unwrap();
    let mut parts = parts(&dir, "first");
    put(&parts, vpc("vpc-a"));
    let view = View::Network("vpc-a".into());
    for (internet, ordinary, sqs, sns) in [
        (Internet::None, Code::ServerFailure, Code::ServerFailure, Code::ServerFailure),
        (Internet::Host { allowed_names: vec![] }, Code::Forwarded, Code::NoSuchName, Code::NoSuchName),
        (
            Internet::Host { allowed_names: vec!["sqs.eu-west-3.amazonaws.com".into()] },
            Code::Forwarded,
            Code::Forwarded,
            Code::NoSuchName,
        ),
    ] {
        parts.config = Arc::new(Config { internet, ..(*parts.config).clone() });
        // Another run, since the rows did not change.
        parts.run = format!("{:?}", parts.config.internet).as_str().into();
        apply(&Zones(parts.clone())).await;
        assert_eq!(answer(&parts, &view, "www.example.org").0, ordinary);
        assert_eq!(answer(&parts, &view, "sqs.eu-west-3.amazonaws.com").0, sqs);
        assert_eq!(answer(&parts, &view, "sns.eu-west-3.amazonaws.com").0, sns);
        assert_eq!(answer(&parts, &view, "api.escale.internal").0, Code::NoError);
    }
}

#[tokio::test]
async fn names_of_aws_are_the_clouds_unless_a_private_zone_has_them() {
    let dir = tempfile::tempdir().unwrap();
    let endpoint = |name: &str, has_names_below, last| {
        let address = Ipv4Addr::new(198, 18, 0, last);
        Endpoint { name: format!("{name}.amazonaws.com"), has_names_below, address }
    };
    let endpoints =
        [endpoint("sts", false, 2), endpoint("ec2.eu-west-3", false, 2), endpoint("s3.eu-west-3", true, 3)];
    let parts = Parts { endpoints: endpoints.into(), ..parts(&dir, "first") };
    put(&parts, vpc("vpc-a"));
    put(&parts, vpc("vpc-b"));
    zone(&parts, "Z1", "s3.eu-west-3.amazonaws.com.", &["vpc-b"]);
    record(&parts, "Z1", "s3.eu-west-3.amazonaws.com.", RecordType::A, values(&["10.0.0.8"]));
    apply(&Zones(parts.clone())).await;
    let (a, b) = (View::Network("vpc-a".into()), View::Network("vpc-b".into()));
    for (view, name, expected) in [
        (&a, "sts", Some("198.18.0.2")),
        (&a, "STS", Some("198.18.0.2")),
        (&a, "x.sts", None),
        (&a, "s3.eu-west-3", Some("198.18.0.3")),
        (&a, "media.s3.eu-west-3", Some("198.18.0.3")),
        (&a, "my.media.s3.eu-west-3", Some("198.18.0.3")),
        (&a, "sqs.eu-west-3", None),
        (&b, "ec2.eu-west-3", Some("198.18.0.2")),
        (&b, "s3.eu-west-3", Some("10.0.0.8")),
        (&b, "media.s3.eu-west-3", None),
        // The host and the Internet have AWS's own names.
        (&View::Public, "sts", None),
    ] {
        let (code, addresses) = answer(&parts, view, &format!("{name}.amazonaws.com"));
        assert_eq!(
            addresses,
            expected.map(str::to_owned).into_iter().collect::<Vec<_>>(),
            "{view} {name} {code:?}"
        );
    }
}

#[tokio::test]
async fn applies_again_after_restart() {
    let dir = tempfile::tempdir().unwrap();
    let first = Zones(parts(&dir, "one"));
    apply(&first).await;
    assert!(matches!(first.plan(&first.0.store.read(), "zones", Timestamp(0)), Plan::Done));
    put(&first.0, ChangeCounter { last: 1 });
    apply(&first).await;
    assert!(matches!(first.plan(&first.0.store.read(), "zones", Timestamp(0)), Plan::Done));
    let second = Zones(Parts { run: "two".into(), ..first.0.clone() });
    assert!(matches!(second.plan(&second.0.store.read(), "zones", Timestamp(0)), Plan::Step(_)));
}

#[tokio::test]
async fn runs_a_server_while_its_vpc_exists() {
    let dir = tempfile::tempdir().unwrap();
    let parts = parts(&dir, "one");
    let servers = Servers::new(parts.clone());
    let plan = |key: &str| servers.plan(&parts.store.read(), key, Timestamp(0));
    assert_eq!(plan("vpc-a"), Plan::Done);
    put(&parts, vpc("vpc-a"));
    assert_eq!(plan("vpc-a"), Plan::Done);
    put(
        &parts,
        VpcSeen { id: "vpc-a".into(), applied: String::new().into(), router: None, at: Timestamp(0) },
    );
    assert!(matches!(plan("vpc-a"), Plan::Wait { .. }));
    apply(&Zones(parts.clone())).await;
    let serve = Step::Serve {
        place: Some(Place::Router("vpc-a".into())),
        address: "10.0.0.2:53".parse().unwrap(),
        view: View::Network("vpc-a".into()),
    };
    assert_eq!(plan("vpc-a"), Plan::Step(serve));
    let row = |run: &str| DnsServer {
        place: "vpc-a".into(),
        run: run.into(),
        address: "10.0.0.2:53".parse().unwrap(),
        at: Timestamp(0),
    };
    put(&parts, row("one"));
    assert_eq!(plan("vpc-a"), Plan::Done);
    put(&parts, row("older"));
    assert!(matches!(plan("vpc-a"), Plan::Step(Step::Serve { .. })));
    put(&parts, Vpc { dns_support: false, ..vpc("vpc-a") });
    assert_eq!(plan("vpc-a"), Plan::Step(Step::Stop));
    servers.act("vpc-a", Step::Stop).await.unwrap();
    assert_eq!(plan("vpc-a"), Plan::Done);
}

#[tokio::test]
async fn serves_the_host_also_after_a_repeated_step() {
    let dir = tempfile::tempdir().unwrap();
    let parts = parts(&dir, "one");
    apply(&Zones(parts.clone())).await;
    let servers = Servers::new(parts.clone());
    for _ in 0..2 {
        let step = servers.wish(&parts.store.read(), DnsServer::LOOPBACK).unwrap();
        servers.act(DnsServer::LOOPBACK, step).await.unwrap();
        let row = parts.store.read().get::<DnsServer>(DnsServer::LOOPBACK).unwrap();
        assert!(row.address.ip().is_loopback() && row.address.port() != 0);
    }
    assert_eq!(servers.plan(&parts.store.read(), DnsServer::LOOPBACK, Timestamp(0)), Plan::Done);
}

struct Harness {
    parts: Parts,
    all: (Zones, Servers),
    _dir: tempfile::TempDir,
}

#[async_trait]
impl Stage for Harness {
    fn store(&self) -> &Store {
        &self.parts.store
    }
    fn clock(&self) -> &Clock {
        &self.parts.clock
    }
    fn reconcilers(&self) -> Vec<&dyn Driven> {
        vec![&self.all.0, &self.all.1]
    }
    /// The run of the VPC's server, and its answer.
    async fn world(&self) -> String {
        let image = self.parts.store.read();
        let server = image.get::<DnsServer>("vpc-a").map(|s| s.run.clone());
        let answer = self.parts.dns.ask(&View::Network("vpc-a".into()), "x.inner.test", Kind::A);
        let answer = answer.map(|a| a.records.into_iter().map(|r| r.value).collect::<Vec<_>>());
        format!("{server:?} {answer:?}")
    }
}

/// An available VPC with a private zone.
async fn with_private_zone(fate: Arc<dyn Fate>) -> Harness {
    let dir = tempfile::tempdir().unwrap();
    let plain = parts(&dir, "one");
    put(&plain, vpc("vpc-a"));
    put(
        &plain,
        VpcSeen { id: "vpc-a".into(), applied: String::new().into(), router: None, at: Timestamp(0) },
    );
    zone(&plain, "Z1", "inner.test.", &["vpc-a"]);
    record(&plain, "Z1", "x.inner.test.", RecordType::A, values(&["10.0.0.9"]));
    let parts = Parts { dns: Risky::new(&plain.dns, &fate), ..plain };
    Harness { all: (Zones(parts.clone()), Servers::new(parts.clone())), parts, _dir: dir }
}

#[tokio::test]
async fn survives() {
    survives_repeat(with_private_zone).await;
    survives_failure_at_each_step(with_private_zone).await;
    survives_withdrawal_at_each_step(with_private_zone, |harness| {
        let deleted = harness.parts.store.write(|tx| {
            tx.delete::<Vpc>("vpc-a");
            tx.delete::<VpcSeen>("vpc-a");
            Ok::<_, StoreError>(())
        });
        deleted.unwrap();
    })
    .await;
}

/// An endpoint that the test breaks and repairs.
#[derive(Default)]
struct FakeEndpoint(AtomicBool);

#[async_trait]
impl Checks for FakeEndpoint {
    async fn check(&self, _: &checker::Endpoint) -> Result<String, String> {
        if self.0.load(Relaxed) { Err("broken".into()) } else { Ok("fine".into()) }
    }
}

#[tokio::test]
async fn failed_checks_take_the_primary_out_of_the_answers() {
    let dir = tempfile::tempdir().unwrap();
    let parts = parts(&dir, "one");
    zone(&parts, "Z1", "example.com.", &[]);
    for (id, failover, value) in
        [("a", Failover::Primary, "192.0.2.1"), ("b", Failover::Secondary, "192.0.2.2")]
    {
        let (zone, name, data) = ("Z1".into(), "www.example.com.".into(), values(&[value]));
        let routing = Routing::Failover { set_identifier: id.into(), failover };
        let health_check = (id == "a").then(|| "a".into());
        put(&parts, RecordSet { zone, name, kind: RecordType::A, data, routing, health_check });
    }
    let mut check = crate::health::tests::check("a");
    check.config.failure_threshold = Some(2);
    check.config.request_interval = Some(10);
    put(&parts, check);
    let endpoint = Arc::new(FakeEndpoint::default());
    let checkups = Checkups::new(parts.clone(), Arc::clone(&endpoint) as _);
    let zones = Zones(parts.clone());
    let plan = || checkups.plan(&parts.store.read(), "a", parts.clock.now());
    for (broken, expected) in [
        (false, "192.0.2.1"),
        (true, "192.0.2.1"),
        (true, "192.0.2.2"),
        (false, "192.0.2.2"),
        (false, "192.0.2.1"),
    ] {
        endpoint.0.store(broken, Relaxed);
        let Plan::Step(step) = plan() else { panic!("the check is due: {:?}", plan()) };
        checkups.act("a", step).await.unwrap();
        assert!(matches!(plan(), Plan::Wait { .. }), "until the interval ends");
        parts.clock.advance_ms(10_000);
        let plan = zones.plan(&parts.store.read(), "zones", parts.clock.now());
        if let Plan::Step(step) = plan {
            zones.act("zones", step).await.unwrap();
        }
        assert_eq!(answer(&parts, &View::Public, "www.example.com").1, [expected]);
    }
    parts.store.write(|tx| Ok::<_, StoreError>(tx.delete::<HealthCheck>("a"))).unwrap();
    assert_eq!(plan(), Plan::Step(checkups::Step::Forget));
    checkups.act("a", checkups::Step::Forget).await.unwrap();
    assert!(!parts.store.read().has::<HealthCheckSeen>("a"));
}
