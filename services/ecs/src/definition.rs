//! Checks that a task definition can run on Fargate.
//!
//! Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html>

use crate::{Error, choices::RequestedProtocol};
use escale_base::{AwsError, Wire, wire::Value};
use escale_tables::ecs::{
    ApplicationProtocol, ContainerCondition, ContainerDefinition, ContainerName, Dependency,
    EphemeralStorage, HealthCheck, KeyValue, LinuxParameters, LogConfiguration, LogDriver, MountPoint,
    PortMapping, RepositoryCredentials, SecretRef, TransportProtocol, Ulimit, VersionConsistency, VolumeFrom,
    VolumeName,
};
use std::collections::{BTreeMap, BTreeSet};

/// A container definition in a request.
#[derive(Clone, Debug, Wire)]
#[wire(camelCase)]
pub(crate) struct ContainerInput {
    pub name: Option<ContainerName>,
    pub image: Option<String>,
    repository_credentials: Option<RepositoryCredentials>,
    cpu: Option<i32>,
    memory: Option<i32>,
    memory_reservation: Option<i32>,
    port_mappings: Vec<PortInput>,
    essential: Option<bool>,
    entry_point: Vec<String>,
    command: Vec<String>,
    environment: Vec<KeyValue>,
    mount_points: Vec<MountPoint>,
    volumes_from: Vec<VolumeFrom>,
    linux_parameters: Option<LinuxParameters>,
    secrets: Vec<SecretRef>,
    depends_on: Vec<Dependency>,
    start_timeout: Option<i32>,
    stop_timeout: Option<i32>,
    version_consistency: Option<VersionConsistency>,
    user: Option<String>,
    working_directory: Option<String>,
    readonly_root_filesystem: Option<bool>,
    privileged: Option<bool>,
    interactive: Option<bool>,
    pseudo_terminal: Option<bool>,
    docker_labels: BTreeMap<String, String>,
    ulimits: Vec<Ulimit>,
    log_configuration: Option<LogConfiguration>,
    health_check: Option<HealthCheck>,
    system_controls: Vec<Value>,
}

#[derive(Clone, Debug, Wire)]
#[wire(camelCase)]
struct PortInput {
    container_port: Option<i32>,
    host_port: Option<i32>,
    protocol: Option<RequestedProtocol>,
    name: Option<String>,
    app_protocol: Option<ApplicationProtocol>,
}

/// CPU units and their memory sizes in MiB: from, to, step.
const SIZES: &[(u32, u32, u32, u32)] = &[
    (512, 1024, 4096, 1024),
    (1024, 2048, 8192, 1024),
    (2048, 4096, 16384, 1024),
    (4096, 8192, 30720, 1024),
    (8192, 16384, 61440, 4096),
    (16384, 32768, 122_880, 8192),
];

/// Parses CPU units and MiB (`256` and `512`, or `1 vCPU` and `2 GB`), and checks them against Fargate's table.
pub(crate) fn size(cpu: Option<&str>, memory: Option<&str>) -> Result<(u32, u32), Error> {
    let missing =
        |what| Error::Client(format!("Fargate requires that '{what}' be defined at the task level."));
    let cpu_units = number(cpu.ok_or_else(|| missing("cpu"))?, "vcpu").ok_or_else(|| {
        Error::Client(format!("Invalid 'cpu' setting for task: {}", cpu.unwrap_or_default()))
    })?;
    let memory_mib = number(memory.ok_or_else(|| missing("memory"))?, "gb").ok_or_else(|| {
        Error::Client(format!("Invalid 'memory' setting for task: {}", memory.unwrap_or_default()))
    })?;
    let fits = match cpu_units {
        // The only size whose memory values have no common step.
        256 => [512, 1024, 2048].contains(&memory_mib),
        _ => SIZES.iter().any(|(units, from, to, step)| {
            cpu_units == *units && (*from..=*to).contains(&memory_mib) && memory_mib % step == 0
        }),
    };
    if !fits {
        return Err(Error::Client(format!(
            "No Fargate configuration exists for given values: {cpu_units} CPU, {memory_mib} memory. See the Amazon \
             ECS documentation for the valid values."
        )));
    }
    Ok((cpu_units, memory_mib))
}

/// Source: <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_EphemeralStorage.html>
pub(crate) fn check_storage(storage: Option<&EphemeralStorage>) -> Result<(), Error> {
    match storage {
        Some(storage) if !(21..=200).contains(&storage.size_gib) => Err(Error::Client(format!(
            "Invalid 'ephemeralStorage.sizeInGiB' setting for task: {}. It must be between 21 and 200.",
            storage.size_gib
        ))),
        _ => Ok(()),
    }
}

/// A plain number, or a number with a unit that is worth 1024.
fn number(text: &str, unit: &str) -> Option<u32> {
    let text = text.trim().to_ascii_lowercase();
    match text.strip_suffix(unit) {
        Some(number) => {
            let value: f64 = number.trim().parse().ok()?;
            Some((value * 1024.0).round() as u32)
        }
        None => text.parse().ok(),
    }
}

/// Checks all containers and fills in AWS's defaults.
pub(crate) fn containers(
    inputs: Vec<ContainerInput>,
    volumes: &[VolumeName],
    has_execution_role: bool,
    (cpu, memory): (u32, u32),
) -> Result<Vec<ContainerDefinition>, Error> {
    if inputs.is_empty() || inputs.len() > 10 {
        return Err(Error::Client(
            "A task definition must have between 1 and 10 container definitions.".into(),
        ));
    }
    let all: Vec<ContainerDefinition> = inputs
        .into_iter()
        .map(|input| container(input, volumes, has_execution_role))
        .collect::<Result<_, _>>()?;
    let mut names = BTreeSet::new();
    for c in &all {
        if !names.insert(c.name.as_str()) {
            return Err(Error::Client(format!("Container definitions have the same name '{}'.", c.name)));
        }
    }
    if !all.iter().any(|c| c.essential) {
        return Err(Error::Client("A task definition needs at least one essential container.".into()));
    }
    let sum = |of: fn(&ContainerDefinition) -> i32| all.iter().map(|c| i64::from(of(c))).sum::<i64>();
    if sum(|c| c.cpu) > i64::from(cpu) {
        return Err(Error::Client(
            "The 'cpu' of all containers together is above the 'cpu' of the task.".into(),
        ));
    }
    // As on AWS, a reservation counts instead of the limit: a container may exceed it while memory is free.
    if sum(|c| c.memory_reservation.or(c.memory).unwrap_or(0)) > i64::from(memory) {
        return Err(Error::Client(
            "Invalid setting for container. The memory of all containers together is above the task's."
                .into(),
        ));
    }
    check_dependencies(&all)?;
    check_ports(&all)?;
    Ok(all)
}

fn container(
    c: ContainerInput,
    volumes: &[VolumeName],
    has_execution_role: bool,
) -> Result<ContainerDefinition, Error> {
    let missing = |what| Error::Client(format!("Container.{what} should not be null or empty."));
    let name = c.name.clone().filter(|n| !n.is_empty()).ok_or_else(|| missing("name"))?;
    crate::rules::check_name("Container.name", &name)?;
    let image = c.image.clone().filter(|n| !n.is_empty()).ok_or_else(|| missing("image"))?;
    let bad = |what: String| Error::Client(format!("Container '{name}': {what}"));
    refuse_unsupported(&c, &bad)?;
    if !has_execution_role {
        crate::rules::need_no_execution_role(!c.secrets.is_empty(), c.log_configuration.is_some())?;
    }
    if let Some(login) = &c.repository_credentials {
        check_login(login, has_execution_role).map_err(&bad)?;
    }
    for secret in &c.secrets {
        crate::secrets::parse(&secret.value_from).map_err(&bad)?;
    }
    for mount in &c.mount_points {
        if !volumes.contains(&mount.source_volume) {
            return Err(bad(format!("Unknown volume '{}'.", mount.source_volume)));
        }
    }
    if let Some(log) = &c.log_configuration {
        check_log(log).map_err(&bad)?;
    }
    if let Some(check) = &c.health_check {
        check_health(check).map_err(&bad)?;
    }
    if c.stop_timeout.is_some_and(|t| !(0..=120).contains(&t)) {
        return Err(bad("stopTimeout can be at most 120 seconds on Fargate.".into()));
    }
    if c.start_timeout.is_some_and(|t| !(2..=120).contains(&t)) {
        return Err(bad("startTimeout must be between 2 and 120 seconds on Fargate.".into()));
    }
    let port_mappings = c.port_mappings.into_iter().map(|p| port(p, &name)).collect::<Result<_, _>>()?;
    let list = |l: Vec<String>| (!l.is_empty()).then_some(l);
    Ok(ContainerDefinition {
        image,
        repository_credentials: c.repository_credentials,
        cpu: c.cpu.unwrap_or(0),
        memory: c.memory,
        memory_reservation: c.memory_reservation,
        port_mappings,
        essential: c.essential.unwrap_or(true),
        entry_point: list(c.entry_point),
        command: list(c.command),
        environment: c.environment,
        mount_points: c.mount_points,
        volumes_from: c.volumes_from,
        linux_parameters: c.linux_parameters,
        secrets: (!c.secrets.is_empty()).then_some(c.secrets),
        depends_on: (!c.depends_on.is_empty()).then_some(c.depends_on),
        start_timeout: c.start_timeout,
        stop_timeout: c.stop_timeout,
        version_consistency: c.version_consistency,
        user: c.user,
        working_directory: c.working_directory,
        readonly_root_filesystem: c.readonly_root_filesystem,
        docker_labels: (!c.docker_labels.is_empty()).then_some(c.docker_labels),
        ulimits: (!c.ulimits.is_empty()).then_some(c.ulimits),
        log_configuration: c.log_configuration,
        health_check: c.health_check,
        system_controls: Vec::new(),
        name,
    })
}

/// Refuses parameters that Fargate does not have or that Escale does not enact.
fn refuse_unsupported(c: &ContainerInput, bad: &dyn Fn(String) -> Error) -> Result<(), Error> {
    if c.privileged == Some(true) {
        return Err(bad("Fargate does not support privileged containers.".into()));
    }
    let unsupported = [
        (!c.system_controls.is_empty(), "systemControls"),
        (c.interactive == Some(true), "interactive: true"),
        (c.pseudo_terminal == Some(true), "pseudoTerminal: true"),
        (
            c.linux_parameters.as_ref().is_some_and(|l| l.init_process_enabled == Some(true)),
            "linuxParameters.initProcessEnabled: true",
        ),
    ];
    for (is_set, what) in unsupported {
        if is_set {
            return Err(AwsError::not_supported(format_args!("The container parameter {what}")).into());
        }
    }
    let added = c.linux_parameters.iter().flat_map(|l| &l.capabilities).flat_map(|c| &c.add);
    for capability in added {
        if capability != "SYS_PTRACE" {
            return Err(bad(format!(
                "On Fargate, SYS_PTRACE is the only capability that can be added, not {capability}."
            )));
        }
    }
    Ok(())
}

fn check_login(login: &RepositoryCredentials, has_execution_role: bool) -> Result<(), String> {
    if !has_execution_role {
        return Err(
            "repositoryCredentials needs a value for 'executionRoleArn': the role reads the secret.".into()
        );
    }
    if crate::secrets::is_secret(&login.credentials_parameter) {
        return Ok(());
    }
    Err(format!(
        "repositoryCredentials.credentialsParameter must be the ARN or the name of a secret in Secrets Manager, not '{}'.",
        login.credentials_parameter
    ))
}

fn port(p: PortInput, container: &str) -> Result<PortMapping, Error> {
    let bad = |what: String| Error::Client(format!("Container '{container}': {what}"));
    let port = p.container_port.ok_or_else(|| bad("A port mapping has no containerPort.".into()))?;
    if !(1..=65535).contains(&port) {
        return Err(bad(format!("containerPort {port} is not between 1 and 65535.")));
    }
    if p.host_port.is_some_and(|h| h != port && h != 0) {
        return Err(bad(
            "When networkMode=awsvpc, the host ports and container ports in port mappings must match.".into(),
        ));
    }
    Ok(PortMapping {
        container_port: port,
        host_port: port,
        protocol: p.protocol.map_or(TransportProtocol::Tcp, |p| p.0),
        name: p.name,
        app_protocol: p.app_protocol,
    })
}

fn check_ports(all: &[ContainerDefinition]) -> Result<(), Error> {
    // The containers of a task share one network namespace, so two of them cannot listen on the same port.
    let mut taken = BTreeSet::new();
    for mapping in all.iter().flat_map(|c| &c.port_mappings) {
        if !taken.insert((mapping.container_port, mapping.protocol)) {
            return Err(Error::Client(format!(
                "Two containers of the task use the port {}.",
                mapping.container_port
            )));
        }
    }
    Ok(())
}

fn check_log(log: &LogConfiguration) -> Result<(), String> {
    const KNOWN: [&str; 6] = [
        "awslogs-group",
        "awslogs-region",
        "awslogs-stream-prefix",
        "awslogs-create-group",
        "mode",
        "max-buffer-size",
    ];
    if log.log_driver != LogDriver::Awslogs {
        return Err(format!("The log driver '{}' is not supported. Use awslogs.", log.log_driver));
    }
    for needed in ["awslogs-group", "awslogs-region", "awslogs-stream-prefix"] {
        if !log.options.contains_key(needed) {
            return Err(format!("Log driver awslogs requires options: {needed}"));
        }
    }
    match log.options.keys().find(|k| !KNOWN.contains(&k.as_str())) {
        Some(other) => Err(format!("The log option '{other}' is not supported.")),
        None => Ok(()),
    }
}

fn check_health(check: &HealthCheck) -> Result<(), String> {
    match check.command.first().map(String::as_str) {
        Some("CMD" | "CMD-SHELL") if check.command.len() > 1 => {}
        Some("NONE") => {}
        _ => {
            return Err("healthCheck.command must start with CMD or CMD-SHELL, followed by a command.".into());
        }
    }
    let ranges = [
        ("interval", check.interval, 5, 300),
        ("timeout", check.timeout, 2, 120),
        ("retries", check.retries, 1, 10),
        ("startPeriod", check.start_period, 0, 300),
    ];
    for (name, value, from, to) in ranges {
        if value.is_some_and(|v| !(from..=to).contains(&v)) {
            return Err(format!("healthCheck.{name} must be between {from} and {to}."));
        }
    }
    Ok(())
}

fn check_dependencies(all: &[ContainerDefinition]) -> Result<(), Error> {
    let none = Vec::new();
    for c in all {
        for d in c.depends_on.as_ref().unwrap_or(&none) {
            let bad = |what: &str| Error::Client(format!("Container '{}': {what}", c.name));
            let other = all.iter().find(|o| o.name == d.container_name);
            let other = other
                .ok_or_else(|| bad("dependsOn names a container that is not in the task definition."))?;
            match d.condition {
                ContainerCondition::Start => {}
                ContainerCondition::Complete | ContainerCondition::Success if other.essential => {
                    // The task stops when an essential container exits, so the dependent container would never start.
                    return Err(bad("dependsOn cannot wait for an essential container to exit."));
                }
                ContainerCondition::Complete | ContainerCondition::Success => {}
                ContainerCondition::Healthy if other.health_check.is_none() => {
                    return Err(bad("dependsOn HEALTHY needs a healthCheck in the other container."));
                }
                ContainerCondition::Healthy => {}
            }
        }
    }
    for c in all {
        let missing = c.volumes_from.iter().find(|v| !all.iter().any(|o| o.name == v.source_container));
        if let Some(missing) = missing {
            return Err(Error::Client(format!(
                "Container '{}': volumesFrom names the container '{}', which is not in the task definition.",
                c.name, missing.source_container
            )));
        }
    }
    // A topological sort. It is quadratic, but a task has at most ten containers.
    let mut done: BTreeSet<&str> = BTreeSet::new();
    while done.len() < all.len() {
        let free = all.iter().find(|c| {
            let on = c.depends_on.as_ref().unwrap_or(&none).iter().map(|d| &d.container_name);
            let mut needed = on.chain(c.volumes_from.iter().map(|v| &v.source_container));
            !done.contains(c.name.as_str()) && needed.all(|other| done.contains(other.as_str()))
        });
        match free {
            Some(c) => done.insert(&c.name),
            None => {
                return Err(Error::Client("The dependencies between the containers form a cycle.".into()));
            }
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn accepts_fargate_sizes_only() {
        for (cpu, memory, fits) in [
            ("256", "512", true),
            ("256", "4096", false),
            (".25 vCPU", "0.5 GB", true),
            ("1 vCPU", "2GB", true),
            ("1024", "1024", false),
            ("2048", "4608", false),
            ("8192", "20480", true),
            ("8192", "17408", false),
            ("300", "512", false),
        ] {
            assert_eq!(size(Some(cpu), Some(memory)).is_ok(), fits, "{cpu} {memory}");
        }
        assert!(size(None, Some("512")).is_err());
    }

    fn check(list: serde_json::Value) -> Result<Vec<ContainerDefinition>, String> {
        let inputs: Vec<ContainerInput> = Wire::read(&list).map_err(|e| e.to_string())?;
        containers(inputs, &["scratch".into()], true, (256, 512)).map_err(|e| e.to_string())
    }

    #[test]
    fn fills_in_defaults_of_aws() {
        let all = check(json!([{"name": "web", "image": "web:1", "portMappings": [{"containerPort": 80}]}]))
            .unwrap();
        assert!(all[0].essential);
        let port = &all[0].port_mappings[0];
        assert_eq!((port.container_port, port.host_port, port.protocol), (80, 80, TransportProtocol::Tcp));
    }

    #[test]
    fn protocol_http_means_tcp() {
        for (protocol, expected) in
            [("tcp", Some("tcp")), ("udp", Some("udp")), ("http", Some("tcp")), ("HTTP", None)]
        {
            let ports = json!([{"containerPort": 80, "protocol": protocol}]);
            let all = check(json!([{"name": "web", "image": "web:1", "portMappings": ports}]));
            assert_eq!(all.ok().map(|all| all[0].port_mappings[0].protocol.as_str()), expected, "{protocol}");
        }
    }

    #[test]
    fn refuses_invalid_containers() {
        for (list, why) in [
            (json!([]), "between 1 and 10"),
            (json!([{"name": "a"}]), "image should not be null"),
            (json!([{"name": "a", "image": "x", "essential": false}]), "essential"),
            (json!([{"name": "a", "image": "x"}, {"name": "a", "image": "x"}]), "same name"),
            (json!([{"name": "a", "image": "x", "cpu": 512}]), "above the 'cpu'"),
            (json!([{"name": "a", "image": "x", "memory": 1024}]), "memory of all"),
            (json!([{"name": "a", "image": "x", "privileged": true}]), "privileged"),
            (
                json!([{"name": "a", "image": "x", "mountPoints": [{"sourceVolume": "no", "containerPath": "/x"}]}]),
                "volume",
            ),
            (
                json!([{"name": "a", "image": "x", "dependsOn": [{"containerName": "a", "condition": "START"}]}]),
                "cycle",
            ),
            (json!([{"name": "a", "image": "x", "volumesFrom": [{"sourceContainer": "b"}]}]), "volumesFrom"),
            (json!([{"name": "a", "image": "x", "volumesFrom": [{"sourceContainer": "a"}]}]), "cycle"),
            (
                json!([{"name": "a", "image": "x", "logConfiguration": {"logDriver": "splunk", "options": {}}}]),
                "splunk",
            ),
            (
                json!([{"name": "a", "image": "x", "portMappings": [{"containerPort": 80, "hostPort": 81}]}]),
                "must match",
            ),
            (
                json!([{"name": "a", "image": "x", "secrets": [{"name": "S", "valueFrom": "arn:aws:s3:::x"}]}]),
                "valueFrom",
            ),
        ] {
            let error = check(list.clone()).unwrap_err();
            assert!(error.contains(why), "{list}: {error}");
        }
    }
}
