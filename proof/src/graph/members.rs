//! What runs: load balancers, services, databases, NAT gateways, buckets.

use super::{Architecture, targets};
use crate::survey::{Resource, Survey, number_of, shown, text_of};
use serde::Serialize;
use serde_json::Value;

#[derive(Clone, Debug, Serialize)]
pub struct Balancer {
    pub id: String,
    pub line: usize,
    /// `application` or `network`.
    pub kind: String,
    pub is_internal: bool,
    pub subnets: Vec<String>,
    pub groups: Vec<String>,
    pub listeners: Vec<Listener>,
    /// Public addresses by zone, of a running one.
    pub addresses: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Listener {
    pub port: u16,
    pub protocol: String,
    pub line: usize,
    /// The target groups of its actions and rules.
    pub target_groups: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Service {
    pub id: String,
    pub line: usize,
    pub name: String,
    pub count: u32,
    /// vCPU and GB of a task.
    pub vcpu: Option<f64>,
    pub memory_gb: Option<f64>,
    pub is_arm: bool,
    pub is_spot: bool,
    pub subnets: Vec<String>,
    pub groups: Vec<String>,
    pub has_public_address: bool,
    pub ports: Vec<u16>,
    pub target_groups: Vec<String>,
    /// The task definition, if the template has it.
    pub task_definition: Option<String>,
    /// The tasks of a running service.
    pub tasks: Vec<Task>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Task {
    pub zone: String,
    pub address: String,
    pub public_address: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Database {
    pub id: String,
    pub line: usize,
    pub engine: String,
    pub class: String,
    pub is_multi_az: bool,
    pub is_public: bool,
    pub storage_gb: Option<f64>,
    pub storage_type: String,
    pub backup_days: u32,
    pub port: Option<u16>,
    pub subnets: Vec<String>,
    pub groups: Vec<String>,
    /// The zone of the primary, if the template chooses it or the database runs.
    pub zone: Option<String>,
    pub standby_zone: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Nat {
    pub id: String,
    pub line: usize,
    pub subnet: String,
    pub address: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Bucket {
    pub id: String,
    pub line: usize,
}

pub(super) fn read(survey: &Survey, made: &mut Architecture) {
    made.balancers =
        survey.of_kind("AWS::ElasticLoadBalancingV2::LoadBalancer").map(|r| balancer(survey, r)).collect();
    let services: Vec<Service> =
        survey.of_kind("AWS::ECS::Service").map(|r| service(survey, r, made)).collect();
    made.services = services;
    made.databases = survey.of_kind("AWS::RDS::DBInstance").map(|r| database(survey, r)).collect();
    made.nats = survey
        .of_kind("AWS::EC2::NatGateway")
        .filter(|r| r.text("/ConnectivityType").as_deref() != Some("private"))
        .map(|r| Nat {
            id: r.id.clone(),
            line: r.line,
            subnet: targets(r.get("/SubnetId")).into_iter().next().unwrap_or_default(),
            address: None,
        })
        .collect();
    made.buckets =
        survey.of_kind("AWS::S3::Bucket").map(|r| Bucket { id: r.id.clone(), line: r.line }).collect();
    made.secrets = survey.of_kind("AWS::SecretsManager::Secret").map(|r| r.id.clone()).collect();
}

fn port_of(value: &Value) -> Option<u16> {
    number_of(value).filter(|n| (1.0..=65535.0).contains(n)).map(|n| n as u16)
}

fn balancer(survey: &Survey, resource: &Resource) -> Balancer {
    let mut subnets = targets(resource.get("/Subnets"));
    let mappings = resource.get("/SubnetMappings").as_array().into_iter().flatten();
    subnets.extend(mappings.flat_map(|mapping| targets(&mapping["SubnetId"])));
    let of_this = |r: &&Resource| targets(r.get("/LoadBalancerArn")).contains(&resource.id);
    let listeners =
        survey.of_kind("AWS::ElasticLoadBalancingV2::Listener").filter(of_this).filter_map(|listener| {
            let mut target_groups = target_groups(survey, listener.get("/DefaultActions"));
            let rules = survey.of_kind("AWS::ElasticLoadBalancingV2::ListenerRule");
            for rule in rules.filter(|rule| targets(rule.get("/ListenerArn")).contains(&listener.id)) {
                target_groups.extend(self::target_groups(survey, rule.get("/Actions")));
            }
            Some(Listener {
                port: port_of(listener.get("/Port"))?,
                protocol: listener.text("/Protocol").unwrap_or_else(|| "HTTP".to_owned()),
                line: listener.line,
                target_groups,
            })
        });
    Balancer {
        id: resource.id.clone(),
        line: resource.line,
        kind: resource.text("/Type").unwrap_or_else(|| "application".to_owned()),
        is_internal: resource.text("/Scheme").as_deref() == Some("internal"),
        subnets,
        groups: targets(resource.get("/SecurityGroups")),
        listeners: listeners.collect(),
        addresses: Vec::new(),
    }
}

fn target_groups(survey: &Survey, actions: &Value) -> Vec<String> {
    let is_group = |id: &String| {
        survey.resources.get(id).is_some_and(|r| r.kind == "AWS::ElasticLoadBalancingV2::TargetGroup")
    };
    targets(actions).into_iter().filter(is_group).collect()
}

fn service(survey: &Survey, resource: &Resource, made: &mut Architecture) -> Service {
    let network = "/NetworkConfiguration/AwsvpcConfiguration";
    let task = survey.referred(resource.get("/TaskDefinition"), "AWS::ECS::TaskDefinition");
    if task.is_none() {
        made.note(
            resource.line_of("TaskDefinition"),
            format!(
                "{}: the task definition is not in the template: its size and ports are not known",
                resource.id
            ),
        );
    }
    let containers = task.and_then(|t| t.get("/ContainerDefinitions").as_array()).into_iter().flatten();
    let mut ports: Vec<u16> = containers
        .flat_map(|c| c["PortMappings"].as_array().into_iter().flatten())
        .filter_map(|mapping| port_of(&mapping["ContainerPort"]))
        .collect();
    ports.sort_unstable();
    ports.dedup();
    let balancers = resource.get("/LoadBalancers").as_array().into_iter().flatten();
    let strategy = resource.get("/CapacityProviderStrategy").as_array().into_iter().flatten();
    let providers: Vec<String> = strategy.filter_map(|s| text_of(&s["CapacityProvider"])).collect();
    let size = |path: &str| task.and_then(|t| t.number(path)).map(|n| n / 1024.0);
    Service {
        id: resource.id.clone(),
        line: resource.line,
        name: resource.text("/ServiceName").unwrap_or_else(|| resource.id.clone()),
        count: desired(resource, made),
        vcpu: size("/Cpu"),
        memory_gb: size("/Memory"),
        is_arm: task.and_then(|t| t.text("/RuntimePlatform/CpuArchitecture")).as_deref() == Some("ARM64"),
        is_spot: !providers.is_empty() && providers.iter().all(|p| p == "FARGATE_SPOT"),
        subnets: targets(resource.get(&format!("{network}/Subnets"))),
        groups: targets(resource.get(&format!("{network}/SecurityGroups"))),
        has_public_address: resource.text(&format!("{network}/AssignPublicIp")).as_deref() == Some("ENABLED"),
        ports,
        target_groups: balancers.flat_map(|b| targets(&b["TargetGroupArn"])).collect(),
        task_definition: task.map(|t| t.id.clone()),
        tasks: Vec::new(),
    }
}

/// One task, if the service does not say how many: <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ecs-service.html>
fn desired(resource: &Resource, made: &mut Architecture) -> u32 {
    match resource.get("/DesiredCount") {
        Value::Null => 1,
        value => number_of(value).map_or_else(
            || {
                let what = format!("{}: DesiredCount is {}: one task is assumed", resource.id, shown(value));
                made.note(resource.line_of("DesiredCount"), what);
                1
            },
            |n| n as u32,
        ),
    }
}

fn database(survey: &Survey, resource: &Resource) -> Database {
    let group = survey.referred(resource.get("/DBSubnetGroupName"), "AWS::RDS::DBSubnetGroup");
    let subnets = group.map_or_else(
        || targets(resource.get("/DBSubnetGroupName")),
        |group| targets(group.get("/SubnetIds")),
    );
    let engine = resource.text("/Engine").unwrap_or_else(|| "unknown".to_owned());
    // The default ports of engines: <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html>
    let default = match engine.as_str() {
        "postgres" => Some(5432),
        "mysql" | "mariadb" => Some(3306),
        _ => None,
    };
    let mut groups = targets(resource.get("/VPCSecurityGroups"));
    // AWS's schema accepts both spellings.
    groups.extend(targets(resource.get("/VpcSecurityGroupIds")));
    Database {
        id: resource.id.clone(),
        line: resource.line,
        engine,
        class: resource.text("/DBInstanceClass").unwrap_or_else(|| "unknown".to_owned()),
        is_multi_az: resource.is_true("/MultiAZ"),
        is_public: resource.is_true("/PubliclyAccessible"),
        storage_gb: resource.number("/AllocatedStorage"),
        storage_type: resource.text("/StorageType").unwrap_or_else(|| "gp2".to_owned()),
        // One day is the default: <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-rds-dbinstance.html>
        backup_days: resource.number("/BackupRetentionPeriod").map_or(1, |n| n as u32),
        port: port_of(resource.get("/Port")).or(default),
        subnets,
        groups,
        zone: resource.text("/AvailabilityZone"),
        standby_zone: None,
    }
}
