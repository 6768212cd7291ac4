//! The ECS cluster, and for each service its task definition, roles, log group and count.

use super::{ImageNeeded, Purpose, Sheet, balancer, get_att, network, pascal, reference, security, sub};
use crate::{
    manifest::{Image, Manifest, Service},
    variables::{self, Source},
};
use serde_json::{Value, json};

/// The parameter that takes a service's image.
pub(super) fn image(sheet: &mut Sheet, manifest: &Manifest, service: &Service) -> ImageNeeded {
    let parameter = format!("{}Image", pascal(&service.name));
    let (default, repository) = match &service.image {
        Image::Reference(reference) => (Some(reference.clone()), None),
        Image::Build(_) => (None, Some(manifest.repository(service))),
    };
    let body = json!({"Description": format!("The image that {} runs", service.name)});
    sheet.parameter(&parameter, Purpose::Image { service: service.name.clone() }, default, body);
    ImageNeeded { service: service.name.clone(), parameter, image: service.image.clone(), repository }
}

pub(super) fn resources(sheet: &mut Sheet, manifest: &Manifest) {
    sheet.add("Cluster", "AWS::ECS::Cluster", json!({"ClusterName": reference("AWS::StackName")}));
    sheet.output("ClusterName", "The cluster", reference("Cluster"));
    for service in &manifest.services {
        let name = pascal(&service.name);
        sheet.add(
            &format!("{name}Logs"),
            "AWS::Logs::LogGroup",
            json!({
                "LogGroupName": sub(format!("/ecs/${{AWS::StackName}}/{}", service.name)),
                "RetentionInDays": manifest.logs.0,
            }),
        );
        task_role(sheet, manifest, service);
        execution_role(sheet, manifest, service);
    }
    for service in &manifest.services {
        task_definition(sheet, manifest, service);
        ecs_service(sheet, manifest, service);
    }
}

/// The execution role: ECS uses it to pull the image, write logs and read secrets. Each service has its own, so that no service
/// can read another's secrets or waits for a database that it does not use.
fn execution_role(sheet: &mut Sheet, manifest: &Manifest, service: &Service) {
    let name = pascal(&service.name);
    let repository = match &service.image {
        Image::Build(_) => manifest.repository(service),
        Image::Reference(_) => "*".into(),
    };
    let repository = sub(format!(
        "arn:${{AWS::Partition}}:ecr:${{AWS::Region}}:${{AWS::AccountId}}:repository/{repository}"
    ));
    let mut statements = vec![
        allow(json!("ecr:GetAuthorizationToken"), json!("*")),
        allow(
            json!(["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]),
            repository,
        ),
        allow(json!(["logs:CreateLogStream", "logs:PutLogEvents"]), get_att(&format!("{name}Logs"), "Arn")),
    ];
    let injected = variables::injected(manifest, service).into_iter().filter_map(|v| match v.source {
        Source::Secret { arn, .. } => Some(arn),
        Source::Plain(_) => None,
    });
    // Secrets Manager adds a hyphen and six characters to the name
    let own = service.secrets.iter().map(|s| sub(format!("{}-??????", secret_arn(manifest, s))));
    let mut secrets: Vec<Value> = Vec::new();
    for arn in injected.chain(own) {
        if !secrets.contains(&arn) {
            secrets.push(arn);
        }
    }
    if !secrets.is_empty() {
        statements.push(allow(json!("secretsmanager:GetSecretValue"), secrets.into()));
    }
    role(sheet, &format!("{name}ExecutionRole"), "start-tasks", statements);
}

/// The task role, which allows the code in a task only what its service `uses`.
fn task_role(sheet: &mut Sheet, manifest: &Manifest, service: &Service) {
    let buckets: Vec<Value> = service
        .uses
        .iter()
        .filter_map(|name| manifest.bucket(name))
        .map(|b| sub(format!("${{{}Bucket.Arn}}/{}*", pascal(&b.name), b.prefix())))
        .collect();
    let statements = if buckets.is_empty() {
        Vec::new()
    } else {
        vec![allow(json!(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]), buckets.into())]
    };
    role(sheet, &format!("{}Role", pascal(&service.name)), "uses", statements);
}

fn role(sheet: &mut Sheet, id: &str, policy: &str, statements: Vec<Value>) {
    let mut properties = json!({
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": "ecs-tasks.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }]},
    });
    if !statements.is_empty() {
        let document = json!({"Version": "2012-10-17", "Statement": statements});
        properties["Policies"] = json!([{"PolicyName": policy, "PolicyDocument": document}]);
    }
    sheet.add(id, "AWS::IAM::Role", properties);
}

fn task_definition(sheet: &mut Sheet, manifest: &Manifest, service: &Service) {
    let name = pascal(&service.name);
    let mut environment: Vec<Value> =
        service.env.iter().map(|(name, value)| json!({"Name": name, "Value": value})).collect();
    let mut secrets: Vec<Value> = Vec::new();
    for variable in variables::injected(manifest, service) {
        match variable.source {
            Source::Plain(value) => environment.push(json!({"Name": variable.name, "Value": value})),
            Source::Secret { value_from, .. } => {
                secrets.push(json!({"Name": variable.name, "ValueFrom": value_from}));
            }
        }
    }
    let own = |s: &String| json!({"Name": s, "ValueFrom": sub(secret_arn(manifest, s))});
    secrets.extend(service.secrets.iter().map(own));
    let mut container = json!({
        "Name": service.name,
        "Image": reference(&format!("{name}Image")),
        "Essential": true,
        "LogConfiguration": {"LogDriver": "awslogs", "Options": {
            "awslogs-group": reference(&format!("{name}Logs")),
            "awslogs-region": reference("AWS::Region"),
            "awslogs-stream-prefix": service.name,
        }},
    });
    if let Some(port) = service.port {
        container["PortMappings"] = json!([{"ContainerPort": port, "Protocol": "tcp"}]);
    }
    if !environment.is_empty() {
        container["Environment"] = environment.into();
    }
    if !secrets.is_empty() {
        container["Secrets"] = secrets.into();
    }
    sheet.add(
        &format!("{name}Task"),
        "AWS::ECS::TaskDefinition",
        json!({
            "Family": sub(format!("${{AWS::StackName}}-{}", service.name)),
            "RequiresCompatibilities": ["FARGATE"],
            "NetworkMode": "awsvpc",
            "Cpu": service.size.cpu.to_string(),
            "Memory": service.size.memory_mib.to_string(),
            "ExecutionRoleArn": get_att(&format!("{name}ExecutionRole"), "Arn"),
            "TaskRoleArn": get_att(&format!("{name}Role"), "Arn"),
            "ContainerDefinitions": [container],
        }),
    );
}

fn ecs_service(sheet: &mut Sheet, manifest: &Manifest, service: &Service) {
    let name = pascal(&service.name);
    let id = format!("{name}Service");
    let mut properties = json!({
        "ServiceName": service.name,
        "Cluster": reference("Cluster"),
        "LaunchType": "FARGATE",
        "TaskDefinition": reference(&format!("{name}Task")),
        "DesiredCount": service.count,
        "DeploymentConfiguration": {
            "MinimumHealthyPercent": service.deploy.healthy_percent,
            "MaximumPercent": service.deploy.surge_percent,
            "DeploymentCircuitBreaker": {"Enable": true, "Rollback": true},
        },
        "NetworkConfiguration": {"AwsvpcConfiguration": {
            "AssignPublicIp": "DISABLED",
            "Subnets": network::subnets(manifest, "App"),
            "SecurityGroups": [security::id(&name)],
        }},
    });
    let mut after = security::rules_of(manifest, service);
    if let (Some(attached_by), Some(port)) = (balancer::attached_by(service), service.port) {
        properties["HealthCheckGracePeriodSeconds"] = service.health.grace_s.into();
        properties["LoadBalancers"] = json!([{
            "ContainerName": service.name,
            "ContainerPort": port,
            "TargetGroupArn": reference(&format!("{name}TargetGroup")),
        }]);
        after.push(attached_by);
    }
    after.extend(network::ways_out(manifest));
    sheet.add(&id, "AWS::ECS::Service", properties);
    sheet.attribute(&id, "DependsOn", after);
}

/// The ARN of an application's own secret, without the six characters that Secrets Manager adds, for `Fn::Sub`.
fn secret_arn(manifest: &Manifest, name: &str) -> String {
    let place = "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}";
    format!("{place}:secret:{}/${{Environment}}/{name}", manifest.app)
}

fn allow(action: Value, resource: Value) -> Value {
    json!({"Effect": "Allow", "Action": action, "Resource": resource})
}
