//! Placing a task: its zone, its interface, its row, in one transaction.

use crate::{Error, calls::ECS, rules};
use escale_base::{Tag, ids, tags};
use escale_service::Cx;
use escale_tables::{
    ec2::{AllocationId, InterfaceId, Subnet},
    ecs::{AwsVpc, Overrides, Task, TaskDefinition, TaskOfService, TaskProgress},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

/// A task to be placed.
pub(crate) struct Wanted<'a> {
    pub cluster: &'a str,
    pub definition: &'a TaskDefinition,
    pub network: &'a AwsVpc,
    pub group: String,
    pub started_by: Option<String>,
    pub service: Option<TaskOfService>,
    pub capacity_provider: Option<String>,
    pub platform_version: String,
    pub overrides: Overrides,
    pub tags: Vec<Tag>,
    pub managed_tags: bool,
    pub client_token: Option<String>,
}

/// Chooses, has the interface made, and writes the row.
pub(crate) fn place(cx: &mut Cx<'_>, wanted: Wanted<'_>) -> Result<Task, Error> {
    let subnets = subnets(cx, wanted.network)?;
    let subnet = choose(&subnets, &load(cx, wanted.cluster, &wanted.group))
        .ok_or_else(|| Error::Invalid("subnets can not be empty.".into()))?;
    let subnet = Arc::clone(subnet);
    let id = ids::random_hex(32);
    let arn = rules::arn(cx.config, format!("task/{}/{id}", wanted.cluster));
    let mut input = json!({ "SubnetId": subnet.id, "Description": format!("{arn}") });
    if !wanted.network.security_groups.is_empty() {
        input["Groups"] = json!(wanted.network.security_groups);
    }
    let answer = cx.call_as(ECS, "ec2", "CreateNetworkInterface", input)?;
    let interface = &answer["NetworkInterface"];
    let interface_id = InterfaceId(text(interface, "NetworkInterfaceId")?);
    let private_ip = text(interface, "PrivateIpAddress")?;
    let private_ip = private_ip.parse().map_err(|_| Error::Invalid(format!("EC2 gave {private_ip}")))?;
    let public = wanted.network.assign_public_ip.as_deref() == Some("ENABLED");
    let allocation = if public { Some(public_address(cx, &interface_id)?) } else { None };
    let mut all_tags = wanted.tags;
    if wanted.managed_tags {
        let mut managed = vec![Tag::new("aws:ecs:clusterName", wanted.cluster)];
        if let Some(name) = wanted.service.as_ref().map(|s| rules::last_part(&s.key)) {
            managed.push(Tag::new("aws:ecs:serviceName", name));
        }
        tags::merge(&mut all_tags, managed);
    }
    let task = Task {
        id,
        cluster: wanted.cluster.to_owned(),
        family: wanted.definition.family.clone(),
        revision: wanted.definition.revision,
        group: wanted.group,
        started_by: wanted.started_by,
        service: wanted.service,
        capacity_provider: wanted.capacity_provider,
        platform_version: wanted.platform_version,
        vpc: subnet.vpc.clone(),
        subnet: subnet.id.clone(),
        zone: subnet.zone.clone(),
        interface: interface_id,
        private_ip,
        allocation,
        overrides: wanted.overrides,
        credentials_id: ids::random_uuid(),
        client_token: wanted.client_token,
        stop: None,
        tags: all_tags,
        created: cx.now,
    };
    cx.tx.put(task.clone());
    Ok(task)
}

fn text(value: &Value, member: &str) -> Result<String, Error> {
    let found = value[member].as_str().map(str::to_owned);
    found.ok_or_else(|| Error::Invalid(format!("EC2's answer has no {member}")))
}

fn public_address(cx: &mut Cx<'_>, interface: &InterfaceId) -> Result<AllocationId, Error> {
    let answer = cx.call_as(ECS, "ec2", "AllocateAddress", json!({ "Domain": "vpc" }))?;
    let allocation = text(&answer, "AllocationId")?;
    let input = json!({ "AllocationId": allocation, "NetworkInterfaceId": interface });
    cx.call_as(ECS, "ec2", "AssociateAddress", input)?;
    Ok(AllocationId(allocation))
}

/// Checks what every `awsvpcConfiguration` must be.
pub(crate) fn subnets(cx: &Cx<'_>, network: &AwsVpc) -> Result<Vec<Arc<Subnet>>, Error> {
    if network.subnets.is_empty() || network.subnets.len() > 16 {
        return Err(Error::Invalid("awsvpcConfiguration has between 1 and 16 subnets.".into()));
    }
    if network.security_groups.len() > 5 {
        return Err(Error::Invalid("awsvpcConfiguration has at most 5 security groups.".into()));
    }
    if let Some(word) = network.assign_public_ip.as_deref()
        && !["ENABLED", "DISABLED"].contains(&word)
    {
        return Err(Error::Invalid(format!("assignPublicIp '{word}' is neither ENABLED nor DISABLED.")));
    }
    let mut found: Vec<Arc<Subnet>> = Vec::new();
    for id in &network.subnets {
        let missing = || {
            Error::Invalid(format!(
                "Error retrieving subnet information for [{id}]: The subnet ID '{id}' does not exist"
            ))
        };
        found.push(cx.tx.get::<Subnet>(id).ok_or_else(missing)?);
    }
    if found.windows(2).any(|w| w[0].vpc != w[1].vpc) {
        return Err(Error::Invalid("The subnets of a network configuration belong to one VPC.".into()));
    }
    for id in &network.security_groups {
        let group = cx.tx.get::<escale_tables::ec2::Group>(id);
        if group.is_none_or(|g| g.vpc != found[0].vpc) {
            return Err(Error::Invalid(format!(
                "Error retrieving security group information for [{id}]: The security group '{id}' does not exist \
                 in the VPC of the subnets"
            )));
        }
    }
    Ok(found)
}

/// Tasks of the group that live, by zone and by subnet.
fn load(cx: &Cx<'_>, cluster: &str, group: &str) -> BTreeMap<String, usize> {
    let mut load = BTreeMap::new();
    for task in cx.tx.scan::<Task>().filter(|t| t.cluster == cluster && t.group == group) {
        let gone = cx.tx.get::<TaskProgress>(&task.id).is_some_and(|p| p.stopped.is_some());
        if !gone && task.stop.is_none() {
            *load.entry(task.zone.clone()).or_insert(0) += 1;
            *load.entry(task.subnet.to_string()).or_insert(0) += 1;
        }
    }
    load
}

/// The subnet in the zone with the fewest, and there the one with the fewest; the first of equals.
fn choose<'a>(subnets: &'a [Arc<Subnet>], load: &BTreeMap<String, usize>) -> Option<&'a Arc<Subnet>> {
    let of = |key: &str| load.get(key).copied().unwrap_or(0);
    subnets.iter().min_by_key(|s| (of(&s.zone), of(s.id.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use escale_base::Timestamp;

    #[test]
    fn tasks_spread_over_zones_and_then_over_subnets() {
        let subnet = |id: &str, zone: &str| {
            Arc::new(Subnet {
                id: id.into(),
                vpc: "vpc-1".into(),
                cidr: "10.0.0.0/24".parse().unwrap(),
                zone: zone.into(),
                map_public_ip: false,
                route_table: None,
                tags: vec![],
                created: Timestamp(0),
            })
        };
        let subnets = [subnet("a1", "a"), subnet("a2", "a"), subnet("b1", "b")];
        let mut load = BTreeMap::new();
        let mut order = Vec::new();
        for _ in 0..6 {
            let next = choose(&subnets, &load).unwrap();
            *load.entry(next.zone.clone()).or_insert(0) += 1;
            *load.entry(next.id.to_string()).or_insert(0) += 1;
            order.push(next.id.to_string());
        }
        assert_eq!(order, ["a1", "b1", "a2", "b1", "a1", "b1"]);
    }
}
