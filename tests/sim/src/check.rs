//! The conditions that must hold when the cloud has settled: planes and wishes agree, and operations report what the planes
//! have.

#![allow(
    clippy::await_holding_invalid_type,
    reason = "a check compares the planes with one state, and ends at once"
)]

use crate::simulation::{Daemon, Simulation};
use anyhow::{Context, Result, ensure};
use escale_network::{Network, VpcSpec};
use escale_objects::Objects;
use escale_postgres::{Postgres, Protection};
use escale_proxy::Proxies;
use escale_registry::Registry;
use escale_store::{Image, Row};
use escale_tables::{
    cloudfront, ec2, ecr, ecs, elbv2, logs, rds,
    route53::{DnsServer, HostedZone},
    s3,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fmt::Debug, sync::Arc};

type Names = BTreeSet<String>;

/// Checks the cloud after the stack was created.
pub(crate) async fn deployed(simulation: &Simulation, daemon: &Daemon) -> Result<()> {
    mirrored(simulation, daemon).await?;
    let image = daemon.store.read();
    services(daemon, &image).await?;
    databases(simulation, daemon, &image).await?;
    crate::rows::write_and_check(simulation).await?;
    targets(daemon, &image).await
}

/// Checks that every wish has its counterpart in the planes, and that the planes have nothing else.
pub(crate) async fn mirrored(simulation: &Simulation, daemon: &Daemon) -> Result<()> {
    let image = daemon.store.read();
    same("networks", networks(&image), simulation.network.vpcs().await?)?;
    for vpc in networks(&image) {
        let spec = simulation
            .network
            .spec(&vpc)
            .context("the network plane lists this VPC and has no specification of it")?;
        interfaces(&image, &spec)?;
    }
    addresses(&image)?;
    let tasks = image.scan::<ecs::Task>().filter(|t| is_running(&image, t)).map(|t| t.id.clone());
    same(
        "groups of containers",
        tasks.map(Into::into).collect(),
        daemon.containers.list().keys().cloned().collect(),
    )?;
    let databases = image.scan::<rds::Instance>().map(|i| i.resource_id.to_ascii_lowercase());
    same("databases", databases.collect(), simulation.postgres.list().await?.into_iter().collect())?;
    let snapshots = simulation.postgres.snapshots().await?.len();
    ensure!(
        image.scan::<rds::Snapshot>().count() == snapshots,
        "the plane has {snapshots} snapshots, RDS has {:?}",
        rows::<rds::Snapshot>(&image)
    );
    same(
        "load balancers",
        rows::<elbv2::LoadBalancer>(&image),
        daemon.proxies.names().into_iter().collect(),
    )?;
    let cdn: &dyn escale_cdn::Cdn = &*daemon.cdn;
    same("distributions", rows::<cloudfront::Distribution>(&image), cdn.ids().into_iter().collect())?;
    let buckets = simulation.objects.list_buckets().await?.into_iter().map(|b| b.name);
    within("buckets", buckets.collect(), &rows::<s3::Bucket>(&image))?;
    let repositories = simulation.registry.repositories().await?;
    within("repositories", repositories.into_iter().collect(), &rows::<ecr::Repository>(&image))?;
    let streams: Names = image.scan::<logs::LogStream>().map(|s| s.id.to_string()).collect();
    within("log streams", escale_logstore::LogStore::streams(&*simulation.logs).await?, &streams)?;
    names(daemon, &image)
}

fn interfaces(image: &Image, spec: &VpcSpec) -> Result<()> {
    let of_vpc = |vpc: &ec2::VpcId| vpc.as_str() == spec.name;
    let wished = image.scan::<ec2::Interface>().filter(|i| of_vpc(&i.vpc));
    let wished = wished.map(|i| format!("{} {}", i.id, i.private_ip)).collect();
    let there = spec.interfaces.iter().map(|i| format!("{} {}", i.name, i.address)).collect();
    same("interfaces", wished, there)?;
    let seen = image.scan::<ec2::InterfaceSeen>().filter(|i| of_vpc(&i.vpc)).map(|i| i.id.to_string());
    same(
        "interfaces that are seen",
        seen.collect(),
        spec.interfaces.iter().map(|i| i.name.clone()).collect(),
    )?;
    let mut owned: Names = Names::new();
    owned.extend(image.scan::<ecs::Task>().filter(|t| is_running(image, t)).map(|t| t.interface.to_string()));
    let nodes = image.scan::<elbv2::LoadBalancer>();
    owned.extend(nodes.flat_map(|b| b.nodes.iter().map(|n| n.interface.to_string()).collect::<Vec<_>>()));
    let nodes = image.scan::<rds::Instance>();
    owned.extend(nodes.flat_map(|i| i.nodes.iter().map(|n| n.interface.to_string()).collect::<Vec<_>>()));
    let gateways = image.scan::<ec2::NatGateway>().filter(|g| g.deleted.is_none());
    owned.extend(gateways.filter_map(|g| g.interface.as_ref().map(ToString::to_string)));
    same("interfaces with an owner", owned, spec.interfaces.iter().map(|i| i.name.clone()).collect())
}

/// Checks that no two interfaces have the same address.
pub(crate) fn addresses(image: &Image) -> Result<()> {
    let private = image.scan::<ec2::Interface>().map(|i| format!("{} {}", i.vpc, i.private_ip));
    unique("private addresses", private)?;
    let automatic = image.scan::<ec2::Interface>().filter_map(|i| i.auto_public_ip);
    let elastic = image.scan::<ec2::Address>().map(|a| a.public_ip);
    unique("public addresses", automatic.chain(elastic))
}

fn is_running(image: &Image, task: &ecs::Task) -> bool {
    image.get::<ecs::TaskProgress>(&task.id).is_none_or(|p| p.stopped.is_none())
}

/// Checks that the DNS plane answers the names of all zones, load balancers and databases, and no others.
fn names(daemon: &Daemon, image: &Image) -> Result<()> {
    let applied = daemon.dns.applied();
    let applied = applied.last().context("the DNS plane got no configuration")?;
    let public: Names = applied.public.iter().map(|z| z.name.trim_end_matches('.').to_owned()).collect();
    for zone in image.scan::<HostedZone>().filter(|z| !z.private) {
        let name = zone.name.trim_end_matches('.');
        ensure!(public.contains(name), "the zone {name} is not served; served are {public:?}");
    }
    same("networks with a resolver", rows::<ec2::Vpc>(image), applied.networks.keys().cloned().collect())?;
    let mut places = networks(image);
    places.extend([DnsServer::LOOPBACK, DnsServer::INTERNET].map(str::to_owned));
    same("DNS servers", places, rows::<DnsServer>(image))?;
    let served: Vec<String> =
        applied.public.iter().flat_map(|z| z.records.iter().map(|r| r.name.clone())).collect();
    for balancer in image.scan::<elbv2::LoadBalancerName>() {
        let name = &balancer.name;
        let there = served.iter().any(|s| s.trim_end_matches('.').eq_ignore_ascii_case(name));
        ensure!(there, "the DNS plane does not answer the load balancer's name {name}");
    }
    let balancers = image.scan::<elbv2::LoadBalancer>().count();
    ensure!(image.scan::<elbv2::LoadBalancerName>().count() == balancers, "names without load balancers");
    ensure!(image.scan::<rds::RdsEndpoint>().count() == image.scan::<rds::Instance>().count(), "endpoints");
    Ok(())
}

/// Checks that each service has its desired number of running tasks, and that DescribeTasks shows these as running.
async fn services(daemon: &Daemon, image: &Image) -> Result<()> {
    let groups = daemon.containers.list();
    let running = |id: &str| groups.get(id).is_some_and(|g| g.phase == escale_containers::Phase::Running);
    for service in image.scan::<ecs::Service>() {
        let key = service.key();
        let of = |t: &Arc<ecs::Task>| t.service.as_ref().is_some_and(|s| s.key == key);
        let tasks: Vec<_> = image.scan::<ecs::Task>().filter(of).filter(|t| is_running(image, t)).collect();
        let count = tasks.iter().filter(|t| running(&t.id)).count();
        let wished = usize::try_from(service.desired).unwrap_or(0);
        ensure!(
            count == wished && tasks.len() == wished,
            "{key}: {wished} tasks wished, {count} of {} run",
            tasks.len()
        );
        in_balance(image, &service, &tasks)?;
        let input =
            json!({"cluster": service.cluster, "tasks": tasks.iter().map(|t| &t.id).collect::<Vec<_>>()});
        let shown = daemon.client.call("ecs", "DescribeTasks", input).await?;
        let name = |task: &Value| {
            task["taskArn"].as_str().and_then(|arn| arn.rsplit('/').next()).unwrap_or("").to_owned()
        };
        same(
            "tasks shown",
            tasks.iter().map(|t| t.id.to_string()).collect(),
            list(&shown["tasks"]).map(name).collect(),
        )?;
        for task in list(&shown["tasks"]) {
            ensure!(task["lastStatus"] == "RUNNING", "a running task is shown as {}", task["lastStatus"]);
        }
    }
    Ok(())
}

/// Checks that the tasks are spread over the service's zones, also after tasks died and were replaced.
fn in_balance(image: &Image, service: &ecs::Service, tasks: &[Arc<ecs::Task>]) -> Result<()> {
    let newest = service.deployments.first().context("a service without a deployment")?;
    let zones: Names = newest
        .network
        .subnets
        .iter()
        .filter_map(|s| image.get::<ec2::Subnet>(s.as_str()))
        .map(|s| s.zone.to_string())
        .collect();
    let counts: Vec<usize> =
        zones.iter().map(|zone| tasks.iter().filter(|t| t.zone == *zone).count()).collect();
    let (most, least) = (counts.iter().max().unwrap_or(&0), counts.iter().min().unwrap_or(&0));
    ensure!(most - least <= 1, "{}: its tasks in the zones {zones:?} are {counts:?}", service.key());
    Ok(())
}

async fn databases(simulation: &Simulation, daemon: &Daemon, image: &Image) -> Result<()> {
    let shown = daemon.client.call("rds", "DescribeDBInstances", json!({})).await?;
    let shown: Vec<&Value> = list(&shown["DBInstances"]).collect();
    let name = |shown: &Value| shown["DBInstanceIdentifier"].as_str().unwrap_or("").to_owned();
    same("databases shown", rows::<rds::Instance>(image), shown.iter().copied().map(name).collect())?;
    // Both lists are sorted by name.
    for (instance, shown) in image.scan::<rds::Instance>().zip(shown) {
        let name = instance.resource_id.to_ascii_lowercase();
        let seen = simulation.postgres.observe(&name).await?.context("it was listed")?;
        ensure!(shown["DBInstanceStatus"] == "available", "{name} is {}", shown["DBInstanceStatus"]);
        let primary = seen.writable().with_context(|| format!("{name} takes no writes: {seen:?}"))?;
        ensure!(
            !instance.multi_az || seen.protection == Protection::Protected,
            "{name} is without its standby: {seen:?}"
        );
        let at = instance.nodes.iter().find(|n| n.name == primary.name).context("a node of its own")?;
        let endpoint = image.scan::<rds::RdsEndpoint>().next().context("its endpoint")?;
        ensure!(
            endpoint.address == at.address,
            "the name resolves to {}, not {}",
            endpoint.address,
            at.address
        );
        ensure!(shown["AvailabilityZone"] == *at.zone, "the zone shown is {}", shown["AvailabilityZone"]);
    }
    Ok(())
}

/// Checks that exactly the running tasks are targets of the load balancer.
async fn targets(daemon: &Daemon, image: &Image) -> Result<()> {
    let groups = image.scan::<elbv2::TargetGroup>();
    for group in groups {
        let input = json!({"TargetGroupArn": group.arn});
        let shown = daemon.client.call("elbv2", "DescribeTargetHealth", input).await?;
        let mut shown_there = Names::new();
        for d in list(&shown["TargetHealthDescriptions"]) {
            ensure!(d["TargetHealth"]["State"] == "healthy", "a target is not healthy: {d}");
            shown_there.insert(format!(
                "{}:{}",
                d["Target"]["Id"].as_str().unwrap_or(""),
                d["Target"]["Port"]
            ));
        }
        let mut wished = Names::new();
        for service in image.scan::<ecs::Service>() {
            let key = service.key();
            let here = |b: &&ecs::LoadBalancer| b.target_group_arn.as_ref() == Some(&group.arn);
            let Some(port) = service.load_balancers().iter().find(here).and_then(|b| b.container_port) else {
                continue;
            };
            let of =
                |t: &Arc<ecs::Task>| t.service.as_ref().is_some_and(|s| s.key == key) && is_running(image, t);
            wished.extend(image.scan::<ecs::Task>().filter(of).map(|t| format!("{}:{port}", t.private_ip)));
        }
        same("targets shown", wished.clone(), shown_there)?;
        let mut there = Names::new();
        for name in daemon.proxies.names() {
            let spec = daemon.proxies.spec(&name).context("it was listed")?;
            let of_group = spec.groups.into_iter().filter(|g| g.name == group.arn);
            there.extend(of_group.flat_map(|g| g.targets).map(|t| t.addr.to_string()));
        }
        same("targets of the plane", wished, there)?;
    }
    Ok(())
}

/// Checks that planes and tables have nothing left of the application.
pub(crate) async fn nothing(simulation: &Simulation, daemon: &Daemon) -> Result<()> {
    mirrored(simulation, daemon).await?;
    let image = daemon.store.read();
    // The stack retains its final snapshot; a user would delete it.
    for snapshot in image.scan::<rds::Snapshot>() {
        let input = json!({"DBSnapshotIdentifier": snapshot.id});
        daemon.client.call("rds", "DeleteDBSnapshot", input).await?;
    }
    crate::scenario::quiet(daemon).await?;
    mirrored(simulation, daemon).await?;
    let mut left = Names::new();
    for table in escale_tables::all() {
        if !KEPT.contains(&table.name()) {
            left.extend(daemon.store.read().keys(table.name()).map(|key| format!("{} {key}", table.name())));
        }
    }
    same("rows that are left", of_default_vpc(&daemon.store.read()), left)
}

/// Tables that may have rows without any application: histories, and rows of the installation itself.
const KEPT: &[&str] = &[
    // Deleted stacks can be listed, with their events and templates.
    "cloudformation_content",
    "cloudformation_event",
    "cloudformation_event_count",
    "cloudformation_resource",
    "cloudformation_stack",
    // Deleted clusters and services stay as INACTIVE; a stack only deregisters task definitions.
    "ecs_cluster",
    "ecs_service",
    "ecs_service_deployment",
    "ecs_service_events",
    "ecs_task_definition",
    "ecs_task_family",
    "rds_engine_seen",
    "rds_event",
    "route53_applied",
    "route53_change",
    "route53_change_counter",
    "route53_server",
];

/// The rows of the account's default VPC, by table and key: every installation has them.
fn of_default_vpc(image: &Image) -> Names {
    let Some(id) = ec2::DefaultVpc::of(image) else { return Names::new() };
    let groups: Vec<_> = image.scan::<ec2::Group>().filter(|g| g.vpc == id).collect();
    let mut names = Names::from([named(&ec2::DefaultVpc { vpc: Some(id.clone()) })]);
    names.extend(image.scan::<ec2::Vpc>().filter(|v| v.id == id).map(|r| named(&*r)));
    names.extend(image.scan::<ec2::DefaultSubnet>().map(|r| named(&*r)));
    names.extend(image.scan::<ec2::Subnet>().filter(|s| s.vpc == id).map(|r| named(&*r)));
    names.extend(image.scan::<ec2::RouteTable>().filter(|t| t.vpc == id).map(|r| named(&*r)));
    names.extend(image.scan::<ec2::NetworkAcl>().filter(|a| a.vpc == id).map(|r| named(&*r)));
    let gateways = image.scan::<ec2::InternetGateway>().filter(|g| g.vpc.as_ref() == Some(&id));
    names.extend(gateways.map(|r| named(&*r)));
    for group in groups {
        names.insert(named(&*group));
        names.extend(image.prefix::<ec2::GroupRule>(&format!("{}/", group.id)).map(|r| named(&*r)));
    }
    names
}

fn named<R: Row>(row: &R) -> String {
    format!("{} {}", R::TABLE, row.key())
}

/// The VPCs with a network. The default VPC has none, since nothing runs in it here.
fn networks(image: &Image) -> Names {
    let mut vpcs = rows::<ec2::Vpc>(image);
    if let Some(unused) = ec2::DefaultVpc::of(image) {
        vpcs.remove(unused.as_str());
    }
    vpcs
}

fn rows<R: Row>(image: &Image) -> Names {
    image.keys(R::TABLE).cloned().collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn same(what: &str, wished: Names, there: Names) -> Result<()> {
    let missing: Vec<_> = wished.difference(&there).collect();
    let extra: Vec<_> = there.difference(&wished).collect();
    ensure!(missing.is_empty() && extra.is_empty(), "{what}: missing {missing:#?}, too many {extra:#?}");
    Ok(())
}

fn within(what: &str, there: Names, wished: &Names) -> Result<()> {
    let extra: Vec<_> = there.difference(wished).collect();
    ensure!(extra.is_empty(), "{what}: too many {extra:#?}");
    Ok(())
}

fn unique<T: Ord + Debug>(what: &str, all: impl Iterator<Item = T>) -> Result<()> {
    let mut met = BTreeSet::new();
    for one in all {
        ensure!(!met.contains(&one), "{what}: {one:?} is used twice");
        met.insert(one);
    }
    Ok(())
}
