//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstanceReadReplica.html>

use super::create_db_instance::{check_class, check_storage_type, log_exports, port};
use crate::{
    Error, engines, events, network, provision, reconcile, replicas, rules,
    shapes::{self, InstanceAnswer},
    status::{self, Status},
};
use escale_base::{AwsError, Tag, Wire};
use escale_service::{Cx, Operation};
use escale_store::Image;
use escale_tables::{
    ec2::GroupId,
    rds::{Credentials, Instance, Recorded, ReplicaOf},
};
use std::{collections::BTreeSet, sync::Arc};

pub(crate) struct CreateDBInstanceReadReplica;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("DBInstanceIdentifier")]
    id: String,
    #[wire("SourceDBInstanceIdentifier")]
    source: Option<String>,
    #[wire("DBInstanceClass")]
    class: Option<String>,
    availability_zone: Option<String>,
    port: Option<i32>,
    #[wire("MultiAZ")]
    multi_az: Option<bool>,
    auto_minor_version_upgrade: Option<bool>,
    iops: Option<i32>,
    storage_throughput: Option<i32>,
    #[wire("DBParameterGroupName")]
    parameter_group: Option<String>,
    publicly_accessible: Option<bool>,
    tags: Vec<Tag>,
    #[wire("DBSubnetGroupName")]
    subnet_group: Option<String>,
    vpc_security_group_ids: Vec<GroupId>,
    storage_type: Option<String>,
    copy_tags_to_snapshot: Option<bool>,
    monitoring_interval: Option<i32>,
    #[wire("EnableIAMDatabaseAuthentication")]
    iam_authentication: Option<bool>,
    enable_performance_insights: Option<bool>,
    enable_cloudwatch_logs_exports: Vec<String>,
    deletion_protection: Option<bool>,
    network_type: Option<String>,
    max_allocated_storage: Option<i32>,
    allocated_storage: Option<i32>,
    #[wire("CACertificateIdentifier")]
    ca_certificate: Option<String>,
}

impl Operation for CreateDBInstanceReadReplica {
    type Input = Input;
    type Output = InstanceAnswer;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        let source = input.source.as_deref().unwrap_or("*");
        let source = source.rsplit_once(":db:").map_or(source, |(_, name)| name);
        vec![rules::arn(cx, "db", &input.id), rules::arn(cx, "db", source)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<InstanceAnswer, Error> {
        let id = rules::identifier("DBInstanceIdentifier", &input.id, 63)?;
        if cx.tx.has::<Instance>(&id) {
            return Err(Error::InstanceExists(id));
        }
        refuse_unsupported(&input)?;
        let mut source = Instance::clone(&*source(cx, &input)?);
        check_source(cx.tx, &source)?;
        let name = input.subnet_group.as_deref().unwrap_or(&source.subnet_group).to_owned();
        if rules::subnet_group(cx.tx, &name)?.vpc != source.vpc {
            let what = format!(
                "DB subnet group '{name}' is not in {}, the VPC of instance {}.",
                source.vpc, source.id
            );
            return Err(Error::Network(what));
        }
        let zone = zone(cx.tx, &name, &source, input.availability_zone.as_deref())?;
        let group = network::join_replication_group(cx, &mut source)?;
        cx.tx.put(source.clone());
        let new = provision::NewInstance {
            id,
            resource_id: provision::resource_id(),
            version: engines::version(cx.tx, "postgres", Some(&source.engine_version))?,
            credentials: Credentials { secret_arn: None, ..source.credentials.clone() },
            db_name: source.db_name.clone(),
            place: provision::PlaceRequest {
                subnet_group: Some(&name),
                groups: input.vpc_security_group_ids.clone(),
                zone: Some(&zone),
                multi_az: false,
                port: port(input.port.or(Some(i32::from(source.port))))?,
            },
            parameter_group: input.parameter_group.as_deref().or(Some(&source.parameter_group)),
            restore_from: None,
            recover: None,
            replica_of: Some(ReplicaOf { database: reconcile::plane_name(&source), group, promotion: None }),
            deletion_protection: input.deletion_protection,
            backup_retention_period: Some(0),
            copy_tags_to_snapshot: input.copy_tags_to_snapshot,
            recorded: recorded(&input, &source)?,
            tags: input.tags,
        };
        let row = provision::instance(cx, new)?;
        let message = format!("Creation of a read replica of DB instance {} started", source.id);
        events::instance(cx.tx, cx.config, cx.now, &row.id, "creation", &message);
        Ok(InstanceAnswer { db_instance: shapes::instance(cx, &row) })
    }
}

fn refuse_unsupported(input: &Input) -> Result<(), Error> {
    rules::refuse_public(input.publicly_accessible)?;
    rules::refuse_unsupported_features(rules::Features {
        iam_authentication: input.iam_authentication,
        monitoring_interval: input.monitoring_interval,
        network_type: input.network_type.as_deref(),
        license_model: None,
    })?;
    if input.multi_az == Some(true) {
        let what = AwsError::not_supported("MultiAZ=true for a read replica");
        return Err(what.hint("Promote the replica, then set MultiAZ with ModifyDBInstance.").into());
    }
    input.class.as_deref().map_or(Ok(()), check_class)?;
    input.storage_type.as_deref().map_or(Ok(()), check_storage_type)
}

/// The source, by its identifier or by its ARN in this region and account.
fn source(cx: &Cx<'_>, input: &Input) -> Result<Arc<Instance>, Error> {
    let named = input.source.as_deref().ok_or_else(|| {
        Error::Combination("The parameter SourceDBInstanceIdentifier must be provided.".into())
    })?;
    if named.starts_with("arn:") {
        let name = named.rsplit_once(":db:").map_or("", |(_, name)| name);
        if !named.eq_ignore_ascii_case(&rules::arn(cx, "db", name)) {
            let what = AwsError::not_supported(format_args!(
                "A read replica of {named}, which is no DB instance of this account in {}",
                cx.config.region
            ));
            return Err(what.hint("Use an instance of the same region and account as the source.").into());
        }
    }
    rules::instance(cx.tx, named)
}

fn check_source(image: &Image, source: &Instance) -> Result<(), Error> {
    if source.replica_of.is_some() {
        let what = AwsError::not_supported(format_args!("A read replica of the read replica {}", source.id));
        return Err(what.hint("Create it from the replica's own source.").into());
    }
    if source.backup_retention_days == 0 {
        return Err(Error::InstanceState(format!(
            "Automated backups are not enabled for instance {}, which a read replica needs. Set its BackupRetentionPeriod to \
             a value above 0.",
            source.id
        )));
    }
    let status = status::instance(image, source);
    // Another replica that is being created changes the source, too.
    if !matches!(status, Status::Available | Status::BackingUp | Status::Modifying | Status::Rebooting) {
        let what = format!(
            "Instance {} is {status}. Only an available instance can have a read replica.",
            source.id
        );
        return Err(Error::InstanceState(what));
    }
    match replicas::of(image, source).len() {
        all if all >= replicas::MOST => Err(Error::TooManyReplicas(source.id.clone(), all)),
        _ => Ok(()),
    }
}

/// The zone that the request names, else one in which the source has no server, if there is one.
fn zone(image: &Image, group: &str, source: &Instance, asked: Option<&str>) -> Result<String, Error> {
    let group = rules::subnet_group(image, group)?;
    let taken: BTreeSet<String> = source.nodes.iter().map(|n| n.zone.clone()).collect();
    let chosen = match asked {
        Some(_) => provision::subnet_outside(image, &group, &BTreeSet::new(), asked),
        None => provision::subnet_outside(image, &group, &taken, None)
            .or_else(|_| provision::subnet_outside(image, &group, &BTreeSet::new(), None)),
    };
    Ok(chosen?.zone.to_string())
}

fn recorded(input: &Input, source: &Instance) -> Result<Recorded, Error> {
    let old = &source.recorded;
    let allocated = input.allocated_storage.unwrap_or(old.allocated_storage_gb);
    if allocated < old.allocated_storage_gb {
        let what = "Requested storage size must not be less than that of the source.";
        return Err(Error::Combination(what.into()));
    }
    let storage_type = input.storage_type.clone().unwrap_or_else(|| old.storage_type.clone());
    let (iops, throughput) = rules::storage_defaults(&storage_type, allocated);
    Ok(Recorded {
        class: input.class.clone().unwrap_or_else(|| old.class.clone()),
        allocated_storage_gb: allocated,
        max_allocated_storage_gb: input.max_allocated_storage.or(old.max_allocated_storage_gb),
        storage_type,
        iops: input.iops.or(iops),
        storage_throughput: input.storage_throughput.or(throughput),
        auto_minor_version_upgrade: input
            .auto_minor_version_upgrade
            .unwrap_or(old.auto_minor_version_upgrade),
        ca_certificate: input.ca_certificate.clone().unwrap_or_else(|| old.ca_certificate.clone()),
        performance_insights: input.enable_performance_insights.unwrap_or(false),
        log_exports: log_exports(&input.enable_cloudwatch_logs_exports)?,
        secret_kms_key_id: None,
        ..old.clone()
    })
}
