//! Tests with the fake plane.

use super::*;
use crate::{Acm, choices::CertificateStatus};
use escale_authority::FakeAuthorities;
use escale_base::wire::Value;
use escale_faults::{
    Driven, Fate, FaultAt, Risky, Stage, survives_failure_at_each_step, survives_repeat,
    survives_withdrawal_at_each_step,
};
use escale_harness::Harness;
use escale_tables::{
    elbv2::ListenerTls,
    route53::{CanonicalName, RecordData, RecordSet, RecordType, Routing},
};
use serde_json::json;

struct Fixture {
    cloud: Harness,
    reconciler: Certificates,
    arn: String,
}

const NAMES: [&str; 2] = ["shop.test", "*.shop.test"];

impl Fixture {
    /// With a requested certificate.
    fn new(fate: Arc<dyn Fate>) -> Fixture {
        let cloud = Harness::of(Acm);
        let input =
            json!({"DomainName": NAMES[0], "SubjectAlternativeNames": NAMES, "ValidationMethod": "DNS"});
        let arn = cloud.text("RequestCertificate", input, "/CertificateArn");
        let reconciler = Certificates {
            store: cloud.store.clone(),
            clock: cloud.clock.clone(),
            config: Arc::clone(&cloud.cloud.config),
            authority: Risky::new(&Arc::new(FakeAuthorities::new().unwrap()), &fate),
        };
        Fixture { cloud, reconciler, arn }
    }

    fn unproven() -> Fixture {
        Fixture::new(Arc::new(FaultAt::never()))
    }

    fn proven(fate: Arc<dyn Fate>) -> Fixture {
        let fixture = Fixture::new(fate);
        fixture.zone("shop.test.", false);
        fixture.record("shop.test.", &fixture.proof().value);
        fixture
    }

    fn proof(&self) -> validation::Proof {
        validation::proof(&self.cloud.cloud.config.account, NAMES[0])
    }

    fn zone(&self, name: &str, private: bool) {
        let zone = HostedZone {
            id: format!("Z{name}{private}").as_str().into(),
            name: name.into(),
            caller_reference: name.into(),
            comment: None,
            private,
            linked_service: None,
            vpcs: Vec::new(),
            tags: Vec::new(),
            created: self.cloud.clock.now(),
        };
        self.cloud.write(|tx| tx.put(zone));
    }

    fn record(&self, zone: &str, value: &str) {
        let set = RecordSet {
            zone: format!("Z{zone}false").as_str().into(),
            name: CanonicalName(self.proof().name),
            kind: RecordType::Cname,
            data: RecordData::Values { ttl_secs: 60, values: vec![value.to_owned()] },
            routing: Routing::Simple,
            health_check: None,
        };
        self.cloud.write(|tx| tx.put(set));
    }

    fn use_it(&self) {
        let tls = ListenerTls {
            listener: "listener".into(),
            load_balancer: "balancer".into(),
            policy: "policy".into(),
            certificates: vec![self.arn.as_str().into()],
        };
        self.cloud.write(|tx| tx.put(tls));
    }

    fn plan(&self) -> Plan<Step> {
        self.reconciler.plan(&self.cloud.store.read(), &self.arn, self.cloud.clock.now())
    }

    async fn step(&self) {
        let Plan::Step(step) = self.plan() else { panic!("no step: {:?}", self.plan()) };
        self.reconciler.act(&self.arn, step).await.unwrap();
    }

    fn describe(&self) -> Value {
        self.cloud.ok("DescribeCertificate", json!({"CertificateArn": self.arn}))["Certificate"].clone()
    }

    fn status(&self) -> String {
        self.describe()["Status"].as_str().unwrap().to_owned()
    }
}

#[async_trait::async_trait]
impl Stage for Fixture {
    fn store(&self) -> &Store {
        &self.cloud.store
    }
    fn clock(&self) -> &Clock {
        &self.cloud.clock
    }
    fn reconcilers(&self) -> Vec<&dyn Driven> {
        vec![&self.reconciler]
    }
    async fn world(&self) -> String {
        let image = self.cloud.store.read();
        let seen =
            image.scan::<CertificateSeen>().map(|seen| (seen.arn == *self.arn, seen.material.not_after));
        format!("{:?}", seen.collect::<Vec<_>>())
    }
}

#[tokio::test]
async fn survives() {
    let with_fate = async |fate| Fixture::proven(fate);
    survives_repeat(with_fate).await;
    survives_failure_at_each_step(with_fate).await;
    survives_withdrawal_at_each_step(with_fate, |fixture| {
        fixture.cloud.ok("DeleteCertificate", json!({"CertificateArn": fixture.arn}));
    })
    .await;
}

#[tokio::test]
async fn issues_after_the_record_is_in_the_public_zone() {
    let fixture = Fixture::unproven();
    let waits = |why: &str| match fixture.plan() {
        Plan::Wait { why: now, .. } => assert!(now.contains(why), "{now}"),
        other => panic!("{other:?}"),
    };
    waits("no public hosted zone");
    fixture.zone("shop.test.", true);
    waits("no public hosted zone");
    fixture.zone("shop.test.", false);
    waits("is missing");
    fixture.record("shop.test.", "_other.acm-validations.aws.");
    waits("is missing");
    assert_eq!(fixture.status(), CertificateStatus::PendingValidation.as_str());
    let pending = fixture.cloud.error("GetCertificate", json!({"CertificateArn": fixture.arn}));
    assert_eq!(pending.code, "RequestInProgressException");

    // Without the final dot, in other letters: the DNS does not distinguish them.
    fixture.record("shop.test.", fixture.proof().value.trim_end_matches('.').to_uppercase().as_str());
    fixture.step().await;
    assert!(matches!(fixture.plan(), Plan::Wait { until: Some(_), .. }), "{:?}", fixture.plan());
    let detail = fixture.describe();
    assert_eq!(detail["Status"], "ISSUED");
    assert_eq!(detail["SubjectAlternativeNames"], json!(NAMES));
    assert_eq!(detail["DomainValidationOptions"][1]["ValidationStatus"], "SUCCESS");
    assert!(detail["Serial"].as_str().unwrap().contains(':'));
    let got = fixture.cloud.ok("GetCertificate", json!({"CertificateArn": fixture.arn}));
    assert!(got["Certificate"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
}

/// A record in a parent zone proves nothing if the account has a zone below it: the public DNS asks that zone.
#[tokio::test]
async fn the_longest_zone_decides() {
    let fixture = Fixture::unproven();
    fixture.zone("test.", false);
    fixture.record("test.", &fixture.proof().value);
    assert!(matches!(fixture.plan(), Plan::Step(_)));
    fixture.zone("shop.test.", false);
    assert!(matches!(fixture.plan(), Plan::Wait { .. }), "{:?}", fixture.plan());
}

#[tokio::test]
async fn gives_up_after_72_hours() {
    let fixture = Fixture::unproven();
    fixture.cloud.clock.advance_ms(status::VALIDATE_WITHIN_MS);
    assert_eq!(fixture.plan(), Plan::Done);
    assert_eq!(fixture.status(), "VALIDATION_TIMED_OUT");
    fixture.zone("shop.test.", false);
    fixture.record("shop.test.", &fixture.proof().value);
    assert_eq!(fixture.plan(), Plan::Done, "a late record changes nothing");
}

#[tokio::test]
async fn renews_on_request_and_before_the_end() {
    let fixture = Fixture::proven(Arc::new(FaultAt::never()));
    fixture.step().await;
    let renew = || fixture.cloud.call("RenewCertificate", json!({"CertificateArn": fixture.arn}));
    assert_eq!(renew().unwrap_err().code, "ValidationException", "it is not in use");
    fixture.use_it();
    assert_eq!(
        fixture.cloud.error("DeleteCertificate", json!({"CertificateArn": fixture.arn})).code,
        "ResourceInUseException"
    );
    let serial = || fixture.describe()["Serial"].clone();
    let mut last = serial();
    fixture.cloud.clock.advance_ms(DAY_MS);
    renew().unwrap();
    fixture.step().await;
    assert_ne!(serial(), last);
    assert_eq!(fixture.describe()["RenewalSummary"]["RenewalStatus"], "SUCCESS");
    assert!(matches!(fixture.plan(), Plan::Wait { .. }));
    last = serial();
    fixture.cloud.clock.advance_ms(VALID_MS - RENEW_BEFORE_MS);
    fixture.step().await;
    assert_ne!(serial(), last);
    // The record is gone: the certificate is used until it expires.
    fixture.cloud.clock.advance_ms(VALID_MS - RENEW_BEFORE_MS);
    fixture.record("shop.test.", "_other.");
    assert!(matches!(fixture.plan(), Plan::Wait { .. }));
    assert_eq!(fixture.status(), "ISSUED");
    fixture.cloud.clock.advance_ms(RENEW_BEFORE_MS);
    assert_eq!(fixture.status(), "EXPIRED");
}
