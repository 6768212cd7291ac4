//! Updates of ECS's resource types: which properties change, and when a service is ready.

use super::*;
use crate::{Ecs, deploy};
use escale_base::Timestamp;
use escale_harness::{FakeEc2, Harness, PropertyTable, Removal, Resource};
use escale_service::Readiness;
use escale_tables::{
    ec2::{GroupId, SubnetId},
    ecs::{Outcome, Service, Task, TaskOfService, TaskProgress, TaskSeen},
};
use serde_json::json;
use std::sync::Arc;

struct Shop {
    harness: Harness,
    subnets: [SubnetId; 2],
    groups: [GroupId; 2],
    definitions: [String; 2],
}

impl Shop {
    fn new() -> Shop {
        let harness = Harness::new(vec![Arc::new(Ecs), Arc::new(FakeEc2)]);
        let vpc = FakeEc2::vpc(&harness);
        let subnets = ["a", "b"].map(|zone| FakeEc2::subnet(&harness, &vpc, zone));
        let groups = [(); 2].map(|()| {
            let id = GroupId::random();
            let (vpc, name, description) = (vpc.clone(), id.as_str().into(), String::new());
            harness.write(|tx| {
                tx.put(escale_tables::ec2::Group { id: id.clone(), vpc, name, description, tags: vec![] });
            });
            id
        });
        harness.ok("CreateCluster", json!({"clusterName": "shop"}));
        let definitions = [(); 2].map(|()| {
            let container =
                json!({"name": "web", "image": "web", "portMappings": [{"containerPort": 80}, {"containerPort": 81}]});
            let input = json!({
                "family": "web", "cpu": "256", "memory": "512", "networkMode": "awsvpc",
                "requiresCompatibilities": ["FARGATE"], "containerDefinitions": [container],
            });
            harness.text("RegisterTaskDefinition", input, "/taskDefinition/taskDefinitionArn")
        });
        Shop { harness, subnets, groups, definitions }
    }

    fn network(&self, i: usize) -> Value {
        json!({"AwsvpcConfiguration": {"Subnets": [self.subnets[i]], "SecurityGroups": [self.groups[i]]}})
    }

    fn service(&self) -> Value {
        json!({
            "Cluster": "shop", "TaskDefinition": self.definitions[0], "NetworkConfiguration": self.network(0),
            "DesiredCount": 1,
        })
    }

    fn create(&self, service: Value) -> Resource {
        self.harness.create_resource("AWS::ECS::Service", service).unwrap()
    }

    fn readiness(&self, resource: &Resource) -> Readiness {
        (resource.kind.ready)(&self.harness.store.read(), &resource.created)
    }

    fn row(&self, resource: &Resource) -> Arc<Service> {
        let key = resource.created.physical_id.split_once(":service/").unwrap().1;
        self.harness.store.read().get::<Service>(key).unwrap()
    }

    fn change(&self, resource: &Resource, change: impl FnOnce(&mut Service)) {
        let mut row = (*self.row(resource)).clone();
        change(&mut row);
        self.harness.write(|tx| tx.put(row));
    }

    /// Writes the tasks of a service as its reconciler does: all run, and the newest deployment is complete.
    fn complete(&self, resource: &Resource) {
        let row = self.row(resource);
        self.change(resource, |service| {
            service.deployments.truncate(1);
            service.deployments[0].outcome = Outcome::Completed;
        });
        self.harness.write(|tx| {
            let tasks: Vec<Arc<Task>> = tx.scan::<Task>().collect();
            for task in tasks {
                tx.delete::<Task>(&task.id);
            }
            for number in 0..row.desired {
                let id = format!("{}-{number}", row.name);
                let seen = TaskSeen { id: id.as_str().into(), ..running() };
                tx.put(TaskProgress { id: id.as_str().into(), ..TaskProgress::default() });
                tx.put(seen);
                tx.put(task(&row, &id));
            }
        });
    }

    /// Trips the circuit breaker of the newest deployment, with or without a rollback.
    fn trip(&self, resource: &Resource, rolls_back: bool) {
        self.change(resource, |service| {
            service.deployments[0].outcome = Outcome::Failed;
            if rolls_back {
                let mut back = service.deployments.remove(1);
                (back.outcome, back.is_rollback) = (Outcome::InProgress, true);
                service.deployments.insert(0, back);
            }
        });
    }
}

fn running() -> TaskSeen {
    TaskSeen {
        id: "".into(),
        phase: escale_tables::ecs::Phase::Running,
        started: Some(Timestamp(0)),
        stopping: None,
        ended: None,
        why: None,
        containers: Default::default(),
    }
}

fn task(service: &Service, id: &str) -> Task {
    let key = escale_store::Row::key(service);
    let deployment = &service.deployments[0];
    Task {
        id: id.into(),
        cluster: service.cluster.clone(),
        family: deployment.family.clone(),
        revision: deployment.revision,
        group: format!("service:{}", service.name),
        started_by: None,
        service: Some(TaskOfService { key: key.as_str().into(), deployment: deployment.id.clone() }),
        capacity_provider: None,
        platform_version: deployment.platform_version,
        vpc: "vpc-1".into(),
        subnet: "subnet-1".into(),
        zone: "a".into(),
        interface: "eni-1".into(),
        private_ip: std::net::Ipv4Addr::LOCALHOST,
        allocation: None,
        overrides: Default::default(),
        credentials_id: "".into(),
        execute_command: false,
        protected_until: None,
        client_token: None,
        stop: None,
        tags: vec![],
        created: Timestamp(0),
    }
}

fn balancer(port: u16) -> Value {
    json!([{"TargetGroupArn": format!("arn:aws:elasticloadbalancing:group/{port}"), "ContainerName": "web", "ContainerPort": port}])
}

fn tags(value: &str) -> Value {
    json!([{"Key": "stage", "Value": value}, {"Key": value, "Value": ""}])
}

#[test]
fn cluster_changes_every_property() {
    let shop = Shop::new();
    let insights = |value: &str| json!([{"Name": "containerInsights", "Value": value}]);
    let strategy = |weight: i32| json!([{"CapacityProvider": "FARGATE", "Weight": weight}]);
    let base = json!({"CapacityProviders": ["FARGATE"]});
    let cases = [
        ("ClusterSettings", insights("enabled"), insights("enhanced"), Removal::Default),
        ("DefaultCapacityProviderStrategy", strategy(1), strategy(2), Removal::Default),
        ("Tags", tags("a"), tags("b"), Removal::Default),
    ];
    PropertyTable::on(CLUSTER, &shop.harness, base).rows(cases).untested(&["CapacityProviders"]).check();
    let cases =
        [("CapacityProviders", json!(["FARGATE"]), json!(["FARGATE_SPOT", "FARGATE"]), Removal::Default)];
    let others = ["ClusterSettings", "DefaultCapacityProviderStrategy", "Tags"];
    PropertyTable::on(CLUSTER, &shop.harness, json!({})).rows(cases).untested(&others).check();
}

#[test]
fn associations_change_every_property() {
    let shop = Shop::new();
    let strategy = |weight: i32| json!([{"CapacityProvider": "FARGATE", "Weight": weight}]);
    let both = json!(["FARGATE_SPOT", "FARGATE"]);
    let base =
        json!({"Cluster": "shop", "CapacityProviders": both, "DefaultCapacityProviderStrategy": strategy(5)});
    let cases = [
        ("CapacityProviders", json!(["FARGATE"]), both, Removal::Refused),
        ("DefaultCapacityProviderStrategy", strategy(1), strategy(2), Removal::Refused),
    ];
    PropertyTable::on(ASSOCIATIONS, &shop.harness, base).rows(cases).check();
}

#[test]
fn task_definition_changes_its_tags_and_reads_the_rest() {
    let shop = Shop::new();
    let base = json!({
        "Family": "api", "Cpu": "256", "Memory": "512", "NetworkMode": "awsvpc", "RequiresCompatibilities": ["FARGATE"],
        "ExecutionRoleArn": "arn:aws:iam::000000000000:role/execution",
        "ContainerDefinitions": [{
            "Name": "web", "Image": "ghcr.io/team/web:1", "Environment": [{"Name": "A", "Value": "1"}],
            "RepositoryCredentials": {"CredentialsParameter": "registries/ghcr"}, "VersionConsistency": "disabled",
        }],
        "Volumes": [{"Name": "scratch"}], "EphemeralStorage": {"SizeInGiB": 30},
    });
    let cases = [("Tags", tags("a"), tags("b"), Removal::Default)];
    PropertyTable::on(DEFINITION, &shop.harness, base.clone()).rows(cases).check();
    let definition = shop.harness.create_resource(DEFINITION, base.clone()).unwrap();
    let read = shop.harness.read_resource(&definition);
    for (property, value) in
        base.as_object().unwrap().iter().filter(|(name, _)| *name != "ContainerDefinitions")
    {
        assert_eq!(read[property], *value, "{property}");
    }
    for property in ["Image", "Environment", "RepositoryCredentials", "VersionConsistency"] {
        let expected = &base["ContainerDefinitions"][0][property];
        assert_eq!(read["ContainerDefinitions"][0][property], *expected, "{property}");
    }
    shop.harness.delete_resource(&definition).unwrap();
    assert_eq!(shop.harness.read_resource(&definition), Value::Null);
}

#[test]
fn service_changes_every_property() {
    let shop = Shop::new();
    let strategy = |weight: i32| json!([{"CapacityProvider": "FARGATE", "Weight": weight}]);
    let configuration =
        |most: u32, least: u32| json!({"MaximumPercent": most, "MinimumHealthyPercent": least});
    let breaker = |on: bool| json!({"DeploymentCircuitBreaker": {"Enable": true, "Rollback": on}});
    let alarms = |names: &[&str]| json!({"Alarms": {"AlarmNames": names, "Enable": true, "Rollback": true}});
    let threshold = |kind: &str, value: u32| {
        let threshold = json!({"Type": kind, "Value": value});
        json!({"DeploymentCircuitBreaker": {"Enable": true, "Rollback": true, "ThresholdConfiguration": threshold}})
    };
    let monitoring = |secs: u32| json!({"MetricConfigurations": [{"MetricNames": ["CPUUtilization"], "ResolutionSeconds": secs}]});
    let cases = [
        ("TaskDefinition", json!(shop.definitions[0]), json!(shop.definitions[1]), Removal::Refused),
        ("NetworkConfiguration", shop.network(0), shop.network(1), Removal::Refused),
        ("DesiredCount", json!(1), json!(3), Removal::Keeps),
        ("CapacityProviderStrategy", strategy(1), strategy(2), Removal::Default),
        ("PlatformVersion", json!("1.3.0"), json!("1.4.0"), Removal::Default),
        ("DeploymentConfiguration", configuration(150, 50), breaker(true), Removal::Default),
        ("DeploymentConfiguration", breaker(false), configuration(120, 0), Removal::Default),
        ("DeploymentConfiguration", alarms(&["errors"]), threshold("COUNT", 5), Removal::Default),
        ("DeploymentConfiguration", threshold("BOUNDED_PERCENT", 10), alarms(&["a", "b"]), Removal::Default),
        ("LoadBalancers", balancer(80), balancer(81), Removal::Default),
        ("DeploymentController", json!({"Type": "ECS"}), json!({"Type": "ECS"}), Removal::Default),
        ("AvailabilityZoneRebalancing", json!("ENABLED"), json!("DISABLED"), Removal::Default),
        ("EnableECSManagedTags", json!(true), json!(false), Removal::Default),
        ("EnableExecuteCommand", json!(true), json!(false), Removal::Default),
        ("Monitoring", monitoring(20), monitoring(60), Removal::Default),
        ("PropagateTags", json!("SERVICE"), json!("TASK_DEFINITION"), Removal::Default),
        ("Tags", tags("a"), tags("b"), Removal::Default),
    ];
    // ServiceRegistries need services of Cloud Map: `tests/sim/tests/discovery` and the client tests have them.
    let others = ["HealthCheckGracePeriodSeconds", "LaunchType", "ServiceRegistries"];
    let all: Vec<&str> = cases.iter().map(|(name, ..)| *name).chain(others).collect();
    PropertyTable::on("AWS::ECS::Service", &shop.harness, shop.service())
        .rows(cases)
        .untested(&others)
        .check();
    let mut base = shop.service();
    base["LoadBalancers"] = balancer(80);
    let cases = [("HealthCheckGracePeriodSeconds", json!(30), json!(60), Removal::Default)];
    PropertyTable::on("AWS::ECS::Service", &shop.harness, base).rows(cases).untested(&all).check();
}

#[test]
fn service_changes_between_launch_type_and_strategy() {
    let shop = Shop::new();
    let with = |launch: &str, value: Value| {
        let mut service = shop.service();
        service[launch] = value;
        service
    };
    let strategy =
        with("CapacityProviderStrategy", json!([{"CapacityProvider": "FARGATE_SPOT", "Weight": 1}]));
    let mut resource = shop.create(with("LaunchType", json!("FARGATE")));
    shop.harness.update_resource(&mut resource, strategy.clone()).unwrap();
    let read = shop.harness.read_resource(&resource);
    assert_eq!(read["CapacityProviderStrategy"][0]["CapacityProvider"], "FARGATE_SPOT");
    assert_eq!(read.get("LaunchType"), None);
    shop.harness.update_resource(&mut resource, with("LaunchType", json!("FARGATE"))).unwrap();
    let read = shop.harness.read_resource(&resource);
    assert_eq!((&read["LaunchType"], read.get("CapacityProviderStrategy")), (&json!("FARGATE"), None));
    let mut both = strategy;
    both["LaunchType"] = json!("FARGATE");
    assert!(shop.harness.update_resource(&mut resource, both).is_err());
}

/// Only a change to the tasks replaces them.
#[test]
fn service_starts_a_deployment_for_new_tasks_only() {
    let shop = Shop::new();
    let check = |property: &str, value: Value, starts: bool| {
        let mut resource = shop.create(shop.service());
        let mut after = shop.service();
        after[property] = value;
        shop.harness.update_resource(&mut resource, after).unwrap();
        assert_eq!(shop.row(&resource).deployments.len(), 1 + usize::from(starts), "{property}");
    };
    check("TaskDefinition", json!(shop.definitions[1]), true);
    check("NetworkConfiguration", shop.network(1), true);
    check("LoadBalancers", balancer(80), true);
    check("DesiredCount", json!(4), false);
    check("DeploymentConfiguration", json!({"MinimumHealthyPercent": 0}), false);
    check("Tags", tags("a"), false);
}

/// The old tasks must leave the target group that they are in, not the new one.
#[test]
fn deployment_keeps_its_load_balancers_until_it_is_replaced() {
    let shop = Shop::new();
    let with = |port| {
        let mut service = shop.service();
        service["LoadBalancers"] = balancer(port);
        service
    };
    let mut resource = shop.create(with(80));
    shop.harness.update_resource(&mut resource, with(81)).unwrap();
    let row = shop.row(&resource);
    let ports = |d: usize| row.load_balancers_of(&row.deployments[d].id)[0].container_port;
    assert_eq!((ports(0), ports(1)), (Some(81), Some(80)));
}

#[test]
fn update_of_a_service_is_pending_until_its_tasks_run() {
    let shop = Shop::new();
    let mut resource = shop.create(shop.service());
    assert!(matches!(shop.readiness(&resource), Readiness::Pending(_)));
    shop.complete(&resource);
    assert_eq!(shop.readiness(&resource), Readiness::ready());
    let mut after = shop.service();
    after["TaskDefinition"] = json!(shop.definitions[1]);
    after["DesiredCount"] = json!(2);
    shop.harness.update_resource(&mut resource, after.clone()).unwrap();
    assert!(matches!(shop.readiness(&resource), Readiness::Pending(_)));
    shop.complete(&resource);
    assert_eq!(shop.readiness(&resource), Readiness::ready());
    // A new desired count starts no deployment.
    after["DesiredCount"] = json!(3);
    shop.harness.update_resource(&mut resource, after).unwrap();
    assert!(matches!(shop.readiness(&resource), Readiness::Pending(_)));
    shop.complete(&resource);
    assert_eq!(shop.readiness(&resource), Readiness::ready());
}

/// A stack's rollback updates the service back, whatever the circuit breaker did before.
#[test]
fn failed_deployment_fails_the_update_but_not_its_rollback() {
    for rolls_back in [false, true] {
        for is_complete in [false, true] {
            let shop = Shop::new();
            let mut resource = shop.create(shop.service());
            shop.complete(&resource);
            let mut after = shop.service();
            after["TaskDefinition"] = json!(shop.definitions[1]);
            shop.harness.update_resource(&mut resource, after).unwrap();
            let failed = shop.row(&resource).deployments[0].id.clone();
            shop.trip(&resource, rolls_back);
            // The rollback by the circuit breaker may end before anybody looks.
            if is_complete && rolls_back {
                shop.complete(&resource);
            }
            let Readiness::Failed(why) = shop.readiness(&resource) else { panic!("it is not failed") };
            assert!(why.contains(&deploy::failure(&deploy::failed(&shop.row(&resource), &failed))), "{why}");
            shop.harness.update_resource(&mut resource, shop.service()).unwrap();
            if !(is_complete && rolls_back) {
                assert!(matches!(shop.readiness(&resource), Readiness::Pending(_)));
                shop.complete(&resource);
            }
            assert_eq!(shop.readiness(&resource), Readiness::ready());
        }
    }
}

#[test]
fn new_tags_do_not_wait_for_a_deployment() {
    let shop = Shop::new();
    let mut resource = shop.create(shop.service());
    shop.complete(&resource);
    shop.trip(&resource, false);
    let mut after = shop.service();
    after["Tags"] = tags("a");
    shop.harness.update_resource(&mut resource, after.clone()).unwrap();
    assert_eq!(shop.readiness(&resource), Readiness::ready());
    after["DesiredCount"] = json!(2);
    shop.harness.update_resource(&mut resource, after).unwrap();
    assert!(matches!(shop.readiness(&resource), Readiness::Failed(_)));
}

#[test]
fn deleted_service_is_not_read() {
    let shop = Shop::new();
    let resource = shop.create(shop.service());
    assert_eq!(shop.harness.read_resource(&resource)["Cluster"], "shop");
    shop.harness.delete_resource(&resource).unwrap();
    assert_eq!(shop.harness.read_resource(&resource), Value::Null);
}
