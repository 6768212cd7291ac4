//! Tests of the service and its reconcilers with the fake plane.

use super::*;
use crate::{CloudFront, reconcile::Invalidations};
use async_trait::async_trait;
use escale_base::{AwsError, wire::Value};
use escale_cdn::FakeCdn;
use escale_faults::{Driven, Fate, FaultAt, Risky, Stage, survives_failure_at_each_step, survives_repeat};
use escale_service::{Asked, Caller, Cloud, Config, Credential, Decision, DenialReason, Identity, Principal};
use serde_json::json;

struct DenyAll;

impl Identity for DenyAll {
    fn credential(&self, _: &Image, _: &str) -> Option<Credential> {
        None
    }
    fn decide(&self, _: &Image, _: &Caller, _: &Asked<'_>) -> Decision {
        Decision::Deny { why: "this test denies everything".into(), reason: DenialReason::NoAllow }
    }
}

struct Harness {
    store: Store,
    cloud: Cloud,
    plane: Arc<FakeCdn>,
    reconciler: Distributions,
    _dir: tempfile::TempDir,
}

impl Harness {
    fn new() -> Harness {
        Harness::with(Arc::new(FaultAt::never()))
    }

    fn with(fate: Arc<dyn Fate>) -> Harness {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("state.db"), &escale_tables::all()).unwrap();
        let clock = Clock::by_hand(Timestamp(0));
        let services: Vec<Arc<dyn escale_service::Service>> = vec![Arc::new(CloudFront)];
        let cloud = Cloud::new(Arc::new(Config::default()), clock.clone(), Arc::new(DenyAll), services);
        let plane = Arc::new(FakeCdn::default());
        let cdn = Risky::new(&plane, &fate);
        let reconciler = Distributions { store: store.clone(), clock, cdn };
        Harness { store, cloud, plane, reconciler, _dir: dir }
    }

    fn call(&self, operation: &str, input: Value) -> Result<Value, AwsError> {
        let caller = Caller { principal: Principal::Root, ..Caller::service("") };
        self.cloud.call(&self.store, &caller, "cloudfront", operation, input)
    }

    fn ok(&self, operation: &str, input: Value) -> Value {
        self.call(operation, input).unwrap_or_else(|e| panic!("{operation}: {e}"))
    }

    fn plan(&self, id: &str) -> Plan<Step> {
        self.reconciler.plan(&self.store.read(), id, Timestamp(0))
    }

    async fn step(&self, id: &str) -> Result<(), StepError> {
        let Plan::Step(step) = self.plan(id) else { panic!("no step: {:?}", self.plan(id)) };
        self.reconciler.act(id, step).await
    }

    fn status(&self, id: &str) -> String {
        self.ok("GetDistribution", json!({"Id": id}))["Distribution"]["Status"].as_str().unwrap().to_owned()
    }
}

fn config(origin: Value) -> Value {
    json!({
        "CallerReference": "1", "Comment": "", "Enabled": true,
        "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": {
            "TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all",
            "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
        },
    })
}

fn bucket(control: &str) -> Value {
    json!({
        "Id": "o", "DomainName": "media.s3.eu-west-3.amazonaws.com", "OriginPath": "/big",
        "S3OriginConfig": {"OriginAccessIdentity": ""}, "OriginAccessControlId": control,
    })
}

#[async_trait]
impl Stage for Harness {
    fn store(&self) -> &Store {
        &self.store
    }
    fn clock(&self) -> &Clock {
        &self.reconciler.clock
    }
    fn reconcilers(&self) -> Vec<&dyn Driven> {
        vec![&self.reconciler]
    }
    async fn world(&self) -> String {
        let seen: Vec<_> = self.store.read().scan::<DistributionSeen>().collect();
        let ids = escale_cdn::Cdn::ids(&*self.plane);
        format!("{:#?} {seen:#?}", ids.iter().map(|id| self.plane.spec(id)).collect::<Vec<_>>())
    }
}

async fn with_distribution(fate: Arc<dyn Fate>) -> Harness {
    let harness = Harness::with(fate);
    let web = json!({"Id": "o", "DomainName": "web.elb.localhost", "CustomOriginConfig": {
        "HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only",
    }});
    harness.ok("CreateDistribution", json!({"DistributionConfig": config(web)}));
    harness
}

#[tokio::test]
async fn survives() {
    survives_repeat(with_distribution).await;
    survives_failure_at_each_step(with_distribution).await;
}

#[tokio::test]
async fn applies_withdraws_and_removes_a_distribution() {
    let harness = Harness::new();
    let control = json!({"OriginAccessControlConfig": {
        "Name": "c", "SigningProtocol": "sigv4", "SigningBehavior": "always", "OriginAccessControlOriginType": "s3",
    }});
    let control = harness.ok("CreateOriginAccessControl", control);
    let control_id = control["OriginAccessControl"]["Id"].as_str().unwrap();
    let made = harness.ok("CreateDistribution", json!({"DistributionConfig": config(bucket(control_id))}));
    let id = made["Distribution"]["Id"].as_str().unwrap();
    assert_eq!(harness.status(id), "InProgress");
    harness.plane.fail_next(PlaneError::machine("no disk"));
    assert!(harness.step(id).await.is_err());
    assert_eq!(harness.status(id), "InProgress");
    harness.step(id).await.unwrap();
    assert_eq!((harness.plan(id), harness.status(id)), (Plan::Done, "Deployed".into()));
    let origin = harness.plane.spec(id).unwrap().origins[0].clone();
    let expected = ("s3.escale.internal", "/media/big", true);
    assert_eq!((origin.host.as_str(), origin.path.as_str(), origin.signed), expected);

    let in_use = json!({"Id": control_id, "IfMatch": control["ETag"]});
    assert_eq!(
        harness.call("DeleteOriginAccessControl", in_use.clone()).unwrap_err().code,
        "OriginAccessControlInUse"
    );
    crate::reconcile::clear_observations(&harness.store).unwrap();
    assert!(
        matches!(harness.plan(id), Plan::Step(Step::Apply { .. })),
        "a restart applies the distribution again"
    );

    let mut off = config(bucket(control_id));
    off["Enabled"] = false.into();
    let update = json!({"Id": id, "IfMatch": made["ETag"], "DistributionConfig": off});
    let updated = harness.ok("UpdateDistribution", update);
    harness.step(id).await.unwrap();
    assert_eq!((harness.status(id), harness.plane.spec(id)), ("Deployed".into(), None));
    let delete = |etag: &Value| harness.call("DeleteDistribution", json!({"Id": id, "IfMatch": etag}));
    assert_eq!(delete(&made["ETag"]).unwrap_err().code, "PreconditionFailed");
    delete(&updated["ETag"]).unwrap();
    harness.step(id).await.unwrap();
    assert_eq!(harness.plan(id), Plan::Done);
    harness.ok("DeleteOriginAccessControl", in_use);
}

#[tokio::test]
async fn invalidation_waits_for_the_plane_and_completes() {
    let harness = Harness::new();
    let web = json!({"Id": "o", "DomainName": "web.elb.localhost", "CustomOriginConfig": {
        "HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only",
    }});
    let made = harness.ok("CreateDistribution", json!({"DistributionConfig": config(web)}));
    let id = made["Distribution"]["Id"].as_str().unwrap();
    let batch = json!({"CallerReference": "1", "Paths": {"Quantity": 1, "Items": ["/a*"]}});
    let made = harness.ok("CreateInvalidation", json!({"DistributionId": id, "InvalidationBatch": batch}));
    let invalidation = made["Invalidation"]["Id"].as_str().unwrap();
    let key = format!("{id}/{invalidation}");
    let reconciler = Invalidations {
        store: harness.store.clone(),
        clock: Clock::by_hand(Timestamp(0)),
        cdn: harness.plane.clone(),
    };
    let plan = || reconciler.plan(&harness.store.read(), &key, Timestamp(0));
    assert!(matches!(plan(), Plan::Wait { .. }));
    harness.step(id).await.unwrap();
    let Plan::Step(step) = plan() else { panic!("no step") };
    reconciler.act(&key, step).await.unwrap();
    assert_eq!(plan(), Plan::Done);
    assert_eq!(harness.plane.invalidated(), [(id.to_owned(), "/a*".to_owned())]);
    let got = harness.ok("GetInvalidation", json!({"DistributionId": id, "Id": invalidation}));
    assert_eq!(got["Invalidation"]["Status"], "Completed");
}

#[test]
fn refuses_invalid_and_unsupported_configurations() {
    let harness = Harness::new();
    for (pointer, value, code) in [
        ("/Origins/Items/0/OriginAccessControlId", json!("E0"), "NoSuchOriginAccessControl"),
        (
            "/Origins/Items/0/S3OriginConfig/OriginAccessIdentity",
            json!("origin-access-identity/x"),
            "NotImplemented",
        ),
        ("/DefaultCacheBehavior/TargetOriginId", json!("p"), "NoSuchOrigin"),
        ("/DefaultCacheBehavior/CachePolicyId", json!("x"), "NoSuchCachePolicy"),
    ] {
        let mut config = config(bucket(""));
        *config.pointer_mut(pointer).unwrap() = value;
        let refused = harness.call("CreateDistribution", json!({"DistributionConfig": config})).unwrap_err();
        assert_eq!(refused.code, code, "{pointer}");
    }
    for (member, value) in [
        ("WebACLId", json!("arn:x")),
        ("ViewerCertificate", json!({"CloudFrontDefaultCertificate": false})),
        (
            "Restrictions",
            json!({"GeoRestriction": {"RestrictionType": "whitelist", "Quantity": 1, "Items": ["FR"]}}),
        ),
        ("OriginGroups", json!({"Quantity": 1, "Items": [{}]})),
    ] {
        let mut config = config(bucket(""));
        config[member] = value;
        let refused = harness.call("CreateDistribution", json!({"DistributionConfig": config})).unwrap_err();
        assert_eq!(refused.code, "NotImplemented", "{member}");
    }
}
