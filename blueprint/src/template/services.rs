//! The ECS cluster, and for each service its task definition, roles, log group and count.

use super::{
    Held, Purpose, RUNS_NEW, RUNS_NOTHING, Sheet, balancer, containers, containers::secret_arn, get_att,
    internal, network, pascal, reference, security, sub,
};
use crate::{
    manifest::{Count, Image, Manifest, Scale, Service},
    variables::{self, Source},
};
use serde_json::{Value, json};

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
        containers::task_definitions(sheet, manifest, service);
        ecs_service(sheet, manifest, service);
    }
}

/// Whether services keep what they run until release commands have succeeded.
pub(super) fn holds(manifest: &Manifest) -> bool {
    manifest.services.iter().any(|s| s.release.is_some())
}

/// The parameters by which services keep what they run. All services keep it while any release command runs: they may depend on
/// the same database.
pub(super) fn held(sheet: &mut Sheet, manifest: &Manifest) -> Vec<Held> {
    if !holds(manifest) {
        return Vec::new();
    }
    let one = |service: &Service| {
        let name = pascal(&service.name);
        let parameter = format!("{name}Runs");
        let body = json!({"Description": format!(
            "What {} runs: `{RUNS_NEW}`, `{RUNS_NOTHING}` before the first release command, or the ARN of the task definition \
             that it keeps while a release command runs",
            service.name
        )});
        let purpose = Purpose::Runs { service: service.name.clone() };
        sheet.parameter(&parameter, purpose, Some(RUNS_NEW.to_owned()), body);
        let is = |value: &str| json!({"Fn::Equals": [reference(&parameter), value]});
        sheet.condition(&format!("{name}IsNew"), is(RUNS_NOTHING));
        let either = json!({"Fn::Or": [is(RUNS_NEW), is(RUNS_NOTHING)]});
        sheet.condition(&format!("{name}IsHeld"), json!({"Fn::Not": [either]}));
        let release = service.release.as_ref().map(|_| format!("{name}ReleaseTask"));
        Held { service: service.name.clone(), parameter, release }
    };
    manifest.services.iter().map(one).collect()
}

/// The execution role: ECS uses it to pull the image, write logs and read secrets. Each service has its own, so that no service
/// can read another's secrets or waits for a database that it does not use.
fn execution_role(sheet: &mut Sheet, manifest: &Manifest, service: &Service) {
    let name = pascal(&service.name);
    let repository = match &service.image {
        Image::Build(_) if service.sidecars.is_empty() => manifest.repository(service),
        _ => "*".into(),
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
    role(sheet, &format!("{name}ExecutionRole"), TASKS, "start-tasks", statements);
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
    role(sheet, &format!("{}Role", pascal(&service.name)), TASKS, "uses", statements);
}

/// The service that assumes the roles of tasks.
const TASKS: &str = "ecs-tasks.amazonaws.com";

/// A role that a service assumes.
pub(super) fn role(sheet: &mut Sheet, id: &str, service: &str, policy: &str, statements: Vec<Value>) {
    let mut properties = json!({
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sts:AssumeRole",
        }]},
    });
    if !statements.is_empty() {
        let document = json!({"Version": "2012-10-17", "Statement": statements});
        properties["Policies"] = json!([{"PolicyName": policy, "PolicyDocument": document}]);
    }
    sheet.add(id, "AWS::IAM::Role", properties);
}

fn ecs_service(sheet: &mut Sheet, manifest: &Manifest, service: &Service) {
    let name = pascal(&service.name);
    let id = format!("{name}Service");
    // Without a count, an update of the service keeps the one that auto scaling has set.
    let (mut definition, mut count) = (
        reference(&format!("{name}Task")),
        match service.count {
            Count::Fixed(count) => json!(count),
            Count::Scaled(_) => reference("AWS::NoValue"),
        },
    );
    if holds(manifest) {
        definition =
            json!({"Fn::If": [format!("{name}IsHeld"), reference(&format!("{name}Runs")), definition]});
        count = json!({"Fn::If": [format!("{name}IsNew"), 0, count]});
    }
    let mut properties = json!({
        "ServiceName": service.name,
        "Cluster": reference("Cluster"),
        "LaunchType": "FARGATE",
        "TaskDefinition": definition,
        "DesiredCount": count,
        "DeploymentConfiguration": configuration(sheet, service),
        "NetworkConfiguration": {"AwsvpcConfiguration": {
            "AssignPublicIp": "DISABLED",
            "Subnets": network::subnets(manifest, "App"),
            "SecurityGroups": [security::id(&name)],
        }},
    });
    let mut after = security::rules_of(manifest, service);
    let attached = [balancer::attached_by(service), internal::attached_by(manifest, service)];
    let mut targets = Vec::new();
    for (attached_by, target_group) in attached.into_iter().flatten() {
        targets.push(json!({
            "ContainerName": service.name,
            "ContainerPort": service.port,
            "TargetGroupArn": reference(&target_group),
        }));
        after.push(attached_by);
    }
    if !targets.is_empty() {
        properties["HealthCheckGracePeriodSeconds"] = service.health.grace_s.into();
        properties["LoadBalancers"] = targets.into();
    }
    if let Count::Scaled(scale) = service.count {
        if !holds(manifest) {
            properties.as_object_mut().map(|p| p.remove("DesiredCount"));
        }
        scaling(sheet, manifest, service, scale);
    }
    after.extend(network::ways_out(manifest));
    sheet.add(&id, "AWS::ECS::Service", properties);
    sheet.attribute(&id, "DependsOn", after);
}

/// The bounds of deployments, and what fails them.
fn configuration(sheet: &mut Sheet, service: &Service) -> Value {
    let deploy = &service.deploy;
    let mut breaker = json!({"Enable": true, "Rollback": true});
    if let Some(failures) = deploy.rollback_after {
        breaker["ThresholdConfiguration"] = json!({"Type": "COUNT", "Value": failures});
    }
    let mut configuration = json!({
        "MinimumHealthyPercent": deploy.healthy_percent,
        "MaximumPercent": deploy.surge_percent,
        "DeploymentCircuitBreaker": breaker,
    });
    if let Some((_, group)) = balancer::attached_by(service).filter(|_| deploy.watches_5xx) {
        let id = format!("{}ErrorsAlarm", pascal(&service.name));
        let dimension =
            |name: &str, of: &str| json!({"Name": name, "Value": get_att(of, &format!("{name}FullName"))});
        sheet.add(
            &id,
            "AWS::CloudWatch::Alarm",
            json!({
                "AlarmDescription": format!("Answers of {} with a status from 500 to 599; fails its deployments.", service.name),
                "Namespace": "AWS/ApplicationELB",
                "MetricName": "HTTPCode_Target_5XX_Count",
                "Dimensions": [dimension("LoadBalancer", "LoadBalancer"), dimension("TargetGroup", &group)],
                "Statistic": "Sum",
                "Period": 60,
                "EvaluationPeriods": 1,
                "Threshold": ERRORS_PER_MINUTE,
                "ComparisonOperator": "GreaterThanThreshold",
                "TreatMissingData": "notBreaching",
            }),
        );
        configuration["Alarms"] = json!({"AlarmNames": [reference(&id)], "Enable": true, "Rollback": true});
    }
    configuration
}

/// More answers with a status from 500 to 599 in a minute fail a deployment. A single one may have another cause.
const ERRORS_PER_MINUTE: u32 = 10;

/// The scalable target, and a policy of target tracking for each metric.
fn scaling(sheet: &mut Sheet, manifest: &Manifest, service: &Service, scale: Scale) {
    let name = pascal(&service.name);
    let target = format!("{name}Scaling");
    let (mut min, mut max) = (json!(scale.min), json!(scale.max));
    if holds(manifest) {
        // Before the first release command no task may run.
        let unless_new = |limit: Value| json!({"Fn::If": [format!("{name}IsNew"), 0, limit]});
        (min, max) = (unless_new(min), unless_new(max));
    }
    sheet.add(
        &target,
        "AWS::ApplicationAutoScaling::ScalableTarget",
        json!({
            "ServiceNamespace": "ecs",
            "ScalableDimension": "ecs:service:DesiredCount",
            "ResourceId": sub(format!("service/${{Cluster}}/${{{name}Service.Name}}")),
            "MinCapacity": min,
            "MaxCapacity": max,
        }),
    );
    for (metric, goal) in [("Cpu", scale.cpu), ("Memory", scale.memory), ("Requests", scale.requests)] {
        let Some(goal) = goal else { continue };
        let predefined = match metric {
            "Cpu" => json!({"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}),
            "Memory" => json!({"PredefinedMetricType": "ECSServiceAverageMemoryUtilization"}),
            _ => json!({
                "PredefinedMetricType": "ALBRequestCountPerTarget",
                "ResourceLabel": sub(format!(
                    "${{LoadBalancer.LoadBalancerFullName}}/${{{name}TargetGroup.TargetGroupFullName}}"
                )),
            }),
        };
        let properties = json!({
            "PolicyName": format!("{}-{}", service.name, metric.to_lowercase()),
            "PolicyType": "TargetTrackingScaling",
            "ScalingTargetId": reference(&target),
            "TargetTrackingScalingPolicyConfiguration": {
                "PredefinedMetricSpecification": predefined,
                "TargetValue": goal,
            },
        });
        sheet.add(
            &format!("{name}ScalingBy{metric}"),
            "AWS::ApplicationAutoScaling::ScalingPolicy",
            properties,
        );
    }
}

pub(super) fn allow(action: Value, resource: Value) -> Value {
    json!({"Effect": "Allow", "Action": action, "Resource": resource})
}
