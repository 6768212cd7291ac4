//! Tests of backups and maintenance on the fake plane.

use super::{Instances, plane_name, tests::Fixture};
use escale_engine::{Plan, Reconciler};
use escale_faults::{Fate, survives_failure_at_each_step, survives_repeat, survives_withdrawal_at_each_step};
use escale_postgres::{Postgres as _, Release};
use escale_tables::rds::{Instance, OptIn, Snapshot};
use serde_json::{Value, json};
use std::sync::Arc;

const HOUR_MS: i64 = 3_600_000;

impl Fixture {
    async fn observe(&self, id: &str) {
        self.executor.observe(id, |_, _, _| {}).await.unwrap();
    }

    fn of(&self, id: &str) -> Value {
        self.cloud.ok("DescribeDBInstances", json!({"DBInstanceIdentifier": id}))["DBInstances"][0].clone()
    }

    fn automated(&self) -> Vec<String> {
        self.cloud.store.read().scan::<Snapshot>().filter(|s| !s.deleted).map(|s| s.id.clone()).collect()
    }

    fn messages(&self, id: &str) -> Vec<String> {
        let asked = json!({"SourceIdentifier": id, "SourceType": "db-instance"});
        let found = self.cloud.ok("DescribeEvents", asked);
        let all = found["Events"].as_array().unwrap();
        all.iter().map(|e| e["Message"].as_str().unwrap().to_owned()).collect()
    }
}

fn to_time(source: &str, target: &str, more: Value) -> Value {
    let mut input = json!({
        "SourceDBInstanceIdentifier": source, "TargetDBInstanceIdentifier": target, "DBSubnetGroupName": "data",
        "BackupRetentionPeriod": 0,
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        input[name] = value.clone();
    }
    input
}

#[tokio::test]
async fn instance_is_restored_to_a_time_within_its_backups() {
    let fixture = Fixture::new();
    let cloud = &fixture.cloud;
    cloud.create("shop", json!({"BackupRetentionPeriod": 2})).unwrap();
    let latest = json!({"UseLatestRestorableTime": true});
    let early = cloud.error("RestoreDBInstanceToPointInTime", to_time("shop", "x", latest.clone()));
    assert_eq!(early.code, "PointInTimeRestoreNotEnabled");
    fixture.settle().await;
    cloud.clock.advance_ms(HOUR_MS);
    fixture.observe("shop").await;
    let until = fixture.of("shop")["LatestRestorableTime"].clone();
    assert!(!until.is_null());
    for (given, code, word) in [
        (json!({}), "InvalidParameterCombination", "must be specified"),
        (
            json!({"RestoreTime": until, "UseLatestRestorableTime": true}),
            "InvalidParameterCombination",
            "together",
        ),
        (json!({"RestoreTime": 4_070_908_800_u64}), "InvalidParameterValue", "later than"),
        (json!({"RestoreTime": 0}), "InvalidParameterValue", "earlier than"),
        (
            json!({"SourceDBInstanceIdentifier": "none", "UseLatestRestorableTime": true}),
            "DBInstanceNotFound",
            "none",
        ),
    ] {
        let error = cloud.error("RestoreDBInstanceToPointInTime", to_time("shop", "x", given));
        assert!(error.code == code && error.message.contains(word), "{error}");
    }
    cloud.ok("RestoreDBInstanceToPointInTime", to_time("shop", "copy", latest));
    // The archive is needed until the copy exists.
    cloud.ok("DeleteDBInstance", json!({"DBInstanceIdentifier": "shop", "SkipFinalSnapshot": true}));
    let plan = Instances(fixture.executor.clone()).plan(&cloud.store.read(), "shop", cloud.clock.now());
    assert!(matches!(&plan, Plan::Wait { .. }), "{plan:?}");
    fixture.settle().await;
    assert_eq!(
        (fixture.status("copy"), fixture.status("shop")),
        ("available".into(), "DBInstanceNotFound".into())
    );
    assert!(fixture.messages("copy").contains(&"Restored to a point in time".to_owned()));
    assert!(fixture.of("copy")["LatestRestorableTime"].is_null(), "it keeps no backups");
}

#[tokio::test]
async fn newest_backup_from_before_the_retention_period_stays() {
    let fixture = Fixture::new();
    fixture.cloud.create("shop", json!({"BackupRetentionPeriod": 1})).unwrap();
    fixture.settle().await;
    for day in 0..4 {
        assert!((1..=3).contains(&fixture.automated().len()), "day {day}: {:?}", fixture.automated());
        fixture.cloud.clock.advance_ms(24 * HOUR_MS);
        fixture.settle().await;
    }
    let kept = fixture.automated();
    assert!(kept.len() >= 2, "one from before the period, and one within it: {kept:?}");
    fixture.cloud.ok("ModifyDBInstance", json!({"DBInstanceIdentifier": "shop", "BackupRetentionPeriod": 0}));
    fixture.settle().await;
    assert_eq!(fixture.automated(), Vec::<String>::new());
    assert!(fixture.of("shop")["LatestRestorableTime"].is_null());
}

#[tokio::test]
async fn copy_is_made_before_its_source_is_removed() {
    let fixture = Fixture::new();
    let cloud = &fixture.cloud;
    cloud.create("shop", json!({})).unwrap();
    fixture.settle().await;
    cloud.ok("CreateDBSnapshot", json!({"DBSnapshotIdentifier": "one", "DBInstanceIdentifier": "shop"}));
    let copy = json!({"SourceDBSnapshotIdentifier": "one", "TargetDBSnapshotIdentifier": "Two"});
    assert_eq!(cloud.error("CopyDBSnapshot", copy.clone()).code, "InvalidDBSnapshotState");
    fixture.settle().await;
    cloud.ok("CopyDBSnapshot", copy.clone());
    assert_eq!(cloud.error("CopyDBSnapshot", copy).code, "DBSnapshotAlreadyExists");
    assert_eq!(fixture.status("shop"), "available");
    cloud.ok("DeleteDBSnapshot", json!({"DBSnapshotIdentifier": "one"}));
    fixture.settle().await;
    let all = cloud.ok("DescribeDBSnapshots", json!({}));
    assert_eq!(
        (all["DBSnapshots"].as_array().unwrap().len(), &all["DBSnapshots"][0]["Status"]),
        (1, &json!("available"))
    );
}

#[tokio::test]
async fn newer_release_waits_for_the_window_or_for_the_user() {
    let fixture = Fixture::new();
    let cloud = &fixture.cloud;
    let manual = json!({"MultiAZ": true, "AutoMinorVersionUpgrade": false});
    let arn = cloud.create("shop", manual).unwrap()["DBInstance"]["DBInstanceArn"].clone();
    let auto = json!({"PreferredMaintenanceWindow": "sun:04:30-sun:05:30"});
    cloud.create("auto", auto).unwrap();
    fixture.settle().await;
    let apply =
        |kind: &str| json!({"ResourceIdentifier": arn, "ApplyAction": "db-upgrade", "OptInType": kind});
    assert_eq!(
        cloud.error("ApplyPendingMaintenanceAction", apply("immediate")).code,
        "ResourceNotFoundFault"
    );
    fixture.fake().install(Release(15, 2));
    fixture.observe("shop").await;
    fixture.observe("auto").await;
    fixture.settle().await;
    let pending = cloud.ok("DescribePendingMaintenanceActions", json!({"ResourceIdentifier": arn}));
    let action = &pending["PendingMaintenanceActions"][0]["PendingMaintenanceActionDetails"][0];
    assert_eq!(action["Action"], "db-upgrade");
    assert!(action["CurrentApplyDate"].is_null() && action["Description"].as_str().unwrap().contains("15.2"));
    assert_eq!(cloud.error("ApplyPendingMaintenanceAction", apply("now")).code, "InvalidParameterValue");

    // The standby, a failover, the other one: the zone of the primary changes, and every server runs the new release.
    let before = fixture.seen("shop").primary;
    cloud.ok("ApplyPendingMaintenanceAction", apply("immediate"));
    fixture.settle().await;
    let seen = fixture.seen("shop");
    assert_ne!(seen.primary, before);
    assert_eq!(
        (seen.outdated, seen.upgrading, fixture.summary("shop").as_str()),
        (None, None, "available/b/a/[true]")
    );
    let database = plane_name(&cloud.store.read().get::<Instance>("shop").unwrap());
    let observed = fixture.fake().observe(&database).await.unwrap().unwrap();
    assert!(observed.nodes.iter().all(|n| n.release == Some(Release(15, 2))));
    let messages = fixture.messages("shop");
    for part in ["upgrade available", "Applying off-line patches", "Finished applying off-line patches"] {
        assert_eq!(messages.iter().filter(|m| m.contains(part)).count(), 1, "{messages:?}");
    }
    // The other one upgrades by itself, within its window.
    let asked = json!({"ResourceIdentifier": fixture.of("auto")["DBInstanceArn"]});
    let when = |fixture: &Fixture| {
        fixture.cloud.ok("DescribePendingMaintenanceActions", asked.clone())["PendingMaintenanceActions"]
            .clone()
    };
    if !when(&fixture).as_array().unwrap().is_empty() {
        fixture.cloud.clock.advance_ms(7 * 24 * HOUR_MS);
        for _ in 0..(7 * 24 * 4) {
            fixture.cloud.clock.advance_ms(HOUR_MS / 4);
            fixture.settle().await;
        }
    }
    assert_eq!(when(&fixture), json!([]));
}

/// An instance that is restored to a time, a copy of a snapshot, and an upgrade.
async fn many_steps(fate: Arc<dyn Fate>) -> Fixture {
    let fixture = restored(fate).await;
    let source = fixture.automated().remove(0);
    let copy = json!({"SourceDBSnapshotIdentifier": source, "TargetDBSnapshotIdentifier": "kept"});
    fixture.cloud.ok("CopyDBSnapshot", copy);
    fixture.fake().install(Release(15, 2));
    fixture.cloud.write(|tx| {
        tx.update("shop", |i: &mut Instance| i.upgrade = Some(OptIn::Immediate));
    });
    fixture
}

async fn restored(fate: Arc<dyn Fate>) -> Fixture {
    let fixture = Fixture::with(fate);
    let cloud = &fixture.cloud;
    cloud.create("shop", json!({"BackupRetentionPeriod": 2, "MultiAZ": true})).unwrap();
    fixture.prepare().await;
    let latest = json!({"UseLatestRestorableTime": true});
    cloud.ok("RestoreDBInstanceToPointInTime", to_time("shop", "copy", latest));
    fixture
}

#[tokio::test]
async fn backups_and_upgrades_survive_faults_and_deletion_at_each_step() {
    survives_repeat(many_steps).await;
    survives_failure_at_each_step(many_steps).await;
    survives_withdrawal_at_each_step(restored, |fixture| {
        let gone = json!({"DBInstanceIdentifier": "copy", "SkipFinalSnapshot": true});
        fixture.cloud.ok("DeleteDBInstance", gone);
    })
    .await;
}

#[tokio::test]
async fn stopped_instance_starts_after_seven_days() {
    let fixture = Fixture::new();
    fixture.cloud.create("shop", json!({})).unwrap();
    fixture.settle().await;
    fixture.cloud.ok("StopDBInstance", json!({"DBInstanceIdentifier": "shop"}));
    fixture.settle().await;
    assert!(!fixture.of("shop")["AutomaticRestartTime"].is_null());
    fixture.cloud.clock.advance_ms(7 * 24 * HOUR_MS - 1);
    fixture.settle().await;
    assert_eq!(fixture.status("shop"), "stopped");
    fixture.cloud.clock.advance_ms(1);
    fixture.settle().await;
    assert_eq!(fixture.status("shop"), "available");
    assert!(fixture.of("shop")["AutomaticRestartTime"].is_null());
}
