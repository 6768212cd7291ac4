//! Tests of read replicas on the fake plane.

use super::{plane_name, tests::Fixture};
use escale_faults::{Fate, survives_failure_at_each_step, survives_repeat, survives_withdrawal_at_each_step};
use escale_tables::rds::{Instance, RdsEndpoint};
use serde_json::{Value, json};
use std::sync::Arc;

fn of(fixture: &Fixture, id: &str) -> Value {
    fixture.cloud.ok("DescribeDBInstances", json!({"DBInstanceIdentifier": id}))["DBInstances"][0].clone()
}

fn replica(id: &str) -> Value {
    json!({"DBInstanceIdentifier": id, "SourceDBInstanceIdentifier": "shop"})
}

/// A Multi-AZ instance and its replica.
async fn with_replica(fate: Arc<dyn Fate>) -> Fixture {
    let fixture = Fixture::with(fate);
    fixture.cloud.create("shop", json!({"MultiAZ": true, "BackupRetentionPeriod": 1})).unwrap();
    fixture.prepare().await;
    fixture.cloud.ok("CreateDBInstanceReadReplica", replica("copy"));
    fixture
}

#[tokio::test]
async fn replica_follows_its_source_until_it_is_promoted() {
    let fixture = with_replica(Arc::new(escale_faults::FaultAt::never())).await;
    let cloud = &fixture.cloud;
    fixture.settle().await;
    assert_eq!(
        (fixture.status("copy").as_str(), fixture.status("shop").as_str()),
        ("available", "available")
    );
    let seen = of(&fixture, "copy");
    assert_eq!(seen["ReadReplicaSourceDBInstanceIdentifier"], "shop");
    assert_eq!((&seen["BackupRetentionPeriod"], &seen["MultiAZ"]), (&json!(0), &json!(false)));
    assert_eq!(seen["StatusInfos"][0]["StatusType"], "read replication");
    assert_eq!(seen["StatusInfos"][0]["Status"], "replicating");
    assert_eq!(of(&fixture, "shop")["ReadReplicaDBInstanceIdentifiers"], json!(["copy"]));
    assert_eq!(cloud.store.read().scan::<RdsEndpoint>().count(), 2, "a name of its own");

    // A row of the source is in the replica, also after a failover. Then it is promoted.
    let name = |id: &str| plane_name(&cloud.store.read().get::<Instance>(id).unwrap());
    let (source, copy) = (name("shop"), name("copy"));
    let first = fixture.fake().write(&source).unwrap();
    cloud.ok("RebootDBInstance", json!({"DBInstanceIdentifier": "shop", "ForceFailover": true}));
    fixture.settle().await;
    let second = fixture.fake().write(&source).unwrap();
    assert!([first, second].iter().all(|row| fixture.fake().rows(&copy).contains(row)));
    assert!(fixture.fake().write(&copy).is_err() && fixture.fake().acknowledging(&copy).is_empty());

    cloud.ok("PromoteReadReplica", json!({"DBInstanceIdentifier": "copy", "BackupRetentionPeriod": 3}));
    assert_eq!(fixture.status("copy"), "modifying");
    fixture.settle().await;
    let seen = of(&fixture, "copy");
    assert_eq!((fixture.status("copy").as_str(), &seen["BackupRetentionPeriod"]), ("available", &json!(3)));
    assert!(seen["ReadReplicaSourceDBInstanceIdentifier"].is_null());
    assert!(of(&fixture, "shop")["ReadReplicaDBInstanceIdentifiers"].as_array().unwrap().is_empty());
    fixture.fake().write(&copy).unwrap();
    let again = cloud.error("PromoteReadReplica", json!({"DBInstanceIdentifier": "copy"}));
    assert_eq!(again.code, "InvalidDBInstanceState");
}

#[tokio::test]
async fn deletion_of_the_source_promotes_its_replicas() {
    let fixture = with_replica(Arc::new(escale_faults::FaultAt::never())).await;
    let gone = |id: &str| json!({"DBInstanceIdentifier": id, "SkipFinalSnapshot": true});
    let early = fixture.cloud.error("DeleteDBInstance", gone("shop"));
    assert!(early.code == "InvalidDBInstanceState" && early.message.contains("copy"), "{}", early.message);
    fixture.settle().await;
    fixture.cloud.ok("DeleteDBInstance", gone("shop"));
    fixture.settle().await;
    assert_eq!(
        (fixture.status("shop").as_str(), fixture.status("copy").as_str()),
        ("DBInstanceNotFound", "available")
    );
    let copy = plane_name(&fixture.cloud.store.read().get::<Instance>("copy").unwrap());
    fixture.fake().write(&copy).unwrap();
    fixture.cloud.ok("DeleteDBInstance", gone("copy"));
    fixture.settle().await;
    assert_eq!((fixture.databases().await, fixture.cloud.interfaces()), (0, 0));
}

#[tokio::test]
async fn replicas_are_refused_where_aws_or_escale_has_none() {
    let fixture = with_replica(Arc::new(escale_faults::FaultAt::never())).await;
    let cloud = &fixture.cloud;
    fixture.settle().await;
    cloud.create("plain", json!({})).unwrap();
    fixture.settle().await;
    let with = |name: &str, value: Value| {
        let mut input = replica("other");
        input[name] = value;
        input
    };
    let (create, modify) = ("CreateDBInstanceReadReplica", "ModifyDBInstance");
    let abroad = "arn:aws:rds:us-east-1:000000000000:db:shop";
    for (operation, input, code) in [
        (create, replica("copy"), "DBInstanceAlreadyExists"),
        (create, with("SourceDBInstanceIdentifier", json!("none")), "DBInstanceNotFound"),
        (create, with("SourceDBInstanceIdentifier", json!("plain")), "InvalidDBInstanceState"),
        (create, with("SourceDBInstanceIdentifier", json!("copy")), "NotImplemented"),
        (create, with("SourceDBInstanceIdentifier", json!(abroad)), "NotImplemented"),
        (create, with("MultiAZ", json!(true)), "NotImplemented"),
        (create, with("PubliclyAccessible", json!(true)), "NotImplemented"),
        ("StopDBInstance", json!({"DBInstanceIdentifier": "shop"}), "InvalidDBInstanceState"),
        ("StopDBInstance", json!({"DBInstanceIdentifier": "copy"}), "InvalidDBInstanceState"),
        ("PromoteReadReplica", json!({"DBInstanceIdentifier": "shop"}), "InvalidDBInstanceState"),
        ("DeleteDBInstance", json!({"DBInstanceIdentifier": "copy"}), "InvalidParameterCombination"),
        (
            modify,
            json!({"DBInstanceIdentifier": "shop", "BackupRetentionPeriod": 0}),
            "InvalidDBInstanceState",
        ),
        (modify, json!({"DBInstanceIdentifier": "copy", "MultiAZ": true}), "NotImplemented"),
        (
            modify,
            json!({"DBInstanceIdentifier": "copy", "MasterUserPassword": "another-one"}),
            "NotImplemented",
        ),
        (
            "CreateDBSnapshot",
            json!({"DBInstanceIdentifier": "copy", "DBSnapshotIdentifier": "s"}),
            "NotImplemented",
        ),
    ] {
        assert_eq!(cloud.error(operation, input.clone()).code, code, "{operation} {input}");
    }
    for n in 1..crate::replicas::MOST {
        cloud.ok(create, replica(&format!("copy-{n}")));
    }
    assert_eq!(cloud.error(create, replica("other")).code, "InstanceQuotaExceeded");
}

#[tokio::test]
async fn port_of_the_source_changes_with_its_replicas() {
    let fixture = with_replica(Arc::new(escale_faults::FaultAt::never())).await;
    fixture.settle().await;
    let group = || {
        let image = fixture.cloud.store.read();
        let of = image.get::<Instance>("copy").unwrap().replica_of.clone().unwrap().group;
        assert_eq!(image.get::<Instance>("shop").unwrap().replication_group.as_ref(), Some(&of));
        of
    };
    let before = group();
    fixture.cloud.ok("ModifyDBInstance", json!({"DBInstanceIdentifier": "shop", "DBPortNumber": 6000}));
    fixture.settle().await;
    assert_ne!(group(), before);
    assert_eq!(of(&fixture, "copy")["StatusInfos"][0]["Status"], "replicating");
}

async fn promoted(fate: Arc<dyn Fate>) -> Fixture {
    let fixture = with_replica(fate).await;
    fixture.prepare().await;
    // An automated backup would have a random name in each run.
    fixture
        .cloud
        .ok("PromoteReadReplica", json!({"DBInstanceIdentifier": "copy", "BackupRetentionPeriod": 0}));
    fixture
}

#[tokio::test]
async fn creation_and_promotion_survive_faults_and_deletion_at_each_step() {
    survives_repeat(with_replica).await;
    survives_failure_at_each_step(with_replica).await;
    survives_repeat(promoted).await;
    survives_failure_at_each_step(promoted).await;
    survives_withdrawal_at_each_step(with_replica, |fixture| {
        let gone = json!({"DBInstanceIdentifier": "copy", "SkipFinalSnapshot": true});
        fixture.cloud.ok("DeleteDBInstance", gone);
    })
    .await;
}
