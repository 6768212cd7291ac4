//! Provisions instances, for creation, restoration and modification: network resources, passwords, snapshot rows.

use crate::{Error, events, rules};
use escale_base::{AwsError, Secret, Tag, already_gone, ids};
use escale_requests::{
    ec2::{
        AuthorizeSecurityGroupEgress, AuthorizeSecurityGroupIngress, CreateNetworkInterface,
        CreateSecurityGroup, DeleteNetworkInterface, DeleteSecurityGroup, IpPermission, IpRange,
        RevokeSecurityGroupEgress, UserIdGroupPair,
    },
    secretsmanager::{CreateSecret, DeleteSecret, GetRandomPassword, PutSecretValue},
};
use escale_service::Cx;
use escale_store::Image;
use escale_tables::{
    ec2::{DefaultSubnet, DefaultVpc, GroupId, Subnet, VpcId},
    rds::{
        Credentials, Instance, InstanceSeen, Node, Recorded, Recover, ReplicaOf, Snapshot, SnapshotKind,
        SubnetGroup,
    },
};
use serde_json::json;
use std::{collections::BTreeSet, sync::Arc};

/// The principal under which RDS calls other services.
pub(crate) const PRINCIPAL: &str = "rds.amazonaws.com";

/// The parameters of a new instance, empty or restored from a snapshot.
pub(crate) struct NewInstance<'a> {
    pub id: String,
    pub resource_id: String,
    /// The major version and the full version.
    pub version: (u32, String),
    pub credentials: Credentials,
    pub db_name: Option<String>,
    pub place: PlaceRequest<'a>,
    pub parameter_group: Option<&'a str>,
    pub restore_from: Option<String>,
    pub recover: Option<Recover>,
    pub replica_of: Option<ReplicaOf>,
    pub deletion_protection: Option<bool>,
    pub backup_retention_period: Option<i32>,
    pub copy_tags_to_snapshot: Option<bool>,
    pub recorded: Recorded,
    pub tags: Vec<Tag>,
}

/// Writes the row of a new instance and creates its network resources.
pub(crate) fn instance(cx: &mut Cx<'_>, new: NewInstance<'_>) -> Result<Instance, Error> {
    let (major, engine_version) = new.version;
    let default_group = rules::default_parameter_group(major);
    let group = new.parameter_group.unwrap_or(&default_group);
    let parameter_group = rules::parameter_group(cx.tx, group, major)?;
    // One day is AWS's default.
    let backup_retention_days = rules::backup_retention(new.backup_retention_period.unwrap_or(1))?;
    let (port, multi_az) = (new.place.port, new.place.multi_az);
    let joins = new.replica_of.as_ref().map(|r| r.group.clone());
    let place = place(cx, &new.id, new.place, joins)?;
    let row = Instance {
        id: new.id,
        resource_id: new.resource_id,
        major,
        engine_version,
        credentials: new.credentials,
        db_name: new.db_name,
        port,
        multi_az,
        subnet_group: place.subnet_group,
        vpc: place.vpc,
        security_groups: place.security_groups,
        replication_group: place.replication_group,
        parameter_group,
        nodes: place.nodes,
        leaving: vec![],
        running: true,
        stopped: None,
        restore_from: new.restore_from,
        recover: new.recover,
        replica_of: new.replica_of,
        reboot: None,
        upgrade: None,
        deletion: None,
        deletion_protection: new.deletion_protection.unwrap_or(false),
        backup_retention_days,
        copy_tags_to_snapshot: new.copy_tags_to_snapshot.unwrap_or(false),
        recorded: new.recorded,
        revision: 1,
        tags: new.tags,
        created: cx.now,
    };
    cx.tx.put(row.clone());
    Ok(row)
}

/// The network resources of an instance.
struct Place {
    subnet_group: String,
    vpc: VpcId,
    security_groups: Vec<GroupId>,
    replication_group: Option<GroupId>,
    nodes: Vec<Node>,
}

/// The parameters of an instance's network resources.
pub(crate) struct PlaceRequest<'a> {
    pub subnet_group: Option<&'a str>,
    pub groups: Vec<GroupId>,
    pub zone: Option<&'a str>,
    pub multi_az: bool,
    pub port: u16,
}

/// Chooses zones and creates an interface for each node. `joins`: a group that the interfaces are in, too.
fn place(
    cx: &mut Cx<'_>,
    id: &str,
    request: PlaceRequest<'_>,
    joins: Option<GroupId>,
) -> Result<Place, Error> {
    let PlaceRequest { subnet_group, groups, zone, multi_az, port } = request;
    let group = match subnet_group {
        Some(name) => rules::subnet_group(cx.tx, name)?,
        None => default_subnet_group(cx)?,
    };
    let security_groups = rules::security_groups(cx.tx, &group.vpc, groups)?;
    if multi_az && zone.is_some() {
        let what = "Requesting a specific availability zone is not valid for Multi-AZ instances.";
        return Err(Error::Combination(what.into()));
    }
    let first = subnet_outside(cx.tx, &group, &BTreeSet::new(), zone)?;
    let mut subnets = vec![first];
    if multi_az {
        subnets.push(subnet_outside(cx.tx, &group, &BTreeSet::from([subnets[0].zone.to_string()]), None)?);
    }
    let replication_group = if multi_az { Some(replication_group(cx, id, &group.vpc, port)?) } else { None };
    let all: Vec<GroupId> = security_groups.iter().chain(&replication_group).chain(&joins).cloned().collect();
    let nodes = subnets.iter().map(|s| node(cx, id, s, &all)).collect::<Result<_, _>>()?;
    let (subnet_group, vpc) = (group.name.clone(), group.vpc.clone());
    Ok(Place { subnet_group, vpc, security_groups, replication_group, nodes })
}

/// The group `default`: the default VPC's default subnets. AWS creates it with the first instance that names no group.
/// Source: <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_VPC.WorkingWithRDSInstanceinaVPC.html#USER_VPC.Subnets>
fn default_subnet_group(cx: &mut Cx<'_>) -> Result<Arc<SubnetGroup>, Error> {
    let vpc = DefaultVpc::of(cx.tx).ok_or_else(|| {
        Error::Network(
            "The request has no DBSubnetGroupName and the account has no default VPC. Name a DB subnet group, or create a \
             default VPC with CreateDefaultVpc."
                .into(),
        )
    })?;
    // A group of an earlier default VPC is replaced. It has no instances: they would have kept that VPC from being deleted.
    if let Some(group) = cx.tx.get::<SubnetGroup>(SubnetGroup::DEFAULT).filter(|g| g.vpc == vpc) {
        return Ok(group);
    }
    let subnets: Vec<_> = cx.tx.scan::<DefaultSubnet>().map(|d| d.subnet.clone()).collect();
    rules::subnets(cx.tx, &subnets)?;
    let name = SubnetGroup::DEFAULT.to_owned();
    cx.tx.put(SubnetGroup { description: name.clone(), name, vpc, subnets, tags: vec![] });
    rules::subnet_group(cx.tx, SubnetGroup::DEFAULT)
}

/// Creates a security group whose members reach each other's database port. AWS replicates a Multi-AZ instance outside of the
/// VPC, so the user needs no rule for it. Here the nodes replicate over the instance's interfaces.
pub(crate) fn replication_group(cx: &mut Cx<'_>, id: &str, vpc: &VpcId, port: u16) -> Result<GroupId, Error> {
    let request = CreateSecurityGroup {
        group_name: format!("rds-replication-{id}-{}", ids::random_hex(6)),
        description: format!("Created by RDS: replication between the nodes of {id}"),
        vpc_id: vpc.clone(),
    };
    let group = cx.call_as(PRINCIPAL, request)?.group_id;
    let everywhere = vec![IpPermission {
        ip_protocol: "-1".into(),
        from_port: None,
        to_port: None,
        ip_ranges: vec![IpRange { cidr_ip: "0.0.0.0/0".into() }],
        user_id_group_pairs: vec![],
    }];
    let each_other = vec![IpPermission {
        ip_protocol: "tcp".into(),
        from_port: Some(port),
        to_port: Some(port),
        ip_ranges: vec![],
        user_id_group_pairs: vec![UserIdGroupPair { group_id: group.clone() }],
    }];
    let group_id = || group.clone();
    // EC2 gives every new group a rule that allows all egress. It would override the user's own egress rules.
    cx.call_as(PRINCIPAL, RevokeSecurityGroupEgress { group_id: group_id(), ip_permissions: everywhere })?;
    let out = AuthorizeSecurityGroupEgress { group_id: group_id(), ip_permissions: each_other.clone() };
    cx.call_as(PRINCIPAL, out)?;
    cx.call_as(
        PRINCIPAL,
        AuthorizeSecurityGroupIngress { group_id: group_id(), ip_permissions: each_other },
    )?;
    Ok(group)
}

/// The groups of an instance's interfaces: the user's groups, the replication group, and that of a replica's source.
pub(crate) fn groups_of(instance: &Instance) -> Vec<GroupId> {
    let source = instance.replica_of.as_ref().map(|r| &r.group);
    instance.security_groups.iter().chain(&instance.replication_group).chain(source).cloned().collect()
}

pub(crate) fn delete_group(cx: &mut Cx<'_>, group: &GroupId) -> Result<(), AwsError> {
    already_gone(cx.call_as(PRINCIPAL, DeleteSecurityGroup { group_id: group.clone() }))
}

/// The group's first subnet outside of the zones `taken`, and in `zone` if it is given.
pub(crate) fn subnet_outside(
    image: &Image,
    group: &SubnetGroup,
    taken: &BTreeSet<String>,
    zone: Option<&str>,
) -> Result<Arc<Subnet>, Error> {
    let mut subnets = group.subnets.iter().filter_map(|id| image.get::<Subnet>(id.as_str()));
    let found = subnets.find(|s| !taken.contains(s.zone.as_str()) && zone.is_none_or(|z| z == s.zone));
    found.ok_or_else(|| match zone {
        Some(zone) => Error::Network(format!("DB subnet group '{}' has no subnet in {zone}", group.name)),
        None => Error::TooFewZones(taken.iter().cloned().collect::<Vec<_>>().join(", ")),
    })
}

/// Creates a node with a new name and an interface of its own.
pub(crate) fn node(cx: &mut Cx<'_>, id: &str, subnet: &Subnet, groups: &[GroupId]) -> Result<Node, Error> {
    let name = format!("n{}", ids::random_hex(8));
    let request = CreateNetworkInterface {
        subnet_id: subnet.id.clone(),
        description: format!("RDSNetworkInterface {id}"),
        groups: Some(groups.to_vec()),
        interface_type: None,
        private_ip_address: None,
    };
    let interface = cx.call_as(PRINCIPAL, request)?.network_interface;
    Ok(Node {
        name,
        zone: subnet.zone.to_string(),
        subnet: subnet.id.clone(),
        interface: interface.network_interface_id,
        address: interface.private_ip_address,
    })
}

/// Generates a password and stores it in a new secret.
pub(crate) fn managed_password(
    cx: &mut Cx<'_>,
    username: &str,
    resource_id: &str,
    instance_arn: &str,
) -> Result<(Secret<String>, String), Error> {
    let password = random_password(cx)?;
    let request = CreateSecret {
        name: format!("rds!db-{}", ids::random_uuid()),
        description: format!("Secret associated with primary RDS DB instance: {instance_arn}"),
        secret_string: login(username, &password),
        tags: vec![
            Tag::new("aws:rds:primaryDBInstanceArn", instance_arn),
            Tag::new("aws:secretsmanager:owningService", "rds"),
            Tag::new("aws:rds:resourceId", resource_id),
        ],
    };
    let arn = cx.call_as(PRINCIPAL, request)?.arn;
    Ok((password, arn))
}

fn random_password(cx: &mut Cx<'_>) -> Result<Secret<String>, Error> {
    let request = GetRandomPassword { password_length: 28, exclude_characters: "/@\"'\\ `$".into() };
    let password = cx.call_as(PRINCIPAL, request)?.random_password;
    // A bad password of another service is not the caller's fault, so this is no validation error.
    rules::password(&password).map_err(|_| AwsError::internal())?;
    Ok(password)
}

/// The value of the secret of a master user.
fn login(username: &str, password: &Secret<String>) -> Secret<String> {
    Secret::new(json!({"username": username, "password": password.reveal()}).to_string())
}

/// Generates another password and writes it into the secret.
pub(crate) fn rotate_password(cx: &mut Cx<'_>, arn: &str, username: &str) -> Result<Secret<String>, Error> {
    let password = random_password(cx)?;
    let secret_string = login(username, &password);
    cx.call_as(PRINCIPAL, PutSecretValue { secret_id: arn.to_owned(), secret_string })?;
    Ok(password)
}

pub(crate) fn delete_secret(cx: &mut Cx<'_>, arn: &str) -> Result<(), AwsError> {
    let request = DeleteSecret { secret_id: arn.to_owned(), force_delete_without_recovery: true };
    already_gone(cx.call_as(PRINCIPAL, request))
}

pub(crate) fn delete_interface(cx: &mut Cx<'_>, node: &Node) -> Result<(), AwsError> {
    let network_interface_id = node.interface.clone();
    already_gone(cx.call_as(PRINCIPAL, DeleteNetworkInterface { network_interface_id }))
}

/// Writes the row of a snapshot of an instance as it is now.
pub(crate) fn snapshot(
    cx: &mut Cx<'_>,
    instance: &Instance,
    id: String,
    kind: SnapshotKind,
    mut tags: Vec<Tag>,
) -> Result<Snapshot, Error> {
    if cx.tx.has::<Snapshot>(&id) {
        return Err(Error::SnapshotExists(id));
    }
    if instance.copy_tags_to_snapshot && tags.is_empty() {
        tags.clone_from(&instance.tags);
    }
    let seen = cx.tx.get::<InstanceSeen>(&instance.id);
    let primary = seen.and_then(|s| instance.nodes.iter().find(|n| n.name == s.primary));
    let zone = primary.or(instance.nodes.first()).map(|n| n.zone.clone()).unwrap_or_default();
    let row = Snapshot {
        id,
        copy: format!("snap-{}", ids::random_hex(17)),
        kind,
        instance: instance.id.clone(),
        resource_id: instance.resource_id.clone(),
        engine_version: instance.engine_version.clone(),
        master_username: instance.credentials.username.clone(),
        master_password: instance.credentials.password.clone(),
        db_name: instance.db_name.clone(),
        port: instance.port,
        vpc: instance.vpc.clone(),
        zone,
        allocated_storage_gb: instance.recorded.allocated_storage_gb,
        storage_type: instance.recorded.storage_type.clone(),
        encrypted: instance.recorded.storage_encrypted,
        instance_created: instance.created,
        copy_of: None,
        deleted: false,
        tags,
        created: cx.now,
    };
    cx.tx.put(row.clone());
    events::instance(cx.tx, cx.config, cx.now, &row.instance, "backup", "Backing up DB instance");
    Ok(row)
}

/// `db-` and 26 characters.
pub(crate) fn resource_id() -> String {
    format!("db-{}", ids::random_upper(26))
}
