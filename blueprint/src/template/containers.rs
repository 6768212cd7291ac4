//! Task definitions: the container of a service, its sidecars, and the task of its release command.

use super::{ImageNeeded, Purpose, Sheet, get_att, pascal, reference, services, sub};
use crate::{
    manifest::{Dependency, Image, Manifest, Service, Sidecar, Until},
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

/// The parameters that take the images of a service's sidecars.
pub(super) fn sidecar_images(sheet: &mut Sheet, service: &Service) -> Vec<ImageNeeded> {
    let one = |sidecar: &Sidecar| {
        let parameter = sidecar_parameter(service, sidecar);
        let named = format!("{}/{}", service.name, sidecar.name);
        let body = json!({"Description": format!("The image of the container {} of {}", sidecar.name, service.name)});
        let purpose = Purpose::Image { service: named.clone() };
        sheet.parameter(&parameter, purpose, Some(sidecar.image.clone()), body);
        let image = Image::Reference(sidecar.image.clone());
        ImageNeeded { service: named, parameter, image, repository: None }
    };
    service.sidecars.iter().map(one).collect()
}

fn sidecar_parameter(service: &Service, sidecar: &Sidecar) -> String {
    format!("{}{}Image", pascal(&service.name), pascal(&sidecar.name))
}

pub(super) fn task_definitions(sheet: &mut Sheet, manifest: &Manifest, service: &Service) {
    let (name, image) = (pascal(&service.name), reference(&format!("{}Image", pascal(&service.name))));
    let mut own = container(service, &service.name, &image, &service.name);
    let (environment, secrets) = variables_of(manifest, service);
    let mut release = own.clone();
    if let Some(port) = service.port {
        own["PortMappings"] = json!([{"ContainerPort": port, "Protocol": "tcp"}]);
    }
    for container in [&mut own, &mut release] {
        set(container, "Environment", environment.clone());
        set(container, "Secrets", secrets.clone());
    }
    set(&mut own, "DependsOn", depends(&service.depends));
    let mut containers = vec![own];
    containers.extend(service.sidecars.iter().map(|sidecar| of_sidecar(service, sidecar)));
    let id = format!("{name}Task");
    definition(sheet, &id, service, &service.name, containers);
    if services::holds(manifest) {
        // Services run the earlier one until the release commands have succeeded, and again if the move to the new one fails.
        sheet.attribute(&id, "UpdateReplacePolicy", "Retain");
        sheet.attribute(&id, "DeletionPolicy", "Delete");
    }
    if let Some(command) = &service.release {
        release["Command"] = json!(command);
        release["LogConfiguration"]["Options"]["awslogs-stream-prefix"] = "release".into();
        definition(
            sheet,
            &format!("{name}ReleaseTask"),
            service,
            &format!("{}-release", service.name),
            vec![release],
        );
    }
}

fn definition(sheet: &mut Sheet, id: &str, service: &Service, family: &str, containers: Vec<Value>) {
    let name = pascal(&service.name);
    sheet.add(
        id,
        "AWS::ECS::TaskDefinition",
        json!({
            "Family": sub(format!("${{AWS::StackName}}-{family}")),
            "RequiresCompatibilities": ["FARGATE"],
            "NetworkMode": "awsvpc",
            "Cpu": service.size.cpu.to_string(),
            "Memory": service.size.memory_mib.to_string(),
            "ExecutionRoleArn": get_att(&format!("{name}ExecutionRole"), "Arn"),
            "TaskRoleArn": get_att(&format!("{name}Role"), "Arn"),
            "ContainerDefinitions": containers,
        }),
    );
}

fn container(service: &Service, name: &str, image: &Value, stream_prefix: &str) -> Value {
    json!({
        "Name": name,
        "Image": image,
        "Essential": true,
        "LogConfiguration": {"LogDriver": "awslogs", "Options": {
            "awslogs-group": reference(&format!("{}Logs", pascal(&service.name))),
            "awslogs-region": reference("AWS::Region"),
            "awslogs-stream-prefix": stream_prefix,
        }},
    })
}

fn of_sidecar(service: &Service, sidecar: &Sidecar) -> Value {
    let image = reference(&sidecar_parameter(service, sidecar));
    let mut own = container(service, &sidecar.name, &image, &service.name);
    own["Essential"] = sidecar.essential.into();
    if let Some(command) = &sidecar.command {
        own["Command"] = json!(command);
    }
    let variable = |(name, value)| json!({"Name": name, "Value": value});
    set(&mut own, "Environment", sidecar.env.iter().map(variable).collect());
    set(&mut own, "DependsOn", depends(&sidecar.depends));
    own
}

fn depends(all: &[Dependency]) -> Vec<Value> {
    let condition = |until| match until {
        Until::Started => "START",
        Until::Completed => "COMPLETE",
        Until::Succeeded => "SUCCESS",
    };
    all.iter().map(|d| json!({"ContainerName": d.container, "Condition": condition(d.until)})).collect()
}

/// The variables and the secrets of a service's container.
fn variables_of(manifest: &Manifest, service: &Service) -> (Vec<Value>, Vec<Value>) {
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
    (environment, secrets)
}

/// Sets a list that may be absent but not empty.
fn set(container: &mut Value, name: &str, items: Vec<Value>) {
    if !items.is_empty() {
        container[name] = items.into();
    }
}

/// The ARN of an application's own secret, without the six characters that Secrets Manager adds, for `Fn::Sub`.
pub(super) fn secret_arn(manifest: &Manifest, name: &str) -> String {
    let place = "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}";
    format!("{place}:secret:{}/${{Environment}}/{name}", manifest.app)
}
