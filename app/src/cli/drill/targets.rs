//! What a drill breaks: the network interfaces of a task, a database server, a NAT gateway or a zone, as EC2 lists them.

use super::{
    super::{application::Application, client::Client, tasks, tasks::Task, tunnel},
    fault::{Fault, Harm},
};
use crate::home::Home;
use anyhow::{Context, Result, bail};
use escale_network::{Namespaces, Place};
use escale_wire::Element;
use std::{collections::BTreeSet, path::PathBuf};

/// The interfaces that a drill breaks, and how.
pub(super) struct Target {
    /// For a person: `the backend task 1a2b3c4d in eu-west-3a`.
    pub(super) name: String,
    pub(super) zone: String,
    pub(super) interfaces: BTreeSet<String>,
    pub(super) fault: Fault,
    /// The filters that find interfaces that are made later and belong to it, too.
    pub(super) later: Vec<(&'static str, String)>,
}

pub(super) struct Finder<'a> {
    pub(super) home: &'a Home,
    pub(super) client: &'a Client,
    pub(super) application: &'a Application,
    pub(super) database: Option<&'a Element>,
}

impl Finder<'_> {
    /// One running task. Its processes are killed.
    pub(super) async fn task(&self, service: Option<&str>) -> Result<Target> {
        let all = tasks::all(self.client, self.application).await?;
        let is_wanted = |t: &&Task| t.is_running() && service.is_none_or(|s| t.service() == s);
        let first = all.iter().filter(is_wanted).min_by_key(|t| t.service().to_owned());
        let task = first.with_context(|| match service {
            Some(name) => format!("the service {name} has no running task"),
            None => "the application has no running task".to_owned(),
        })?;
        let interface = task.interface("networkInterfaceId").context("the task has no network interface")?;
        let short: String = task.id().chars().take(8).collect();
        let zone = task.0["availabilityZone"].as_str().unwrap_or_default();
        let name = format!("all processes of the {} task {short} in {zone} killed", task.service());
        let found = interfaces(self.client, &[("network-interface-id", interface.to_owned())]).await?;
        self.target(name, zone, &found, Harm::Kill, false)
    }

    /// The server that the database's name leads to.
    pub(super) async fn primary(&self, harm: Harm, cut: bool) -> Result<Target> {
        let instance =
            self.database.context("the application has no database, so there is nothing to drill")?;
        let vpc = instance.child("DBSubnetGroup").map_or("", |group| group.text_of("VpcId"));
        let router = Namespaces::of(&self.home.plane("network")).open(&Place::Router(vpc.to_owned()))?;
        let name = instance.child("Endpoint").map_or("", |e| e.text_of("Address"));
        let address = tunnel::resolve(&router, tunnel::resolver(self.client, vpc).await?, name).await?;
        let filters = [("vpc-id", vpc.to_owned()), ("private-ip-address", address.to_string())];
        let found = interfaces(self.client, &filters).await?;
        let zone = found.first().map_or("", |i| i.text_of("availabilityZone"));
        let how = match (harm, cut) {
            (Harm::Kill, _) => "killed",
            (Harm::Stop, false) => "frozen",
            _ => "cut off from the network",
        };
        let id = instance.text_of("DBInstanceIdentifier");
        self.target(format!("the primary of {id} in {zone} {how}"), zone, &found, harm, cut)
    }

    /// Everything in one zone: it is cut off, and its processes are frozen.
    pub(super) async fn zone(&self, wanted: Option<&str>) -> Result<Target> {
        let zones = self.zones().await?;
        let of_database = self.database.map(|d| d.text_of("AvailabilityZone")).filter(|z| !z.is_empty());
        let zone = wanted.or(of_database).or(zones.iter().next().map(String::as_str)).unwrap_or_default();
        if !zones.contains(zone) {
            let list: Vec<&str> = zones.iter().map(String::as_str).collect();
            bail!(
                "{} has nothing in the zone '{zone}'. Its zones are: {}",
                self.application.app,
                list.join(", ")
            );
        }
        if zones.len() < 2 {
            bail!("{} runs in one zone only, so nothing would be left", self.application.app);
        }
        let later = vec![("vpc-id", self.vpc().await?), ("availability-zone", zone.to_owned())];
        let found = interfaces(self.client, &later).await?;
        let mut target = self.target(
            format!(
                "the zone {zone} lost: {} network interfaces cut off, their processes frozen",
                found.len()
            ),
            zone,
            &found,
            Harm::Stop,
            true,
        )?;
        target.later = later;
        Ok(target)
    }

    /// The NAT gateway of a zone.
    pub(super) async fn nat(&self, wanted: Option<&str>) -> Result<Target> {
        let mut filters = vec![("vpc-id", self.vpc().await?), ("interface-type", "nat_gateway".to_owned())];
        filters.extend(wanted.map(|zone| ("availability-zone", zone.to_owned())));
        let found = interfaces(self.client, &filters).await?;
        let Some(first) = found.first() else {
            bail!(
                "{} has no NAT gateway{}",
                self.application.app,
                wanted.map_or(String::new(), |z| format!(" in {z}"))
            );
        };
        let zone = first.text_of("availabilityZone");
        self.target(format!("the NAT gateway in {zone} cut off"), zone, &found[..1], Harm::Nothing, true)
    }

    fn target(&self, name: String, zone: &str, found: &[Element], harm: Harm, cut: bool) -> Result<Target> {
        if found.is_empty() {
            bail!("no network interface was found to break");
        }
        let interfaces = found.iter().map(|i| i.text_of("networkInterfaceId").to_owned()).collect();
        let namespaces = found.iter().map(|i| path(self.home, i)).collect::<Result<_>>()?;
        let fault = Fault { namespaces, harm, cut };
        Ok(Target { name, zone: zone.to_owned(), interfaces, fault, later: Vec::new() })
    }

    /// The zones of the running tasks.
    async fn zones(&self) -> Result<BTreeSet<String>> {
        let all = tasks::all(self.client, self.application).await?;
        Ok(all.iter().filter_map(|t| t.0["availabilityZone"].as_str()).map(str::to_owned).collect())
    }

    async fn vpc(&self) -> Result<String> {
        let all = tasks::all(self.client, self.application).await?;
        let interface = all.iter().find_map(|t| t.interface("networkInterfaceId"));
        let interface = interface.context("the application has no running task")?.to_owned();
        let found = interfaces(self.client, &[("network-interface-id", interface)]).await?;
        Ok(found.first().map_or("", |i| i.text_of("vpcId")).to_owned())
    }
}

/// The network interfaces that match all of these filters.
pub(super) async fn interfaces(client: &Client, filters: &[(&str, String)]) -> Result<Vec<Element>> {
    let numbered = filters.iter().zip(1..).flat_map(|((name, value), n)| {
        [(format!("Filter.{n}.Name"), (*name).to_owned()), (format!("Filter.{n}.Value.1"), value.clone())]
    });
    let numbered: Vec<_> = numbered.collect();
    client.query_all("ec2", "DescribeNetworkInterfaces", &numbered, "networkInterfaceSet", "nextToken").await
}

/// The path of an interface's network namespace.
pub(super) fn path(home: &Home, interface: &Element) -> Result<PathBuf> {
    let place = Place::interface(interface.text_of("vpcId"), interface.text_of("networkInterfaceId"));
    Ok(Namespaces::of(&home.plane("network")).open(&place)?.path().to_owned())
}
