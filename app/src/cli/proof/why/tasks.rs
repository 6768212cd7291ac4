//! The hops of tasks: whether they run, their connections, and their database.

use super::{Walk, blame, failed};
use crate::cli::tasks::Task;
use anyhow::{Context, Result, bail};
use escale_network::{Place as Spot, leaves};
use escale_proof::why::{Explained, State, Step};
use escale_wire::Element;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddrV4};

/// A service of the stack with its tasks.
pub(super) struct Service {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) tasks: Vec<Running>,
    /// The container ports of its task definition.
    pub(super) ports: Vec<u16>,
    vpc: String,
    /// The task definition as text: it names the databases that it uses.
    definition: String,
    /// What ECS says if no task runs.
    stopped: String,
}

pub(super) struct Running {
    interface: String,
    pub(super) address: Ipv4Addr,
}

/// The states in which an instance serves. Source: <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html>
const SERVING: &[&str] = &[
    "available",
    "backing-up",
    "configuring-enhanced-monitoring",
    "configuring-iam-database-auth",
    "configuring-log-exports",
    "maintenance",
    "modifying",
    "renaming",
    "storage-optimization",
    "upgrading",
];

impl Walk<'_> {
    /// `escale why --from SERVICE --to …`.
    pub(super) async fn connection(&mut self, from: &str, to: &str) -> Result<()> {
        let service = self.service_named(from).await?;
        self.runs(&service, true).await;
        let Some((name, port)) = to.split_once(':') else {
            if let Some(database) = self.database_named(to).await? {
                return self.database(&service, &database).await;
            }
            let other = self.service_named(to).await.with_context(|| {
                format!("{to} is neither a database nor a service of the stack, and no host:port")
            })?;
            let port = other.ports.first().copied();
            let port = port.with_context(|| format!("the service {to} maps no port. Pass one: {to}:PORT"))?;
            return self.way_to_service(&service, &other, port).await;
        };
        let port: u16 = port.parse().with_context(|| format!("{to}: '{port}' is not a port number"))?;
        if let Ok(other) = self.service_named(name).await {
            return self.way_to_service(&service, &other, port).await;
        }
        self.way_to_host(&service, name, port).await
    }

    async fn way_to_service(&mut self, from: &Service, to: &Service, port: u16) -> Result<()> {
        self.runs(to, true).await;
        for (source, task) in from.tasks.iter().flat_map(|s| to.tasks.iter().map(move |task| (s, task))) {
            let address = SocketAddrV4::new(task.address, port);
            self.prober.begin(&Spot::interface(&from.vpc, &source.interface), address);
        }
        for task in &to.tasks {
            let address = SocketAddrV4::new(task.address, port);
            for source in &from.tasks {
                self.packets(from, source, address).await?;
            }
            let listens = self.prober.listens(&Spot::interface(&to.vpc, &task.interface), address).await;
            let said = Explained::Unknown("only packets know whether a program listens".to_owned());
            self.push(
                Step::Task,
                format!("{} at {address}", to.name),
                self.deployed.place(&to.arn),
                said,
                listens,
            );
        }
        Ok(())
    }

    async fn way_to_host(&mut self, from: &Service, host: &str, port: u16) -> Result<()> {
        for task in &from.tasks {
            let address = match host.parse() {
                Ok(address) => Some(address),
                Err(_) => self.resolves(from, task, host, host).await?,
            };
            if let Some(address) = address {
                self.packets(from, task, SocketAddrV4::new(address, port)).await?;
            }
        }
        Ok(())
    }

    /// Packets of a task to an address; whether they pass.
    async fn packets(&mut self, from: &Service, task: &Running, to: SocketAddrV4) -> Result<bool> {
        let deployed = self.deployed;
        let vpc = self.vpc(&from.vpc).await?;
        let explained = match leaves(&vpc.spec, &|id| vpc.peer(id), &task.interface, to) {
            _ if *to.ip() == task.address => {
                Explained::Ok("packets of a task to itself pass no group and no route".to_owned())
            }
            Ok(()) => Explained::Ok("security groups, network ACLs and routes allow it".to_owned()),
            Err(block) => Explained::Failed(blame::cause(&block, vpc, deployed)),
        };
        let probe = self.prober.tcp(&Spot::interface(&from.vpc, &task.interface), to, &explained).await;
        let what = format!("{} ({}) to {to}", from.name, task.address);
        self.push(Step::Network, what, deployed.place(&from.arn), explained, probe);
        Ok(self.hops.last().is_some_and(|hop| hop.state() != State::Failed))
    }

    /// A name in the VPC, as a task resolves it.
    async fn resolves(
        &mut self,
        from: &Service,
        task: &Running,
        name: &str,
        owner: &str,
    ) -> Result<Option<Ipv4Addr>> {
        let resolver = self.vpc(&from.vpc).await?.spec.resolver();
        let spot = Spot::interface(&from.vpc, &task.interface);
        let (probe, address) = self.prober.resolve(&spot, resolver, name).await.unzip();
        let said = Explained::Unknown("only the VPC's resolver knows".to_owned());
        self.push(Step::Dns, name, self.deployed.place(owner), said, probe);
        Ok(address.flatten())
    }

    /// The service behind a target group, and what it needs.
    pub(super) async fn service(&mut self, service: &Service, must_run: bool) -> Result<()> {
        self.runs(service, must_run).await;
        let found = self.client.query("rds", "DescribeDBInstances", &[]).await;
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                self.push_unread(Step::Database, &service.name, &service.arn, &error);
                return Ok(());
            }
        };
        for database in found.list("DBInstances") {
            let address = database.child("Endpoint").map_or("", |e| e.text_of("Address"));
            if !address.is_empty() && service.definition.contains(address) {
                self.database(service, database).await?;
            }
        }
        Ok(())
    }

    /// A service without a running task says why.
    async fn runs(&mut self, service: &Service, is_shown: bool) {
        let place = self.deployed.place(&service.arn);
        let explained = if service.tasks.is_empty() {
            let fix = format!(
                "`escale logs {0}` shows what its tasks wrote, `escale status` what ECS does.",
                service.name
            );
            failed(
                format!("the service {} has no running task: {}", service.name, service.stopped),
                place.clone(),
                fix,
            )
        } else {
            Explained::Ok(format!("{} running", service.tasks.len()))
        };
        if is_shown || service.tasks.is_empty() {
            self.push(Step::Task, &service.name, place, explained, None);
        }
    }

    async fn database(&mut self, service: &Service, database: &Element) -> Result<()> {
        let id = database.text_of("DBInstanceIdentifier").to_owned();
        let status = database.text_of("DBInstanceStatus").to_owned();
        let place = self.deployed.place(&id);
        let serves = SERVING.contains(&status.as_str());
        let said = if serves {
            Explained::Ok(format!("RDS reports {status}"))
        } else {
            let fix = match status.as_str() {
                "stopped" | "stopping" => format!("Start it: `aws rds start-db-instance --db-instance-identifier {id}`."),
                _ => "`aws rds describe-events` shows what happened; `escale status` shows when it is available.".to_owned(),
            };
            failed(format!("the database {id} is dead: RDS reports {status}"), place.clone(), fix)
        };
        let endpoint = database.child("Endpoint").filter(|_| serves);
        let name = endpoint.map_or("", |e| e.text_of("Address")).to_owned();
        let port = endpoint.and_then(|e| e.text_of("Port").parse().ok());
        let (Some(task), Some(port)) = (service.tasks.first(), port) else {
            self.push(Step::Database, id, place, said, None);
            return Ok(());
        };
        let Some(address) = self.resolves(service, task, &name, &id).await? else {
            self.push(Step::Database, id, place, said, None);
            return Ok(());
        };
        let to = SocketAddrV4::new(address, port);
        for task in &service.tasks {
            self.prober.begin(&Spot::interface(&service.vpc, &task.interface), to);
        }
        for task in &service.tasks {
            self.packets(service, task, to).await?;
        }
        let probe = match self.spot_at(&service.vpc, address) {
            Some(spot) if database.text_of("Engine") == "postgres" => self.prober.postgres(&spot, to).await,
            Some(spot) => self.prober.listens(&spot, to).await,
            None => None,
        };
        self.push(Step::Database, id, place, said, probe);
        Ok(())
    }

    /// The database of a name: `db` for the only one of the stack, the manifest's name, or the identifier.
    async fn database_named(&self, name: &str) -> Result<Option<Element>> {
        let found = self.client.query("rds", "DescribeDBInstances", &[]).await?;
        let own: Vec<&Element> = found
            .list("DBInstances")
            .iter()
            .filter(|d| self.deployed.physical.values().any(|id| id == d.text_of("DBInstanceIdentifier")))
            .collect();
        let stack = &self.deployed.survey.stack;
        let is_named = |d: &&&Element| {
            let id = d.text_of("DBInstanceIdentifier");
            id == name
                || id.strip_prefix(&format!("{stack}-")) == Some(name)
                || self.deployed.logical(id) == Some(name)
        };
        let named = own.iter().find(is_named).copied();
        Ok(match (named, own.as_slice()) {
            (Some(found), _) => Some(found.clone()),
            (None, [only]) if name == "db" => Some((*only).clone()),
            _ => None,
        })
    }

    /// The services of the stack, without their tasks.
    async fn services(&self) -> Result<Vec<Value>> {
        let of_kind = |logical: &&String| {
            self.deployed.survey.resources.get(*logical).is_some_and(|r| r.kind == "AWS::ECS::Service")
        };
        let mut found = Vec::new();
        for logical in self.deployed.physical.keys().filter(of_kind) {
            // `arn:…:service/CLUSTER/NAME`
            let mut parts = self.deployed.physical[logical].rsplit('/');
            let (name, cluster) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let asked = json!({"cluster": cluster, "services": [name]});
            let described = self.client.json("ecs", "DescribeServices", asked).await?;
            found.extend(described["services"].as_array().into_iter().flatten().cloned());
        }
        Ok(found)
    }

    async fn service_named(&self, name: &str) -> Result<Service> {
        let services = self.services().await?;
        let is_it = |s: &&Value| {
            s["serviceName"] == name
                || self.deployed.logical(s["serviceArn"].as_str().unwrap_or_default()) == Some(name)
        };
        let Some(found) = services.iter().find(is_it) else {
            let names: Vec<&str> = services.iter().filter_map(|s| s["serviceName"].as_str()).collect();
            bail!(
                "{} has no service '{name}'. Its services are: {}",
                self.deployed.survey.stack,
                names.join(", ")
            )
        };
        self.with_tasks(found).await
    }

    pub(super) async fn service_of_group(&self, group: &str) -> Result<Option<Service>> {
        let has = |s: &&Value| {
            s["loadBalancers"].as_array().into_iter().flatten().any(|b| b["targetGroupArn"] == group)
        };
        match self.services().await?.iter().find(has) {
            Some(found) => Ok(Some(self.with_tasks(found).await?)),
            None => Ok(None),
        }
    }

    async fn with_tasks(&self, service: &Value) -> Result<Service> {
        let name = service["serviceName"].as_str().unwrap_or_default();
        let cluster = &service["clusterArn"];
        let listed =
            self.client.json("ecs", "ListTasks", json!({"cluster": cluster, "serviceName": name})).await?;
        let arns = listed["taskArns"].clone();
        let mut tasks = Vec::new();
        if arns.as_array().is_some_and(|all| !all.is_empty()) {
            let found =
                self.client.json("ecs", "DescribeTasks", json!({"cluster": cluster, "tasks": arns})).await?;
            let all = found["tasks"].as_array().into_iter().flatten().cloned().map(Task);
            tasks.extend(all.filter(Task::is_running).filter_map(|task| running(&task)));
        }
        let asked = json!({"taskDefinition": service["taskDefinition"]});
        let definition =
            self.client.json("ecs", "DescribeTaskDefinition", asked).await?["taskDefinition"].take();
        let containers = definition["containerDefinitions"].as_array().into_iter().flatten();
        let mappings = containers.flat_map(|c| c["portMappings"].as_array().into_iter().flatten());
        let ports = mappings.filter_map(|m| u16::try_from(m["containerPort"].as_u64()?).ok()).collect();
        let subnet =
            service["networkConfiguration"]["awsvpcConfiguration"]["subnets"][0].as_str().unwrap_or_default();
        let by_id = [("SubnetId.1".to_owned(), subnet.to_owned())];
        let subnets = self.client.query("ec2", "DescribeSubnets", &by_id).await?;
        let event = service["events"][0]["message"].as_str().unwrap_or("ECS reports no event");
        Ok(Service {
            name: name.to_owned(),
            arn: service["serviceArn"].as_str().unwrap_or_default().to_owned(),
            tasks,
            ports,
            vpc: subnets.list("subnetSet").first().map_or("", |s| s.text_of("vpcId")).to_owned(),
            definition: definition.to_string(),
            stopped: event.to_owned(),
        })
    }
}

fn running(task: &Task) -> Option<Running> {
    Some(Running {
        interface: task.interface("networkInterfaceId")?.to_owned(),
        address: task.interface("privateIPv4Address")?.parse().ok()?,
    })
}
