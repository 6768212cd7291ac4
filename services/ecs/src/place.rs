//! Places a task: chooses its zone, creates its interface and writes its row, in one transaction.

use crate::{Error, calls::ECS, rules, status::Known};
use escale_base::{Tag, ids, tags};
use escale_requests::ec2::{AllocateAddress, AssociateAddress, CreateNetworkInterface};
use escale_service::Cx;
use escale_tables::{
    ec2::{AllocationId, InterfaceId, Subnet},
    ecs::{
        AssignPublicIp, AwsVpc, CapacityProvider, ClusterName, CredentialsId, Overrides, PlatformVersion,
        Task, TaskDefinition, TaskId, TaskOfService,
    },
};
use std::{collections::BTreeMap, sync::Arc};

/// A task to place.
pub(crate) struct NewTask<'a> {
    pub cluster: &'a ClusterName,
    pub definition: &'a TaskDefinition,
    pub network: &'a AwsVpc,
    pub group: String,
    pub started_by: Option<String>,
    pub service: Option<TaskOfService>,
    pub capacity_provider: Option<CapacityProvider>,
    pub platform_version: PlatformVersion,
    pub overrides: Overrides,
    pub tags: Vec<Tag>,
    pub managed_tags: bool,
    pub execute_command: bool,
    pub client_token: Option<String>,
}

/// Chooses a subnet, creates the interface there, and writes the task's row.
pub(crate) fn place(cx: &mut Cx<'_>, new: NewTask<'_>) -> Result<Task, Error> {
    let subnets = subnets(cx, new.network)?;
    let subnet = choose(&subnets, &load(cx, &new))
        .ok_or_else(|| Error::Invalid("subnets can not be empty.".into()))?;
    let subnet = Arc::clone(subnet);
    let id = TaskId(ids::random_hex(32));
    let arn = rules::arn(cx.config, format!("task/{}/{id}", new.cluster));
    let groups = &new.network.security_groups;
    let request = CreateNetworkInterface {
        subnet_id: subnet.id.clone(),
        description: arn.to_string(),
        // Without groups, EC2 attaches the VPC's default security group.
        groups: (!groups.is_empty()).then(|| groups.clone()),
        interface_type: None,
        private_ip_address: None,
    };
    let made = cx.call_as(ECS, request)?.network_interface;
    let (interface_id, private_ip) = (made.network_interface_id, made.private_ip_address);
    let public = new.network.assign_public_ip == Some(AssignPublicIp::Enabled);
    let allocation = if public { Some(public_address(cx, &interface_id)?) } else { None };
    let mut all_tags = new.tags;
    if new.managed_tags {
        let mut managed = vec![Tag::new("aws:ecs:clusterName", new.cluster.as_str())];
        if let Some(name) = new.service.as_ref().map(|s| rules::last_part(&s.key)) {
            managed.push(Tag::new("aws:ecs:serviceName", name));
        }
        tags::merge(&mut all_tags, managed);
    }
    let task = Task {
        id,
        cluster: new.cluster.clone(),
        family: new.definition.family.clone(),
        revision: new.definition.revision,
        group: new.group,
        started_by: new.started_by,
        service: new.service,
        capacity_provider: new.capacity_provider,
        platform_version: new.platform_version,
        vpc: subnet.vpc.clone(),
        subnet: subnet.id.clone(),
        zone: subnet.zone.clone(),
        interface: interface_id,
        private_ip,
        allocation,
        overrides: new.overrides,
        credentials_id: CredentialsId(ids::random_uuid()),
        execute_command: new.execute_command,
        protected_until: None,
        client_token: new.client_token,
        stop: None,
        tags: all_tags,
        created: cx.now,
    };
    cx.tx.put(task.clone());
    Ok(task)
}

fn public_address(cx: &mut Cx<'_>, interface: &InterfaceId) -> Result<AllocationId, Error> {
    let allocation_id = cx.call_as(ECS, AllocateAddress {})?.allocation_id;
    let network_interface_id = interface.clone();
    cx.call_as(ECS, AssociateAddress { allocation_id: allocation_id.clone(), network_interface_id })?;
    Ok(allocation_id)
}

/// The subnets of an `awsvpcConfiguration`, after a check of its subnets and security groups.
pub(crate) fn subnets(cx: &Cx<'_>, network: &AwsVpc) -> Result<Vec<Arc<Subnet>>, Error> {
    if network.subnets.is_empty() || network.subnets.len() > 16 {
        return Err(Error::Invalid("awsvpcConfiguration must have between 1 and 16 subnets.".into()));
    }
    if network.security_groups.len() > 5 {
        return Err(Error::Invalid("awsvpcConfiguration can have at most 5 security groups.".into()));
    }
    let mut found: Vec<Arc<Subnet>> = Vec::new();
    for id in &network.subnets {
        let missing = || {
            Error::Invalid(format!(
                "Error retrieving subnet information for [{id}]: The subnet ID '{id}' does not exist"
            ))
        };
        found.push(cx.tx.get::<Subnet>(id.as_str()).ok_or_else(missing)?);
    }
    if found.windows(2).any(|w| w[0].vpc != w[1].vpc) {
        return Err(Error::Invalid("The subnets of a network configuration must belong to one VPC.".into()));
    }
    for id in &network.security_groups {
        let group = cx.tx.get::<escale_tables::ec2::Group>(id.as_str());
        if group.is_none_or(|g| g.vpc != found[0].vpc) {
            return Err(Error::Invalid(format!(
                "Error retrieving security group information for [{id}]: The security group '{id}' does not exist \
                 in the VPC of the subnets"
            )));
        }
    }
    Ok(found)
}

/// How many running tasks of the group a zone or subnet has. The tasks of the same deployment are compared first: those of an
/// older deployment will stop soon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Count {
    deployment: usize,
    group: usize,
}

type Load = BTreeMap<String, Count>;

/// One task of the group that is not stopping.
struct Placed<'a> {
    zone: &'a str,
    subnet: &'a str,
    same_deployment: bool,
}

/// Counts the tasks that are neither stopping nor observed to end. A task that died no longer occupies its zone, although its
/// last record is written much later.
fn load(cx: &Cx<'_>, new: &NewTask<'_>) -> Load {
    let deployment = |service: &Option<TaskOfService>| service.as_ref().map(|s| s.deployment.clone());
    let own = deployment(&new.service);
    let tasks = cx.tx.scan::<Task>().filter(|t| t.cluster == *new.cluster && t.group == new.group);
    let alive: Vec<_> = tasks.filter(|t| Known::of(cx.tx, Arc::clone(t)).is_alive()).collect();
    count(alive.iter().map(|t| Placed {
        zone: &t.zone,
        subnet: t.subnet.as_str(),
        same_deployment: deployment(&t.service) == own,
    }))
}

fn count<'a>(alive: impl Iterator<Item = Placed<'a>>) -> Load {
    let mut load = Load::new();
    for task in alive {
        for key in [task.zone, task.subnet] {
            let count = load.entry(key.to_owned()).or_default();
            count.group += 1;
            count.deployment += usize::from(task.same_deployment);
        }
    }
    load
}

/// The subnet with the fewest tasks, in the zone with the fewest tasks. The first of equals wins.
fn choose<'a>(subnets: &'a [Arc<Subnet>], load: &Load) -> Option<&'a Arc<Subnet>> {
    let of = |key: &str| load.get(key).copied().unwrap_or_default();
    subnets.iter().min_by_key(|s| (of(&s.zone), of(s.id.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use escale_base::Timestamp;

    fn subnets(list: &[(&str, &str)]) -> Vec<Arc<Subnet>> {
        let subnet = |(id, zone): &(&str, &str)| {
            Arc::new(Subnet {
                id: (*id).into(),
                vpc: "vpc-1".into(),
                cidr: "10.0.0.0/24".parse().unwrap(),
                zone: (*zone).into(),
                map_public_ip: false,
                route_table: None,
                tags: vec![],
                created: Timestamp(0),
            })
        };
        list.iter().map(subnet).collect()
    }

    /// The subnet of the next task. `alive` lists the subnet of each existing task and whether it is of the same deployment. A
    /// subnet's zone is the first letter of its name.
    fn next(subnets: &[Arc<Subnet>], alive: &[(&str, bool)]) -> String {
        let placed =
            alive.iter().map(|(subnet, same)| Placed { zone: &subnet[..1], subnet, same_deployment: *same });
        choose(subnets, &count(placed)).unwrap().id.to_string()
    }

    #[test]
    fn tasks_spread_over_zones_and_then_over_subnets() {
        let subnets = subnets(&[("a1", "a"), ("a2", "a"), ("b1", "b")]);
        let mut alive: Vec<(String, bool)> = Vec::new();
        for expected in ["a1", "b1", "a2", "b1", "a1", "b1"] {
            let so_far: Vec<_> = alive.iter().map(|(subnet, same)| (subnet.as_str(), *same)).collect();
            assert_eq!(next(&subnets, &so_far), expected, "{so_far:?}");
            alive.push((expected.to_owned(), true));
        }
    }

    #[test]
    fn older_deployment_only_breaks_ties() {
        let subnets = subnets(&[("a1", "a"), ("b1", "b")]);
        for (alive, expected) in [
            (&[][..], "a1"),
            (&[("a1", false)], "b1"),
            // The old task in b stops soon. If this task went to a, both new tasks would stay in the same zone.
            (&[("a1", true), ("b1", false)], "b1"),
            (&[("a1", true), ("b1", false), ("b1", false)], "b1"),
            (&[("a1", true), ("b1", true), ("b1", false)], "a1"),
        ] {
            assert_eq!(next(&subnets, alive), expected, "{alive:?}");
        }
    }

    /// Tasks die, all together after a restart of the machine or only some of them. ECS observes their deaths one by one in any
    /// order, and replaces each at once. The zones must be balanced after each recovery.
    #[test]
    fn zones_stay_in_balance_over_recoveries() {
        use rand::{Rng, SeedableRng, seq::IndexedRandom};
        for seed in 0..200 {
            let mut random = rand::rngs::StdRng::seed_from_u64(seed);
            let zones = random.random_range(2..=3);
            let subnets = subnets(&[("a1", "a"), ("b1", "b"), ("c1", "c")][..zones]);
            let desired = random.random_range(1..=6);
            let mut believed: Vec<String> = Vec::new();
            for recovery in 0..5 {
                let mut dead: Vec<String> = believed.clone();
                if recovery % 2 == 1 {
                    dead.retain(|_| random.random_bool(0.5));
                }
                loop {
                    while believed.len() < desired {
                        let alive: Vec<_> = believed.iter().map(|s| (s.as_str(), true)).collect();
                        let placed = next(&subnets, &alive);
                        believed.push(placed);
                    }
                    let Some(seen) = dead.choose(&mut random).cloned() else { break };
                    for list in [&mut dead, &mut believed] {
                        let at = list.iter().position(|s| *s == seen).unwrap();
                        list.remove(at);
                    }
                }
                let in_zone =
                    |s: &Arc<Subnet>| believed.iter().filter(|b| b.as_str() == s.id.as_str()).count();
                let counts: Vec<usize> = subnets.iter().map(in_zone).collect();
                let (most, least) = (counts.iter().max().unwrap(), counts.iter().min().unwrap());
                assert!(most - least <= 1, "seed {seed}, recovery {recovery}: {counts:?}");
            }
        }
    }
}
