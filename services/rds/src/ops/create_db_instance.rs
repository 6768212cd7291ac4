//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html>

use crate::{
    Error, engines, events, provision, rules,
    shapes::{self, InstanceAnswer},
    windows,
};
use escale_base::{AwsError, Secret, Tag, Wire};
use escale_service::{Also, Cx, Operation};
use escale_tables::{
    ec2::GroupId,
    rds::{Credentials, Instance, LifecycleSupport, LogExport, Recorded},
};

pub(crate) struct CreateDBInstance;

pub(crate) const CERTIFICATE: &str = "rds-ca-rsa2048-g1";
pub(crate) const STORAGE_TYPE: &str = "gp3";

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("DBName")]
    db_name: Option<String>,
    #[wire("DBInstanceIdentifier")]
    id: String,
    allocated_storage: Option<i32>,
    #[wire("DBInstanceClass")]
    class: String,
    engine: String,
    master_username: Option<String>,
    master_user_password: Option<Secret<String>>,
    #[wire("DBSecurityGroups")]
    db_security_groups: Vec<String>,
    vpc_security_group_ids: Vec<GroupId>,
    availability_zone: Option<String>,
    #[wire("DBSubnetGroupName")]
    subnet_group: Option<String>,
    preferred_maintenance_window: Option<String>,
    #[wire("DBParameterGroupName")]
    parameter_group: Option<String>,
    backup_retention_period: Option<i32>,
    preferred_backup_window: Option<String>,
    port: Option<i32>,
    #[wire("MultiAZ")]
    multi_az: Option<bool>,
    engine_version: Option<String>,
    auto_minor_version_upgrade: Option<bool>,
    license_model: Option<String>,
    iops: Option<i32>,
    storage_throughput: Option<i32>,
    publicly_accessible: Option<bool>,
    tags: Vec<Tag>,
    storage_type: Option<String>,
    storage_encrypted: Option<bool>,
    kms_key_id: Option<String>,
    copy_tags_to_snapshot: Option<bool>,
    monitoring_interval: Option<i32>,
    #[wire("EnableIAMDatabaseAuthentication")]
    iam_authentication: Option<bool>,
    enable_performance_insights: Option<bool>,
    enable_cloudwatch_logs_exports: Vec<String>,
    deletion_protection: Option<bool>,
    max_allocated_storage: Option<i32>,
    network_type: Option<String>,
    #[wire("CACertificateIdentifier")]
    ca_certificate: Option<String>,
    manage_master_user_password: Option<bool>,
    master_user_secret_kms_key_id: Option<String>,
    engine_lifecycle_support: Option<LifecycleSupport>,
}

impl Operation for CreateDBInstance {
    type Input = Input;
    type Output = InstanceAnswer;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        rules::instance_arn(cx, &input.id)
    }

    fn also(input: &Input, cx: &Cx<'_>) -> Vec<Also> {
        rules::managed_secret(cx, input.manage_master_user_password, None)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<InstanceAnswer, Error> {
        let id = rules::identifier("DBInstanceIdentifier", &input.id, 63)?;
        if cx.tx.has::<Instance>(&id) {
            return Err(Error::InstanceExists(id));
        }
        refuse_unsupported(&input)?;
        let version = engines::version(cx.tx, &input.engine, input.engine_version.as_deref())?;
        let db_name = rules::database_name(input.db_name.clone())?;
        let port = port(input.port)?;
        let recorded = recorded(&input)?;
        let resource_id = provision::resource_id();
        let new = provision::NewInstance {
            credentials: credentials(cx, &input, &id, &resource_id)?,
            id,
            resource_id,
            version,
            db_name,
            place: provision::PlaceRequest {
                subnet_group: input.subnet_group.as_deref(),
                groups: input.vpc_security_group_ids,
                zone: input.availability_zone.as_deref(),
                multi_az: input.multi_az.unwrap_or(false),
                port,
            },
            parameter_group: input.parameter_group.as_deref(),
            restore_from: None,
            recover: None,
            replica_of: None,
            deletion_protection: input.deletion_protection,
            backup_retention_period: input.backup_retention_period,
            copy_tags_to_snapshot: input.copy_tags_to_snapshot,
            recorded,
            tags: input.tags,
        };
        let row = provision::instance(cx, new)?;
        events::instance(cx.tx, cx.config, cx.now, &row.id, "creation", "DB instance creation started");
        Ok(InstanceAnswer { db_instance: shapes::instance(cx, &row) })
    }
}

fn refuse_unsupported(input: &Input) -> Result<(), Error> {
    rules::refuse_public(input.publicly_accessible)?;
    if !input.db_security_groups.is_empty() {
        let unsupported = AwsError::not_supported("The parameter DBSecurityGroups");
        return Err(unsupported.hint("Use VpcSecurityGroupIds.").into());
    }
    rules::refuse_unsupported_features(rules::Features {
        iam_authentication: input.iam_authentication,
        monitoring_interval: input.monitoring_interval,
        network_type: input.network_type.as_deref(),
        license_model: input.license_model.as_deref(),
    })
}

pub(crate) fn port(requested: Option<i32>) -> Result<u16, Error> {
    let port = requested.unwrap_or(5432);
    let fits = u16::try_from(port).ok().filter(|p| *p >= 1150);
    fits.ok_or_else(|| Error::Value(format!("Invalid port {port}. It must be between 1150 and 65535")))
}

fn recorded(input: &Input) -> Result<Recorded, Error> {
    check_class(&input.class)?;
    let storage_type = input.storage_type.clone().unwrap_or_else(|| STORAGE_TYPE.into());
    check_storage_type(&storage_type)?;
    let allocated = input.allocated_storage.ok_or_else(|| {
        Error::Combination("The parameter AllocatedStorage must be provided and must not be blank.".into())
    })?;
    if !(5..=65_536).contains(&allocated) {
        let what = format!(
            "Invalid storage size for engine name postgres and storage type {storage_type}: {allocated}"
        );
        return Err(Error::Combination(what));
    }
    if input.max_allocated_storage.is_some_and(|max| max <= allocated) {
        return Err(Error::Combination("MaxAllocatedStorage must be greater than AllocatedStorage".into()));
    }
    let (iops, throughput) = rules::storage_defaults(&storage_type, allocated);
    let (backup_window, maintenance_window) = windows::both(
        input.preferred_backup_window.as_deref(),
        input.preferred_maintenance_window.as_deref(),
    )?;
    Ok(Recorded {
        class: input.class.clone(),
        allocated_storage_gb: allocated,
        max_allocated_storage_gb: input.max_allocated_storage,
        storage_type,
        iops: input.iops.or(iops),
        storage_throughput: input.storage_throughput.or(throughput),
        storage_encrypted: input.storage_encrypted.unwrap_or(false),
        kms_key_id: input.kms_key_id.clone(),
        backup_window,
        maintenance_window,
        auto_minor_version_upgrade: input.auto_minor_version_upgrade.unwrap_or(true),
        ca_certificate: input.ca_certificate.clone().unwrap_or_else(|| CERTIFICATE.into()),
        option_group: None,
        performance_insights: input.enable_performance_insights.unwrap_or(false),
        log_exports: log_exports(&input.enable_cloudwatch_logs_exports)?,
        lifecycle_support: input.engine_lifecycle_support.unwrap_or_default(),
        secret_kms_key_id: input.master_user_secret_kms_key_id.clone(),
    })
}

pub(super) fn check_class(class: &str) -> Result<(), Error> {
    if !class.starts_with("db.") || class.split('.').count() != 3 {
        return Err(Error::Value(format!("Invalid DB Instance class: {class}")));
    }
    Ok(())
}

pub(super) fn check_storage_type(kind: &str) -> Result<(), Error> {
    if !["gp2", "gp3", "io1", "io2", "standard"].contains(&kind) {
        return Err(Error::Value(format!("Invalid storage type: {kind}")));
    }
    Ok(())
}

pub(super) fn log_exports(requested: &[String]) -> Result<Vec<LogExport>, Error> {
    let unknown =
        |text| Error::Combination(format!("You cannot use the log type '{text}' with the engine postgres."));
    requested.iter().map(|text| text.parse().map_err(|_| unknown(text))).collect()
}

/// The password of the request, or a generated one in a secret.
fn credentials(cx: &mut Cx<'_>, input: &Input, id: &str, resource_id: &str) -> Result<Credentials, Error> {
    let missing =
        |what: &str| Error::Value(format!("The parameter {what} must be provided and must not be blank."));
    let username = input.master_username.clone().ok_or_else(|| missing("MasterUsername"))?;
    rules::username(&username)?;
    let managed = input.manage_master_user_password == Some(true);
    let (password, secret_arn) = match &input.master_user_password {
        Some(_) if managed => {
            let what = "You can't specify MasterUserPassword when you specify ManageMasterUserPassword.";
            return Err(Error::Combination(what.into()));
        }
        Some(password) => {
            rules::password(password)?;
            (password.clone(), None)
        }
        None if managed => {
            let arn = rules::arn(cx, "db", id);
            let (password, secret) = provision::managed_password(cx, &username, resource_id, &arn)?;
            (password, Some(secret))
        }
        None => return Err(missing("MasterUserPassword")),
    };
    Ok(Credentials { username, password, secret_arn })
}

#[cfg(test)]
mod tests {
    use crate::testing::FakeCloud;
    use serde_json::json;

    #[test]
    fn multi_az_creates_an_interface_in_each_of_two_zones() {
        let cloud = FakeCloud::new();
        let made = cloud.create("shop", json!({"MultiAZ": true})).unwrap();
        let made = &made["DBInstance"];
        assert_eq!(made["DBInstanceStatus"], "creating");
        assert_eq!(made["AvailabilityZone"], "eu-west-3a");
        assert!(made["SecondaryAvailabilityZone"].is_null(), "there is no standby yet");
        assert_eq!(made["EngineVersion"], "15.14");
        assert!(made["Endpoint"].is_null());
        assert_eq!(cloud.interfaces(), 2);
        assert_eq!(cloud.create("Shop", json!({})).unwrap_err().code, "DBInstanceAlreadyExists");
    }

    /// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html>: `DBSubnetGroupName`
    #[test]
    fn instance_without_subnet_group_is_in_the_default_vpc() {
        let cloud = FakeCloud::new();
        let no_group = json!({"DBSubnetGroupName": null});
        let error = cloud.create("shop", no_group.clone()).unwrap_err();
        assert_eq!(error.code, "InvalidVPCNetworkStateFault");
        assert!(error.message.contains("CreateDefaultVpc"), "{error}");
        cloud.make_default();
        let made = cloud.create("shop", no_group).unwrap();
        let group = &made["DBInstance"]["DBSubnetGroup"];
        assert_eq!((&group["DBSubnetGroupName"], &group["VpcId"]), (&json!("default"), &json!(cloud.vpc)));
        assert_eq!(group["Subnets"].as_array().unwrap().len(), 2);
        let named = json!({"DBSubnetGroupName": "default"});
        assert_eq!(cloud.error("DeleteDBSubnetGroup", named.clone()).code, "InvalidDBSubnetGroupStateFault");
        cloud.create("other", named).unwrap();
    }

    #[test]
    fn recorded_settings_are_returned() {
        let cloud = FakeCloud::new();
        let logs = json!(["postgresql", "upgrade"]);
        let extra = json!({"EnableCloudwatchLogsExports": logs, "EnablePerformanceInsights": true});
        let made = cloud.create("shop", extra).unwrap();
        assert_eq!(made["DBInstance"]["EnabledCloudwatchLogsExports"], logs);
        assert_eq!(made["DBInstance"]["PerformanceInsightsEnabled"], true);
        let unknown = cloud.create("other", json!({"EnableCloudwatchLogsExports": ["audit"]})).unwrap_err();
        assert_eq!(unknown.code, "InvalidParameterCombination");
    }

    #[test]
    fn refuses_an_empty_password_from_another_service() {
        let cloud = FakeCloud::new();
        let managed = json!({"ManageMasterUserPassword": true, "MasterUserPassword": null});
        assert_eq!(cloud.create("shop", managed).unwrap_err().code, "InternalFailure");
        cloud.create("shop", json!({})).unwrap();
        let rotated = json!({"DBInstanceIdentifier": "shop", "ManageMasterUserPassword": true});
        assert_eq!(cloud.error("ModifyDBInstance", rotated).code, "InternalFailure");
    }

    #[test]
    fn refuses_invalid_parameters_by_name() {
        let cloud = FakeCloud::new();
        for (extra, code, word) in [
            (json!({"PubliclyAccessible": true}), "NotImplemented", "PubliclyAccessible"),
            (json!({"EngineVersion": "16.1"}), "InvalidParameterValue", "16.1"),
            (json!({"EngineVersion": "15.99"}), "InvalidParameterValue", "15.99"),
            (json!({"Engine": "mysql"}), "InvalidParameterValue", "mysql"),
            (json!({"MasterUsername": "admin"}), "InvalidParameterValue", "admin"),
            (json!({"MasterUserPassword": "short"}), "InvalidParameterValue", "MasterUserPassword"),
            (json!({"DBSubnetGroupName": "nope"}), "DBSubnetGroupNotFoundFault", "nope"),
            (
                json!({"MultiAZ": true, "AvailabilityZone": "eu-west-3a"}),
                "InvalidParameterCombination",
                "zone",
            ),
            (
                json!({"ManageMasterUserPassword": true}),
                "InvalidParameterCombination",
                "ManageMasterUserPassword",
            ),
            (json!({"Timezone": "UTC"}), "NotImplemented", "Timezone"),
        ] {
            let error = cloud.create("x", extra).unwrap_err();
            assert_eq!(error.code, code, "{error}");
            assert!(error.message.contains(word), "{error}");
        }
        assert_eq!(cloud.interfaces(), 0);
    }
}
