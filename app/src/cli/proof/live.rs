//! The architecture of a running stack: its template with its parameters, and where its tasks and servers are now.

use super::{super::application::Application, super::client::Client, Read, client, survey};
use crate::home::Home;
use anyhow::{Context, Result};
use escale_proof::{
    graph::{Architecture, Task},
    survey::Given,
};
use escale_wire::Element;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(super) async fn read(home: &Home, name: Option<&str>) -> Result<Read> {
    let stack = match (name, Application::find(home, name)) {
        (_, Ok(application)) => application.stack,
        // Any stack may be named, also one that `escale up` did not deploy.
        (Some(name), Err(_)) => name.to_owned(),
        (None, Err(error)) => return Err(error),
    };
    let (client, settings) = client(home)?;
    let by_name = [("StackName".to_owned(), stack.clone())];
    let found = client.query("cloudformation", "DescribeStacks", &by_name).await;
    let found = found.with_context(|| format!("the stack {stack} cannot be read"))?;
    let described = found.list("Stacks").first().cloned().context("CloudFormation returned no stack")?;
    let parameters = described
        .list("Parameters")
        .iter()
        .map(|p| (p.text_of("ParameterKey").into(), p.text_of("ParameterValue").to_owned()));
    let given: Given = parameters.collect();
    let staged = [by_name[0].clone(), ("TemplateStage".to_owned(), "Processed".to_owned())];
    let template = client.query("cloudformation", "GetTemplate", &staged).await?;
    let text = template.text_of("TemplateBody");
    let config = &settings.config;
    let survey = survey(text, &given, &config.region, &config.account, &stack, &stack)?;
    let mut architecture = Architecture::of(&survey);
    let seen = Seen::of(&client, &stack).await?;
    seen.apply(&client, &mut architecture).await?;
    let public_addresses = seen.public_addresses();
    Ok(Read { source: format!("the running stack {stack}"), survey, architecture, public_addresses })
}

/// What the APIs say about the stack.
struct Seen {
    /// Logical id → physical id.
    physical: BTreeMap<String, String>,
    interfaces: Vec<Element>,
}

/// The physical id of each resource of a stack, by its logical id.
pub(in crate::cli) async fn physical_ids(client: &Client, stack: &str) -> Result<BTreeMap<String, String>> {
    let by_name = [("StackName".to_owned(), stack.to_owned())];
    let found = client
        .query_all("cloudformation", "ListStackResources", &by_name, "StackResourceSummaries", "NextToken")
        .await?;
    let text = |r: &Element, name: &str| r.text_of(name).to_owned();
    Ok(found.iter().map(|r| (text(r, "LogicalResourceId"), text(r, "PhysicalResourceId"))).collect())
}

/// All network interfaces that the caller may see.
pub(in crate::cli) async fn interfaces(client: &Client) -> Result<Vec<Element>> {
    client.query_all("ec2", "DescribeNetworkInterfaces", &[], "networkInterfaceSet", "nextToken").await
}

impl Seen {
    async fn of(client: &Client, stack: &str) -> Result<Seen> {
        let (physical, interfaces) = (physical_ids(client, stack).await?, interfaces(client).await?);
        Ok(Seen { physical, interfaces })
    }

    /// All public addresses in the stack's VPCs, also those of other stacks.
    fn public_addresses(&self) -> Vec<String> {
        let is_own = |i: &&Element| self.physical.values().any(|id| id == i.text_of("vpcId"));
        let mut found: Vec<String> =
            self.interfaces.iter().filter(is_own).filter_map(public_address).collect();
        found.sort();
        found.dedup();
        found
    }

    async fn apply(&self, client: &Client, arch: &mut Architecture) -> Result<()> {
        arch.is_live = true;
        for service in &mut arch.services {
            if let Some(arn) = self.physical.get(&service.id) {
                service.tasks = self.tasks(client, arn).await?;
            }
        }
        let databases = client.query("rds", "DescribeDBInstances", &[]).await?;
        for database in &mut arch.databases {
            let Some(id) = self.physical.get(&database.id) else { continue };
            let all = databases.list("DBInstances");
            let Some(found) = all.iter().find(|d| d.text_of("DBInstanceIdentifier") == id) else { continue };
            let zone = |name: &str| Some(found.text_of(name).to_owned()).filter(|zone| !zone.is_empty());
            (database.zone, database.standby_zone) =
                (zone("AvailabilityZone"), zone("SecondaryAvailabilityZone"));
        }
        for nat in &mut arch.nats {
            let Some(id) = self.physical.get(&nat.id) else { continue };
            let by_id = [("NatGatewayId.1".to_owned(), id.clone())];
            let found = client.query("ec2", "DescribeNatGateways", &by_id).await?;
            let gateway = found.list("natGatewaySet").first().cloned();
            let addresses = gateway.map(|g| g.list("natGatewayAddressSet").to_vec()).unwrap_or_default();
            nat.address = addresses.first().map(|a| a.text_of("publicIp").to_owned());
        }
        for balancer in &mut arch.balancers {
            let Some((_, name)) =
                self.physical.get(&balancer.id).and_then(|arn| arn.split_once("loadbalancer/"))
            else {
                continue;
            };
            // The interfaces of a load balancer are described by the end of its ARN.
            let own = self.interfaces.iter().filter(|i| i.text_of("description").ends_with(name));
            balancer.addresses = own.filter_map(public_address).collect();
        }
        Ok(())
    }

    async fn tasks(&self, client: &Client, arn: &str) -> Result<Vec<Task>> {
        // `arn:…:service/CLUSTER/NAME`
        let mut parts = arn.rsplit('/');
        let (service, cluster) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let listed =
            client.json("ecs", "ListTasks", json!({"cluster": cluster, "serviceName": service})).await?;
        let arns = listed["taskArns"].as_array().cloned().unwrap_or_default();
        if arns.is_empty() {
            return Ok(Vec::new());
        }
        let found = client.json("ecs", "DescribeTasks", json!({"cluster": cluster, "tasks": arns})).await?;
        let running =
            found["tasks"].as_array().into_iter().flatten().filter(|t| t["lastStatus"] == "RUNNING");
        Ok(running.filter_map(|task| self.task(task)).collect())
    }

    fn task(&self, task: &Value) -> Option<Task> {
        let details = task["attachments"][0]["details"].as_array()?;
        let detail =
            |name: &str| details.iter().find(|d| d["name"] == name)?["value"].as_str().map(str::to_owned);
        let interface = detail("networkInterfaceId").unwrap_or_default();
        let own = self.interfaces.iter().find(|i| i.text_of("networkInterfaceId") == interface);
        Some(Task {
            zone: task["availabilityZone"].as_str().unwrap_or_default().to_owned(),
            address: detail("privateIPv4Address")?,
            public_address: own.and_then(public_address),
        })
    }
}

fn public_address(interface: &Element) -> Option<String> {
    interface
        .child("association")
        .map(|a| a.text_of("publicIp").to_owned())
        .filter(|address| !address.is_empty())
}
