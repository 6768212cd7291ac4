//! Tests of certificates with fake planes.

use super::*;
use crate::{CloudFront, viewer};
use async_trait::async_trait;
use escale_authority::FakeAuthorities;
use escale_base::{Clock, Secret, wire::Value};
use escale_faults::{
    Driven, Fate, FaultAt, Risky, Stage, survives_failure_at_each_step, survives_repeat,
    survives_withdrawal_at_each_step,
};
use escale_harness::Harness;
use escale_tables::acm::{Certificate, KeyAlgorithm, Origin};
use serde_json::json;

struct Fixture {
    cloud: Harness,
    reconciler: Certificates,
    id: String,
}

fn config(aliases: &[&str], viewer: Value) -> Value {
    json!({
        "CallerReference": "1", "Comment": "", "Enabled": true,
        "Aliases": {"Quantity": aliases.len(), "Items": aliases},
        "Origins": {"Quantity": 1, "Items": [{
            "Id": "o", "DomainName": "media.s3.eu-west-3.amazonaws.com", "S3OriginConfig": {"OriginAccessIdentity": ""},
        }]},
        "DefaultCacheBehavior": {
            "TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all",
            "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
        },
        "ViewerCertificate": viewer,
    })
}

impl Fixture {
    fn new(fate: Arc<dyn Fate>) -> Fixture {
        let cloud = Harness::of(CloudFront);
        let config =
            config(&["shop.localhost", "shop.example.com"], json!({"CloudFrontDefaultCertificate": true}));
        let id = cloud.text("CreateDistribution", json!({"DistributionConfig": config}), "/Distribution/Id");
        let authority = Risky::new(&Arc::new(FakeAuthorities::new().unwrap()), &fate);
        let reconciler = Certificates { store: cloud.store.clone(), authority };
        Fixture { cloud, reconciler, id }
    }

    fn plan(&self) -> Plan<Step> {
        self.reconciler.plan(&self.cloud.store.read(), &self.id, self.cloud.clock.now())
    }

    async fn step(&self) {
        let Plan::Step(step) = self.plan() else { panic!("no step: {:?}", self.plan()) };
        self.reconciler.act(&self.id, step).await.unwrap();
    }

    fn names(&self) -> Vec<String> {
        self.cloud.store.read().get::<EdgeCertificate>(&self.id).unwrap().names.clone()
    }
}

#[async_trait]
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
        // The distribution's own name differs in each fixture.
        let issued = image.scan::<EdgeCertificate>().map(|row| (row.names.len(), row.material.not_after));
        format!("{:?}", issued.collect::<Vec<_>>())
    }
}

#[tokio::test]
async fn survives() {
    let with_fate = async |fate| Fixture::new(fate);
    survives_repeat(with_fate).await;
    survives_failure_at_each_step(with_fate).await;
    survives_withdrawal_at_each_step(with_fate, |fixture| {
        fixture.cloud.write(|tx| tx.delete::<Distribution>(&fixture.id));
    })
    .await;
}

/// Names of the machine itself need no proof. Other aliases need a certificate in ACM.
#[tokio::test]
async fn issues_for_the_own_name_and_local_aliases_and_renews() {
    let fixture = Fixture::new(Arc::new(FaultAt::never()));
    fixture.step().await;
    let own = fixture.cloud.store.read().get::<Distribution>(&fixture.id).unwrap().domain_name.to_string();
    assert_eq!(fixture.names(), [own, "shop.localhost".to_owned()]);
    assert!(matches!(fixture.plan(), Plan::Wait { until: Some(_), .. }));
    {
        let image = fixture.cloud.store.read();
        let tls = viewer::tls(&image, &image.get::<Distribution>(&fixture.id).unwrap()).unwrap();
        escale_tls::Terminator::new(&tls).unwrap();
    }
    fixture.cloud.clock.advance_ms(VALID_MS - RENEW_BEFORE_MS);
    fixture.step().await;
    assert!(matches!(fixture.plan(), Plan::Wait { .. }));
}

fn acm(cloud: &Harness, region: &str, names: &[&str]) -> String {
    let arn = format!("arn:aws:acm:{region}:000000000000:certificate/{}", names[0]);
    let now = cloud.clock.now();
    let material = Material {
        certificate_pem: "certificate".into(),
        chain_pem: String::new(),
        key_pem: Secret::new("key".into()),
        not_before: now,
        not_after: now.plus_ms(DAY_MS),
    };
    let row = Certificate {
        arn: arn.as_str().into(),
        domain: names[0].to_owned(),
        names: names.iter().map(|n| (*n).to_owned()).collect(),
        key: KeyAlgorithm::P256,
        origin: Origin::Imported { material, at: now },
        tags: Vec::new(),
        created: now,
    };
    cloud.write(|tx| tx.put(row));
    arn
}

#[test]
fn accepts_only_certificates_that_cover_the_aliases() {
    let cloud = Harness::of(CloudFront);
    let good = acm(&cloud, "us-east-1", &["*.example.com", "example.com"]);
    let elsewhere = acm(&cloud, "eu-west-3", &["shop.example.com"]);
    let viewer = |arn: &str| json!({"ACMCertificateArn": arn, "SSLSupportMethod": "sni-only"});
    for (aliases, viewer, code) in [
        (&["shop.example.com", "example.com"][..], viewer(&good), ""),
        (&["other.test"], viewer(&good), "InvalidViewerCertificate"),
        (&["a.b.example.com"], viewer(&good), "InvalidViewerCertificate"),
        (&["shop.example.com"], viewer(&elsewhere), "InvalidViewerCertificate"),
        (&["shop.example.com"], viewer("arn:aws:acm:us-east-1:0:certificate/x"), "InvalidViewerCertificate"),
        (&["shop.example.com"], json!({"ACMCertificateArn": good}), "InvalidViewerCertificate"),
        (&[], json!({"ACMCertificateArn": good, "SSLSupportMethod": "vip"}), "NotImplemented"),
        (&[], json!({"CloudFrontDefaultCertificate": false}), "InvalidViewerCertificate"),
        (
            &[],
            json!({"ACMCertificateArn": good, "SSLSupportMethod": "sni-only", "CloudFrontDefaultCertificate": true}),
            "InvalidViewerCertificate",
        ),
        (&[], json!({"IAMCertificateId": "x", "SSLSupportMethod": "sni-only"}), "NotImplemented"),
    ] {
        let mut config = config(aliases, viewer.clone());
        config["CallerReference"] = format!("{aliases:?} {viewer}").into();
        let made = cloud.call("CreateDistribution", json!({"DistributionConfig": config}));
        let found = made.err().map(|error| error.code).unwrap_or_default();
        assert_eq!(found, code, "{aliases:?} {viewer}");
    }
}
