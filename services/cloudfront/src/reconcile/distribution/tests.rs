//! Tests of the service and its reconcilers with the fake plane.

use super::*;
use crate::{CloudFront, reconcile::Invalidations};
use async_trait::async_trait;
use escale_base::wire::Value;
use escale_cdn::FakeCdn;
use escale_faults::{Driven, Fate, FaultAt, Risky, Stage, survives_failure_at_each_step, survives_repeat};
use escale_harness::{DenyAll, Harness};
use serde_json::json;

struct Fixture {
    cloud: Harness,
    plane: Arc<FakeCdn>,
    reconciler: Distributions,
}

impl Fixture {
    fn new() -> Fixture {
        Fixture::with(Arc::new(FaultAt::never()))
    }

    fn with(fate: Arc<dyn Fate>) -> Fixture {
        let cloud = Harness::with(vec![Arc::new(CloudFront)], Arc::new(DenyAll), &[]);
        let plane = Arc::new(FakeCdn::default());
        let cdn = Risky::new(&plane, &fate);
        let reconciler = Distributions { store: cloud.store.clone(), clock: cloud.clock.clone(), cdn };
        Fixture { cloud, plane, reconciler }
    }

    fn plan(&self, id: &str) -> Plan<Step> {
        self.reconciler.plan(&self.cloud.store.read(), id, self.cloud.clock.now())
    }

    async fn step(&self, id: &str) -> Result<(), StepError> {
        let Plan::Step(step) = self.plan(id) else { panic!("no step: {:?}", self.plan(id)) };
        self.reconciler.act(id, step).await
    }

    fn status(&self, id: &str) -> String {
        self.cloud.ok("GetDistribution", json!({"Id": id}))["Distribution"]["Status"]
            .as_str()
            .unwrap()
            .to_owned()
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
        let seen: Vec<_> = self.cloud.store.read().scan::<DistributionSeen>().collect();
        let ids = escale_cdn::Cdn::ids(&*self.plane);
        format!("{:#?} {seen:#?}", ids.iter().map(|id| self.plane.spec(id)).collect::<Vec<_>>())
    }
}

async fn with_distribution(fate: Arc<dyn Fate>) -> Fixture {
    let fixture = Fixture::with(fate);
    let web = json!({"Id": "o", "DomainName": "web.elb.localhost", "CustomOriginConfig": {
        "HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only",
    }});
    fixture.cloud.ok("CreateDistribution", json!({"DistributionConfig": config(web)}));
    fixture
}

#[tokio::test]
async fn survives() {
    survives_repeat(with_distribution).await;
    survives_failure_at_each_step(with_distribution).await;
}

#[tokio::test]
async fn applies_withdraws_and_removes_a_distribution() {
    let fixture = Fixture::new();
    let control = json!({"OriginAccessControlConfig": {
        "Name": "c", "SigningProtocol": "sigv4", "SigningBehavior": "always", "OriginAccessControlOriginType": "s3",
    }});
    let control = fixture.cloud.ok("CreateOriginAccessControl", control);
    let control_id = control["OriginAccessControl"]["Id"].as_str().unwrap();
    let made =
        fixture.cloud.ok("CreateDistribution", json!({"DistributionConfig": config(bucket(control_id))}));
    let id = made["Distribution"]["Id"].as_str().unwrap();
    assert_eq!(fixture.status(id), "InProgress");
    fixture.plane.fail_next(PlaneError::machine("no disk"));
    assert!(fixture.step(id).await.is_err());
    assert_eq!(fixture.status(id), "InProgress");
    fixture.step(id).await.unwrap();
    assert_eq!((fixture.plan(id), fixture.status(id)), (Plan::Done, "Deployed".into()));
    let origin = fixture.plane.spec(id).unwrap().origins[0].clone();
    let expected = ("s3.escale.internal", "/media/big", true);
    assert_eq!((origin.host.as_str(), origin.path.as_str(), origin.signed), expected);

    let in_use = json!({"Id": control_id, "IfMatch": control["ETag"]});
    assert_eq!(
        fixture.cloud.error("DeleteOriginAccessControl", in_use.clone()).code,
        "OriginAccessControlInUse"
    );
    crate::reconcile::begin_observations(
        &fixture.cloud.store,
        escale_base::Timestamp(0),
        vec![id.to_owned()],
    )
    .unwrap();
    assert!(
        matches!(fixture.plan(id), Plan::Step(Step::Apply { .. })),
        "a restart applies the distribution again"
    );

    let mut off = config(bucket(control_id));
    off["Enabled"] = false.into();
    let update = json!({"Id": id, "IfMatch": made["ETag"], "DistributionConfig": off});
    let updated = fixture.cloud.ok("UpdateDistribution", update);
    fixture.step(id).await.unwrap();
    assert_eq!((fixture.status(id), fixture.plane.spec(id)), ("Deployed".into(), None));
    let delete = |etag: &Value| fixture.cloud.call("DeleteDistribution", json!({"Id": id, "IfMatch": etag}));
    assert_eq!(delete(&made["ETag"]).unwrap_err().code, "PreconditionFailed");
    delete(&updated["ETag"]).unwrap();
    fixture.step(id).await.unwrap();
    assert_eq!(fixture.plan(id), Plan::Done);
    fixture.cloud.ok("DeleteOriginAccessControl", in_use);
}

#[tokio::test]
async fn invalidation_waits_for_the_plane_and_completes() {
    let fixture = Fixture::new();
    let web = json!({"Id": "o", "DomainName": "web.elb.localhost", "CustomOriginConfig": {
        "HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only",
    }});
    let made = fixture.cloud.ok("CreateDistribution", json!({"DistributionConfig": config(web)}));
    let id = made["Distribution"]["Id"].as_str().unwrap();
    let batch = json!({"CallerReference": "1", "Paths": {"Quantity": 1, "Items": ["/a*"]}});
    let made =
        fixture.cloud.ok("CreateInvalidation", json!({"DistributionId": id, "InvalidationBatch": batch}));
    let invalidation = made["Invalidation"]["Id"].as_str().unwrap();
    let key = format!("{id}/{invalidation}");
    let reconciler = Invalidations {
        store: fixture.cloud.store.clone(),
        clock: fixture.cloud.clock.clone(),
        cdn: fixture.plane.clone(),
    };
    let plan = || reconciler.plan(&fixture.cloud.store.read(), &key, fixture.cloud.clock.now());
    assert!(matches!(plan(), Plan::Wait { .. }));
    fixture.step(id).await.unwrap();
    let Plan::Step(step) = plan() else { panic!("no step") };
    reconciler.act(&key, step).await.unwrap();
    assert_eq!(plan(), Plan::Done);
    assert_eq!(fixture.plane.invalidated(), [(id.to_owned(), "/a*".to_owned())]);
    let got = fixture.cloud.ok("GetInvalidation", json!({"DistributionId": id, "Id": invalidation}));
    assert_eq!(got["Invalidation"]["Status"], "Completed");
}

/// A list of one origin group.
fn group(origins: &[&str], status: u16) -> Value {
    let members: Value = origins.iter().map(|id| json!({"OriginId": id})).collect();
    json!({"Quantity": 1, "Items": [{
        "Id": "g", "FailoverCriteria": {"StatusCodes": {"Quantity": 1, "Items": [status]}},
        "Members": {"Quantity": origins.len(), "Items": members},
    }]})
}

#[test]
fn refuses_invalid_and_unsupported_configurations() {
    let fixture = Fixture::new();
    for (pointer, value, code) in [
        ("/Origins/Items/0/OriginAccessControlId", json!("E0"), "NoSuchOriginAccessControl"),
        (
            "/Origins/Items/0/S3OriginConfig/OriginAccessIdentity",
            json!("origin-access-identity/x"),
            "InvalidOriginAccessIdentity",
        ),
        ("/DefaultCacheBehavior/TargetOriginId", json!("p"), "NoSuchOrigin"),
        ("/DefaultCacheBehavior/CachePolicyId", json!("x"), "NoSuchCachePolicy"),
        ("/OriginGroups", group(&["o", "o"], 500), "InvalidArgument"),
        ("/OriginGroups", group(&["o", "p"], 500), "NoSuchOrigin"),
        ("/OriginGroups", group(&["o", "p"], 501), "NoSuchOrigin"),
    ] {
        let mut config = config(bucket(""));
        match config.pointer_mut(pointer) {
            Some(member) => *member = value,
            None => config[&pointer[1..]] = value,
        }
        let refused = fixture.cloud.error("CreateDistribution", json!({"DistributionConfig": config}));
        assert_eq!(refused.code, code, "{pointer}");
    }
    for (member, value) in [
        ("WebACLId", json!("arn:x")),
        (
            "Restrictions",
            json!({"GeoRestriction": {"RestrictionType": "whitelist", "Quantity": 1, "Items": ["FR"]}}),
        ),
    ] {
        let mut config = config(bucket(""));
        config[member] = value;
        let refused = fixture.cloud.error("CreateDistribution", json!({"DistributionConfig": config}));
        assert_eq!(refused.code, "NotImplemented", "{member}");
    }
}
