//! Updates of RDS's resource types: which properties change, and when an instance is ready.

use super::*;
use crate::{
    reconcile::{self, tests::Fixture},
    testing::FakeCloud,
};
use escale_base::ErrorKind;
use escale_harness::{FakeEc2, PropertyTable, Removal, Resource};
use escale_service::Readiness;
use escale_tables::{
    ec2::{Group, GroupId},
    rds::Instance,
};
use serde_json::json;

fn instance() -> Value {
    json!({
        "DBInstanceClass": "db.t4g.micro", "Engine": "postgres", "EngineVersion": "15.4", "AllocatedStorage": "20",
        "MasterUsername": "app", "MasterUserPassword": "correct-horse", "DBSubnetGroupName": "data",
    })
}

fn with(property: &str, value: Value) -> Value {
    let mut properties = instance();
    properties[property] = value;
    properties
}

fn group(cloud: &FakeCloud, name: &str) -> GroupId {
    let id = GroupId::random();
    let group = Group {
        id: id.clone(),
        vpc: cloud.vpc.clone(),
        name: name.into(),
        description: String::new(),
        tags: vec![],
    };
    cloud.write(|tx| tx.put(group));
    id
}

fn tags(value: &str) -> Value {
    json!([{"Key": "stage", "Value": value}, {"Key": value, "Value": ""}])
}

fn readiness(cloud: &FakeCloud, resource: &Resource) -> Readiness {
    (resource.kind.ready)(&cloud.store.read(), &resource.created)
}

fn is_pending(cloud: &FakeCloud, resource: &Resource) -> bool {
    matches!(readiness(cloud, resource), Readiness::Pending(_))
}

/// Properties whose tests need a plane, or whose values are never read.
const OF_OTHER_TESTS: &[&str] = &[
    "AllocatedStorage",
    "AvailabilityZone",
    "DBParameterGroupName",
    "DBSnapshotIdentifier",
    "DeleteAutomatedBackups",
    "Engine",
    "EngineVersion",
    "ManageMasterUserPassword",
    "MasterUserPassword",
    "MasterUserSecret",
    "MultiAZ",
    "Port",
];

#[test]
fn instance_changes_every_property() {
    let cloud = FakeCloud::new();
    let groups = [group(&cloud, "a"), group(&cloud, "b")];
    let keeps = |value: Value| (value.clone(), value, Removal::Keeps);
    let changes = |first: Value, second: Value| (first, second, Removal::Default);
    let cases = [
        ("AutoMinorVersionUpgrade", changes(json!(false), json!(true))),
        ("BackupRetentionPeriod", changes(json!(3), json!(0))),
        ("CACertificateIdentifier", changes(json!("rds-ca-rsa4096-g1"), json!("rds-ca-ecc384-g1"))),
        ("CopyTagsToSnapshot", changes(json!(false), json!(true))),
        ("DBInstanceClass", (json!("db.m6g.large"), json!("db.r6g.large"), Removal::Keeps)),
        ("DeletionProtection", changes(json!(false), json!(true))),
        ("EnableCloudwatchLogsExports", changes(json!(["postgresql"]), json!(["upgrade"]))),
        ("EnableIAMDatabaseAuthentication", changes(json!(false), json!(false))),
        ("EnablePerformanceInsights", changes(json!(false), json!(true))),
        (
            "EngineLifecycleSupport",
            changes(
                json!("open-source-rds-extended-support"),
                json!("open-source-rds-extended-support-disabled"),
            ),
        ),
        ("Iops", changes(json!(4000), json!(5000))),
        ("LicenseModel", keeps(json!("postgresql-license"))),
        ("MaxAllocatedStorage", changes(json!(50), json!(100))),
        ("MonitoringInterval", changes(json!(0), json!(0))),
        ("NetworkType", keeps(json!("IPV4"))),
        ("PreferredBackupWindow", changes(json!("01:00-02:00"), json!("02:00-03:00"))),
        ("PreferredMaintenanceWindow", changes(json!("mon:04:00-mon:05:00"), json!("tue:04:00-tue:05:00"))),
        ("PubliclyAccessible", changes(json!(false), json!(false))),
        ("StorageThroughput", changes(json!(200), json!(300))),
        ("StorageType", changes(json!("gp2"), json!("gp3"))),
        ("Tags", changes(tags("a"), tags("b"))),
        ("VPCSecurityGroups", changes(json!([groups[0]]), json!([groups[1], groups[0]]))),
    ];
    let cases = cases.map(|(property, (first, second, removal))| (property, first, second, removal));
    PropertyTable::on(INSTANCE, &cloud, instance()).rows(cases).untested(OF_OTHER_TESTS).check();
}

#[test]
fn storage_and_version_only_grow_but_a_rollback_succeeds() {
    let cloud = FakeCloud::new();
    let mut db = cloud.create_resource(INSTANCE, instance()).unwrap();
    let read = |db: &Resource| {
        let read = cloud.read_resource(db);
        (read["AllocatedStorage"].clone(), read["EngineVersion"].clone())
    };
    let mut grown = with("AllocatedStorage", json!("30"));
    grown["EngineVersion"] = json!("15.8");
    cloud.update_resource(&mut db, grown.clone()).unwrap();
    assert_eq!(read(&db), (json!("30"), json!("15.8")));
    // The stack takes the change back. RDS cannot, and keeps the storage and the version.
    cloud.roll_back_resource(&mut db, instance()).unwrap();
    assert_eq!(read(&db), (json!("30"), json!("15.8")));
    cloud.update_resource(&mut db, grown.clone()).unwrap();
    // In a template they are errors, also if the database had them before.
    for (property, value) in [("AllocatedStorage", "20"), ("EngineVersion", "15.7")] {
        let mut less = grown.clone();
        less[property] = json!(value);
        let error = cloud.update_resource(&mut db, less).unwrap_err();
        assert_eq!(error.code, "InvalidParameterCombination", "{error}");
    }
}

#[test]
fn password_is_changed_managed_and_given_again() {
    let cloud = FakeCloud::with_managed_passwords();
    let mut db = cloud.create_resource(INSTANCE, instance()).unwrap();
    let password = |db: &Resource| {
        let row = cloud.store.read().get::<Instance>(&db.created.physical_id).unwrap();
        row.credentials.password.reveal().clone()
    };
    cloud.update_resource(&mut db, with("MasterUserPassword", json!("another-horse"))).unwrap();
    assert_eq!(password(&db), "another-horse");
    let mut managed = instance();
    managed.as_object_mut().unwrap().remove("MasterUserPassword");
    managed["ManageMasterUserPassword"] = json!(true);
    cloud.update_resource(&mut db, managed.clone()).unwrap();
    assert!(db.created.attributes.contains_key("MasterUserSecret.SecretArn"));
    assert_eq!(cloud.read_resource(&db)["ManageMasterUserPassword"], true);
    for key in [json!({"KmsKeyId": "one"}), json!({"KmsKeyId": "two"})] {
        managed["MasterUserSecret"] = key.clone();
        cloud.update_resource(&mut db, managed.clone()).unwrap();
        assert_eq!(cloud.read_resource(&db)["MasterUserSecret"]["KmsKeyId"], key["KmsKeyId"]);
    }
    managed.as_object_mut().unwrap().remove("MasterUserSecret");
    cloud.update_resource(&mut db, managed).unwrap();
    assert_eq!(cloud.read_resource(&db)["MasterUserSecret"].get("KmsKeyId"), None);
    cloud.update_resource(&mut db, instance()).unwrap();
    assert_eq!(password(&db), "correct-horse");
    assert!(!db.created.attributes.contains_key("MasterUserSecret.SecretArn"));
    assert_eq!(cloud.read_resource(&db)["ManageMasterUserPassword"], false);
}

#[test]
fn unsupported_changes_are_refused_by_name() {
    let cloud = FakeCloud::new();
    let mut db = cloud.create_resource(INSTANCE, instance()).unwrap();
    for (property, value) in [
        ("DeleteAutomatedBackups", json!(false)),
        ("EnableIAMDatabaseAuthentication", json!(true)),
        ("MonitoringInterval", json!(60)),
        ("NetworkType", json!("DUAL")),
        ("PubliclyAccessible", json!(true)),
    ] {
        let error = cloud.update_resource(&mut db, with(property, value)).unwrap_err();
        assert!(error.message.contains(property), "{error}");
    }
}

/// These changes are only possible while the instance is available, and restart or add servers.
#[tokio::test]
async fn available_instance_changes_zones_port_and_parameter_group() {
    let fixture = Fixture::new();
    let cloud = &fixture.cloud;
    let family = json!({"Family": "postgres15", "Description": "d", "Parameters": {"max_connections": 42}});
    let tuned = cloud.create_resource(PARAMETER_GROUP, family).unwrap().created.physical_id;
    let mut db = cloud.create_resource(INSTANCE, instance()).unwrap();
    let id = db.created.physical_id.clone();
    fixture.settle().await;
    for (property, value) in [
        ("MultiAZ", json!(true)),
        ("Port", json!("6000")),
        ("DBParameterGroupName", json!(tuned)),
        ("MultiAZ", json!(true)),
    ] {
        // Repeated, as in a stack whose daemon stopped in between; then taken back, as by a rollback.
        for properties in [with(property, value.clone()), with(property, value.clone()), instance()] {
            let is_changed = properties != db.properties;
            cloud.clock.advance_ms(1_000);
            let Some(expected) = properties.get(property).cloned() else {
                cloud.update_resource(&mut db, properties).unwrap();
                fixture.settle().await;
                continue;
            };
            cloud.update_resource(&mut db, properties).unwrap();
            assert_eq!(is_pending(cloud, &db), is_changed, "{property}");
            fixture.settle().await;
            assert!(matches!(readiness(cloud, &db), Readiness::Ready(_)), "{property}");
            assert_eq!(cloud.read_resource(&db)[property], expected);
            // A static parameter would wait for a reboot.
            assert!(fixture.seen(&id).pending_restart.is_empty(), "{property}");
        }
        let read = cloud.read_resource(&db);
        assert_eq!((&read["MultiAZ"], &read["Port"]), (&json!(false), &json!("5432")));
        assert_eq!(read["DBParameterGroupName"], "default.postgres15");
        assert_eq!(fixture.seen(&id).nodes.len(), 1);
    }
}

#[tokio::test]
async fn port_is_an_attribute() {
    let fixture = Fixture::new();
    let cloud = &fixture.cloud;
    let mut db = cloud.create_resource(INSTANCE, with("MultiAZ", json!(true))).unwrap();
    fixture.settle().await;
    let mut moved = with("MultiAZ", json!(true));
    moved["Port"] = json!("6000");
    cloud.update_resource(&mut db, moved).unwrap();
    fixture.settle().await;
    assert_eq!(db.created.attributes["Endpoint.Port"], "6000");
    assert_eq!(fixture.status(&db.created.physical_id), "available");
}

/// CloudFormation repeats an update that fails with `InUse`.
#[tokio::test]
async fn change_during_a_change_is_accepted_or_in_use() {
    let fixture = Fixture::new();
    let cloud = &fixture.cloud;
    let mut db = cloud.create_resource(INSTANCE, instance()).unwrap();
    fixture.settle().await;
    cloud.update_resource(&mut db, with("MultiAZ", json!(true))).unwrap();
    let error = cloud.update_resource(&mut db, instance()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InUse, "{error}");
    let mut both = with("MultiAZ", json!(true));
    both["MasterUserPassword"] = json!("another-horse");
    cloud.update_resource(&mut db, both).unwrap();
    fixture.settle().await;
    assert!(matches!(readiness(cloud, &db), Readiness::Ready(_)));
    cloud.update_resource(&mut db, instance()).unwrap();
    fixture.settle().await;
    assert!(matches!(readiness(cloud, &db), Readiness::Ready(_)));
    let row: Instance = (*cloud.store.read().get::<Instance>(&db.created.physical_id).unwrap()).clone();
    assert_eq!(row.credentials.password.reveal(), "correct-horse");
}

#[tokio::test]
async fn refused_change_fails_the_update_but_not_its_rollback() {
    let fixture = Fixture::new();
    let cloud = &fixture.cloud;
    let mut db = cloud.create_resource(INSTANCE, instance()).unwrap();
    let id = db.created.physical_id.clone();
    fixture.settle().await;
    cloud.update_resource(&mut db, with("MasterUserPassword", json!("another-horse"))).unwrap();
    let row = cloud.store.read().get::<Instance>(&id).unwrap();
    let wish = reconcile::fingerprint(&cloud.store.read(), &row).unwrap();
    fixture.executor.record_failure(&id, &wish, "PostgreSQL refuses it").unwrap();
    assert_eq!(readiness(cloud, &db), Readiness::Failed("PostgreSQL refuses it".into()));
    cloud.update_resource(&mut db, instance()).unwrap();
    assert!(is_pending(cloud, &db), "{:?}", readiness(cloud, &db));
    fixture.settle().await;
    assert!(matches!(readiness(cloud, &db), Readiness::Ready(_)));
}

#[tokio::test]
async fn stopped_instance_is_ready_and_a_deleted_one_is_not_read() {
    let fixture = Fixture::new();
    let cloud = &fixture.cloud;
    let mut db = cloud.create_resource(INSTANCE, instance()).unwrap();
    let id = json!({"DBInstanceIdentifier": db.created.physical_id});
    fixture.settle().await;
    cloud.ok("StopDBInstance", id);
    fixture.settle().await;
    cloud.update_resource(&mut db, with("MasterUserPassword", json!("another-horse"))).unwrap();
    assert!(is_pending(cloud, &db));
    fixture.settle().await;
    assert!(matches!(readiness(cloud, &db), Readiness::Ready(_)));
    cloud.delete_resource(&db).unwrap();
    assert_eq!(cloud.read_resource(&db), Value::Null);
    fixture.settle().await;
    assert_eq!(cloud.read_resource(&db), Value::Null);
}

#[test]
fn groups_change_every_property() {
    let cloud = FakeCloud::new();
    let subnets = ["a", "b", "c"].map(|zone| FakeEc2::subnet(&cloud, &cloud.vpc, zone));
    let description = (json!("one"), json!("two"));
    let pairs = (json!([subnets[0], subnets[1]]), json!([subnets[1], subnets[2]]));
    let base = json!({"DBSubnetGroupDescription": "d", "SubnetIds": pairs.0});
    let cases = [
        ("DBSubnetGroupDescription", description.0, description.1, Removal::Refused),
        ("SubnetIds", pairs.0, pairs.1, Removal::Refused),
        ("Tags", tags("a"), tags("b"), Removal::Default),
    ];
    PropertyTable::on(SUBNET_GROUP, &cloud, base).rows(cases).check();
    let base = json!({"Family": "postgres15", "Description": "d"});
    let parameters = (json!({"work_mem": "4096", "max_connections": "42"}), json!({"work_mem": "8192"}));
    let cases = [
        ("Parameters", parameters.0, parameters.1, Removal::Default),
        ("Tags", tags("a"), tags("b"), Removal::Default),
    ];
    PropertyTable::on(PARAMETER_GROUP, &cloud, base).rows(cases).check();
    // A parameter that is removed from the template has its default again.
    let base =
        |parameters: Value| json!({"Family": "postgres15", "Description": "d", "Parameters": parameters});
    let mut group = cloud
        .create_resource(PARAMETER_GROUP, base(json!({"work_mem": 4096, "max_connections": 42})))
        .unwrap();
    cloud.update_resource(&mut group, base(json!({"work_mem": 4096}))).unwrap();
    assert_eq!(cloud.read_resource(&group)["Parameters"], json!({"work_mem": "4096"}));
}
