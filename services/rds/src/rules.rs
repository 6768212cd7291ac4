//! Lookups and checks that the operations share.

use crate::Error;
use escale_base::{AwsError, Secret};
use escale_service::{Also, Config, Cx};
use escale_store::Image;
use escale_tables::{
    ec2::{Group, GroupId, Subnet, SubnetId, VpcId},
    rds::{Instance, ParameterGroup, Snapshot, SubnetGroup},
};
use std::{collections::BTreeSet, sync::Arc};

/// Finds an instance by its identifier or ARN.
pub(crate) fn instance(image: &Image, id: &str) -> Result<Arc<Instance>, Error> {
    let name = id.rsplit_once(":db:").map_or(id, |(_, name)| name).to_ascii_lowercase();
    image.get::<Instance>(&name).ok_or(Error::NoInstance(name))
}

/// Finds a snapshot by its identifier or ARN.
pub(crate) fn snapshot(image: &Image, id: &str) -> Result<Arc<Snapshot>, Error> {
    let name = id.rsplit_once(":snapshot:").map_or(id, |(_, name)| name).to_ascii_lowercase();
    let found = image.get::<Snapshot>(&name).filter(|s| !s.deleted);
    found.ok_or(Error::NoSnapshot(name))
}

pub(crate) fn subnet_group(image: &Image, name: &str) -> Result<Arc<SubnetGroup>, Error> {
    let name = name.to_ascii_lowercase();
    image.get::<SubnetGroup>(&name).ok_or(Error::NoSubnetGroup(name))
}

/// An instance's DNS name in its VPC: `<id>.<hash>.<region>.rds.escale.internal`. The hash identifies account and region,
/// as on AWS.
pub(crate) fn endpoint(config: &Config, id: &str) -> String {
    format!("{id}.{}.{}.rds.{}", hash(config), config.region, Config::PRIVATE_SUFFIX)
}

fn hash(config: &Config) -> String {
    // FNV-1a, because the name must stay the same over versions of Escale. It need not be secure.
    let text = format!("{}/{}", config.account, config.region);
    let mut hash =
        text.bytes().fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    let mut letters = String::from("c");
    for _ in 0..11 {
        let digit = (hash % 36) as u8;
        letters.push(char::from(if digit < 26 { b'a' + digit } else { b'0' + digit - 26 }));
        hash /= 36;
    }
    letters
}

/// Checks an identifier and returns it in lower case: up to `most` letters, digits and hyphens; the first is a letter; no
/// hyphen at the end, no two in a row.
pub(crate) fn identifier(parameter: &str, text: &str, most: usize) -> Result<String, Error> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let good = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.len() <= most
        && text.chars().all(fits)
        && !text.ends_with('-')
        && !text.contains("--");
    if good {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(Error::Value(format!(
            "The parameter {parameter} is not a valid identifier ('{text}'). Identifiers must begin with a letter; must \
             contain only ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive \
             hyphens."
        )))
    }
}

pub(crate) fn username(name: &str) -> Result<(), Error> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty()
        || name.len() > 63
        || !name.starts_with(|c: char| c.is_ascii_alphabetic())
        || !name.chars().all(fits)
    {
        return Err(Error::Value(format!(
            "MasterUsername '{name}' must begin with a letter and contain at most 63 letters, digits and underscores"
        )));
    }
    let lower = name.to_ascii_lowercase();
    let reserved = ["admin", "rdsadmin", "rds_superuser", "rdsrepladmin"];
    if reserved.contains(&lower.as_str())
        || escale_postgres::RESERVED_ROLES.contains(&lower.as_str())
        || lower.starts_with("pg_")
    {
        let what =
            format!("MasterUsername {name} cannot be used as it is a reserved word used by the engine");
        return Err(Error::Value(what));
    }
    Ok(())
}

pub(crate) fn password(password: &Secret<String>) -> Result<(), Error> {
    let text = password.reveal();
    let fits = |c: char| c.is_ascii_graphic() && !"/@\"'".contains(c);
    if !(8..=128).contains(&text.len()) || !text.chars().all(fits) {
        return Err(Error::Value(
            "The parameter MasterUserPassword is not a valid password. It must have 8 to 128 printable ASCII characters, \
             none of them '/', '@', '\"', ''' or ' '."
                .into(),
        ));
    }
    Ok(())
}

/// The name of the initial database. `postgres` needs no creation, since every server has it.
pub(crate) fn database_name(name: Option<String>) -> Result<Option<String>, Error> {
    let Some(name) = name.filter(|n| !n.is_empty() && n != "postgres") else { return Ok(None) };
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let reserved = escale_postgres::RESERVED_DATABASES.contains(&name.as_str())
        || escale_postgres::RESERVED_ROLES.contains(&name.to_ascii_lowercase().as_str())
        || name == "db"
        || name == "rdsadmin";
    if name.len() > 63
        || !name.starts_with(|c: char| c.is_ascii_alphabetic())
        || !name.chars().all(fits)
        || reserved
    {
        return Err(Error::Value(format!(
            "DBName '{name}' must begin with a letter, contain at most 63 letters, digits and underscores, and not be a \
             reserved word"
        )));
    }
    Ok(Some(name))
}

/// The VPC of these subnets. They must belong to one VPC and to at least two zones.
pub(crate) fn subnets(image: &Image, ids: &[SubnetId]) -> Result<VpcId, Error> {
    let mut rows = Vec::new();
    for id in ids {
        let row = image.get::<Subnet>(id.as_str());
        rows.push(row.ok_or_else(|| Error::Subnet(format!("Some input subnets in :[{id}] are invalid.")))?);
    }
    let vpcs: BTreeSet<&VpcId> = rows.iter().map(|r| &r.vpc).collect();
    let zones: BTreeSet<&str> = rows.iter().map(|r| r.zone.as_str()).collect();
    match (vpcs.len(), rows.first()) {
        (1, Some(first)) if zones.len() >= 2 => Ok(first.vpc.clone()),
        (0 | 1, _) => Err(Error::TooFewZones(zones.into_iter().collect::<Vec<_>>().join(", "))),
        _ => Err(Error::Subnet("The subnets are in more than one VPC.".into())),
    }
}

/// Checks that the security groups belong to the VPC. Without any, returns the VPC's group `default`.
pub(crate) fn security_groups(image: &Image, vpc: &VpcId, ids: Vec<GroupId>) -> Result<Vec<GroupId>, Error> {
    for id in &ids {
        match image.get::<Group>(id.as_str()) {
            Some(group) if group.vpc == *vpc => {}
            Some(_) => {
                let what = format!(
                    "The DB instance and EC2 security group are in different VPCs: {id} is not in {vpc}"
                );
                return Err(Error::Network(what));
            }
            None => return Err(Error::Value(format!("Invalid security group, groupId= {id}, groupName=."))),
        }
    }
    if !ids.is_empty() {
        return Ok(ids);
    }
    let default = image.scan::<Group>().find(|g| g.vpc == *vpc && g.name == "default");
    default.map(|g| vec![g.id.clone()]).ok_or_else(|| {
        Error::Network(format!("{vpc} has no security group 'default'. Set VpcSecurityGroupIds"))
    })
}

pub(crate) fn default_parameter_group(major: u32) -> String {
    format!("default.postgres{major}")
}

/// Checks that the group exists and is for the instance's major version. Returns its name.
pub(crate) fn parameter_group(image: &Image, name: &str, major: u32) -> Result<String, Error> {
    let name = name.to_ascii_lowercase();
    if name == default_parameter_group(major) {
        return Ok(name);
    }
    let group = image.get::<ParameterGroup>(&name).ok_or_else(|| Error::NoParameterGroup(name.clone()))?;
    if group.family == format!("postgres{major}") {
        Ok(name)
    } else {
        Err(Error::Combination(format!(
            "The parameter group {name} with DBParameterGroupFamily {} can't be used for this instance. Use a parameter \
             group with DBParameterGroupFamily postgres{major}.",
            group.family
        )))
    }
}

/// The actions that the caller needs for a managed password in Secrets Manager. The secret's ARN is not known yet.
///
/// Source: <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html>
pub(crate) fn managed_secret(cx: &Cx<'_>, manage: Option<bool>, rotate: Option<bool>) -> Vec<Also> {
    let secrets = [cx.arn("secretsmanager", "secret:rds!db-*").to_string()];
    let mut actions = Vec::new();
    if manage == Some(true) {
        actions.extend(["secretsmanager:CreateSecret", "secretsmanager:TagResource"]);
    }
    if rotate == Some(true) {
        actions.push("secretsmanager:RotateSecret");
    }
    actions.into_iter().map(|action| Also::new(action, secrets.clone())).collect()
}

/// The ARN for `resources()` of operations on an instance.
pub(crate) fn instance_arn(cx: &Cx<'_>, id: &str) -> Vec<String> {
    vec![arn(cx, "db", id)]
}

pub(crate) fn arn(cx: &Cx<'_>, kind: &str, id: &str) -> String {
    cx.arn("rds", format!("{kind}:{}", id.to_ascii_lowercase())).to_string()
}

/// Refuses a parameter that is not supported, if the condition is true.
pub(crate) fn refuse_if(condition: bool, what: &str) -> Result<(), Error> {
    if condition { Err(AwsError::not_supported(what).into()) } else { Ok(()) }
}

/// Parameters of which only the default is supported.
pub(crate) struct Features<'a> {
    pub iam_authentication: Option<bool>,
    pub monitoring_interval: Option<i32>,
    pub network_type: Option<&'a str>,
    pub license_model: Option<&'a str>,
}

pub(crate) fn refuse_unsupported_features(given: Features<'_>) -> Result<(), Error> {
    refuse_if(given.iam_authentication == Some(true), "EnableIAMDatabaseAuthentication=true")?;
    refuse_if(given.monitoring_interval.is_some_and(|s| s > 0), "A MonitoringInterval above 0")?;
    if let Some(other) = given.network_type.filter(|kind| *kind != "IPV4") {
        let unsupported = AwsError::not_supported(format_args!("The NetworkType {other}"));
        return Err(unsupported.hint("Use IPV4.").into());
    }
    if let Some(model) = given.license_model.filter(|model| *model != "postgresql-license") {
        return Err(Error::Value(format!("Invalid license model '{model}' for engine 'postgres'.")));
    }
    Ok(())
}

/// The IOPS and the throughput in MiB/s of storage for which a request sets neither.
///
/// Source: <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html#gp3-storage>
pub(crate) fn storage_defaults(kind: &str, size_gb: i32) -> (Option<i32>, Option<i32>) {
    match kind {
        "gp3" if size_gb < 400 => (Some(3_000), Some(125)),
        "gp3" => (Some(12_000), Some(500)),
        _ => (None, None),
    }
}

pub(crate) fn refuse_public(publicly_accessible: Option<bool>) -> Result<(), Error> {
    match publicly_accessible {
        Some(true) => Err(AwsError::not_supported("PubliclyAccessible=true")
            .hint("Use false: a database can be reached only from its VPC.")
            .into()),
        _ => Ok(()),
    }
}

pub(crate) fn backup_retention(days: i32) -> Result<i32, Error> {
    match days {
        0..=35 => Ok(days),
        _ => Err(Error::Value(format!("Invalid backup retention period: {days}. Must be between 0 and 35."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_identifiers() {
        for (text, good) in [
            ("shop-db", true),
            ("Shop", true),
            ("1shop", false),
            ("a--b", false),
            ("a-", false),
            ("", false),
            ("a_b", false),
        ] {
            assert_eq!(identifier("DBInstanceIdentifier", text, 63).is_ok(), good, "{text}");
        }
    }

    #[test]
    fn endpoint_names_are_stable() {
        let config = Config::default();
        let name = endpoint(&config, "shop");
        assert_eq!(name, endpoint(&config, "shop"));
        assert!(name.starts_with("shop.c") && name.ends_with(".eu-west-3.rds.escale.internal"), "{name}");
    }
}
