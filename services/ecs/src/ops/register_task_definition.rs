//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html>

use crate::{
    Error,
    choices::NetworkMode,
    definition::{self, ContainerInput},
    rules, shapes,
};
use escale_base::{AwsError, Wire};
use escale_service::{Cx, Operation};
use escale_tables::ecs::{
    Compatibility, CpuArchitecture, EphemeralStorage, Family, OsFamily, Platform, RoleReference,
    TaskDefinition, TaskFamily, VolumeName,
};

#[derive(Wire)]
#[wire(camelCase)]
struct Volume {
    name: VolumeName,
    host: Option<Host>,
}

/// Always empty on Fargate: a volume is scratch space of the task.
#[derive(Wire)]
#[wire(camelCase)]
struct Host {
    source_path: Option<String>,
}

fn check(input: &Input) -> Result<(), Error> {
    if input.network_mode != Some(NetworkMode::Awsvpc) {
        return Err(Error::Client("Fargate only supports network mode ‘awsvpc’.".into()));
    }
    let requires = &input.requires_compatibilities;
    if !requires.is_empty() && !requires.contains(&Compatibility::Fargate) {
        let what = requires.iter().map(|r| r.as_str()).collect::<Vec<_>>().join(", ");
        return Err(AwsError::not_supported(format_args!(
            "A task definition with requiresCompatibilities {what}"
        ))
        .hint("Add FARGATE.")
        .into());
    }
    if input.volumes.iter().any(|v| v.host.as_ref().is_some_and(|h| h.source_path.is_some())) {
        return Err(Error::Client("Fargate does not support a volume's host.sourcePath.".into()));
    }
    definition::check_storage(input.ephemeral_storage.as_ref())?;
    if let Some(platform) = &input.runtime_platform {
        let machine =
            if cfg!(target_arch = "aarch64") { CpuArchitecture::Arm64 } else { CpuArchitecture::X8664 };
        if let Some(other) = platform.cpu_architecture.filter(|a| *a != machine) {
            return Err(AwsError::not_supported(format_args!("The cpuArchitecture {other} on this machine"))
                .hint(format_args!("Use {machine}."))
                .into());
        }
        if platform.operating_system_family.is_some_and(|f| f != OsFamily::Linux) {
            return Err(AwsError::not_supported("An operatingSystemFamily other than LINUX")
                .hint("Use LINUX.")
                .into());
        }
    }
    Ok(())
}

pub(crate) struct RegisterTaskDefinition;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    family: Family,
    task_role_arn: Option<RoleReference>,
    execution_role_arn: Option<RoleReference>,
    network_mode: Option<NetworkMode>,
    container_definitions: Vec<ContainerInput>,
    volumes: Vec<Volume>,
    requires_compatibilities: Vec<Compatibility>,
    cpu: Option<String>,
    memory: Option<String>,
    ephemeral_storage: Option<EphemeralStorage>,
    runtime_platform: Option<Platform>,
    tags: Vec<rules::TagShape>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    pub(crate) task_definition: shapes::DefinitionShape,
    pub(crate) tags: Vec<rules::TagShape>,
}

impl Operation for RegisterTaskDefinition {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx.config, format!("task-definition/{}:*", input.family))]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let roles = [&input.task_role_arn, &input.execution_role_arn];
        rules::may_pass(cx, roles.into_iter().flatten())?;
        rules::check_name("family", &input.family)?;
        let size = definition::size(input.cpu.as_deref(), input.memory.as_deref())?;
        check(&input)?;
        let volumes: Vec<VolumeName> = input.volumes.into_iter().map(|v| v.name).collect();
        let has_role = input.execution_role_arn.is_some();
        let containers = definition::containers(input.container_definitions, &volumes, has_role, size)?;
        // The family's row outlives its definitions: a revision number is never used twice.
        let last = cx.tx.get::<TaskFamily>(&input.family).map_or(0, |f| f.last);
        let row = TaskDefinition {
            family: input.family.clone(),
            revision: last + 1,
            task_role: input.task_role_arn.filter(|r| !r.is_empty()),
            execution_role: input.execution_role_arn.filter(|r| !r.is_empty()),
            cpu: size.0,
            memory_mib: size.1,
            containers,
            volumes,
            ephemeral_gib: input.ephemeral_storage.map(|e| e.size_gib),
            platform: input.runtime_platform,
            requires: input.requires_compatibilities,
            registered: cx.now,
            registered_by: rules::caller_arn(cx),
            deregistered: None,
            delete_requested: None,
            tags: rules::tags_in(input.tags),
        };
        cx.tx.put(TaskFamily { name: input.family, last: last + 1 });
        cx.tx.put(row.clone());
        let tags = rules::tags_out(&row.tags);
        Ok(Output { task_definition: shapes::definition(cx.config, &row), tags })
    }
}
