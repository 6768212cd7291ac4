//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html>

use crate::{
    Error,
    choices::LaunchType,
    definition,
    place::{self, NewTask},
    rules, shapes,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ecs::{CapacityProvider, Overrides, PropagateTags, Task, TaskDefinition};
use std::sync::Arc;

fn tasks_of(tasks: &[shapes::TaskShape], provider: CapacityProvider) -> i32 {
    tasks.iter().filter(|t| t.capacity_provider_name == Some(provider)).count() as i32
}

fn check_overrides(overrides: &Overrides, row: &TaskDefinition) -> Result<(), Error> {
    definition::check_storage(overrides.ephemeral_storage.as_ref())?;
    for c in &overrides.container_overrides {
        if !row.containers.iter().any(|d| d.name == c.name) {
            return Err(Error::Invalid(format!(
                "Override for container named {} is not a container in the TaskDefinition.",
                c.name
            )));
        }
    }
    let (cpu, memory) = (row.cpu.to_string(), row.memory_mib.to_string());
    let cpu = overrides.cpu.as_deref().unwrap_or(&cpu);
    definition::size(Some(cpu), Some(overrides.memory.as_deref().unwrap_or(&memory))).map(|_| ())
}

pub(crate) struct RunTask;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    cluster: Option<String>,
    task_definition: String,
    count: Option<i32>,
    launch_type: Option<LaunchType>,
    capacity_provider_strategy: Vec<rules::StrategyInput>,
    platform_version: Option<String>,
    network_configuration: Option<shapes::NetworkShape>,
    overrides: Option<Overrides>,
    group: Option<String>,
    started_by: Option<String>,
    tags: Vec<rules::TagShape>,
    #[wire("enableECSManagedTags")]
    managed_tags: Option<bool>,
    propagate_tags: Option<PropagateTags>,
    enable_execute_command: Option<bool>,
    client_token: Option<String>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    tasks: Vec<shapes::TaskShape>,
    failures: Vec<rules::Failure>,
}

impl Operation for RunTask {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::definition_resource(cx, &input.task_definition)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let cluster = rules::cluster(cx.tx, input.cluster.as_deref())?;
        let definition = rules::active_definition(cx.tx, &input.task_definition)?;
        let own = input.overrides.as_ref();
        let task_role = own.and_then(|o| o.task_role_arn.as_ref()).or(definition.task_role.as_ref());
        let execution_role =
            own.and_then(|o| o.execution_role_arn.as_ref()).or(definition.execution_role.as_ref());
        rules::may_pass(cx, [task_role, execution_role].into_iter().flatten())?;
        // A repeated request with the same token gets the tasks that the first one started.
        if let Some(token) = &input.client_token {
            let same = |t: &Arc<Task>| t.client_token.as_ref() == Some(token) && t.cluster == cluster.name;
            let existing: Vec<Arc<Task>> = cx.tx.scan::<Task>().filter(same).collect();
            if !existing.is_empty() {
                let shape = |t| shapes::task(cx.tx, cx.config, t, true);
                return Ok(Output { tasks: existing.into_iter().map(shape).collect(), failures: Vec::new() });
            }
        }
        let count = input.count.unwrap_or(1);
        if !(1..=10).contains(&count) {
            return Err(Error::Invalid("count must be between 1 and 10.".into()));
        }
        let strategy = super::strategy(input.launch_type, input.capacity_provider_strategy, &cluster)?;
        let platform_version = rules::platform_version(input.platform_version.as_deref())?;
        let network = input.network_configuration.and_then(|n| n.awsvpc_configuration).ok_or_else(|| {
            Error::Invalid(
                "Network Configuration must be provided when networkMode 'awsvpc' is specified.".into(),
            )
        })?;
        let overrides = input.overrides.unwrap_or_default();
        check_overrides(&overrides, &definition)?;
        let mut tags = match input.propagate_tags {
            Some(PropagateTags::TaskDefinition) => definition.tags.clone(),
            None | Some(PropagateTags::None) => Vec::new(),
            Some(other @ PropagateTags::Service) => {
                return Err(Error::Invalid(format!(
                    "RunTask accepts propagateTags TASK_DEFINITION or NONE, not {other}."
                )));
            }
        };
        escale_base::tags::merge(&mut tags, rules::tags_in(input.tags));
        let mut tasks = Vec::new();
        for _ in 0..count {
            let of = |provider| tasks_of(&tasks, provider);
            let new = NewTask {
                cluster: &cluster.name,
                definition: &definition,
                network: &network,
                group: input.group.clone().unwrap_or_else(|| format!("family:{}", definition.family)),
                started_by: input.started_by.clone(),
                service: None,
                capacity_provider: rules::next_provider(&strategy, of),
                platform_version,
                overrides: overrides.clone(),
                tags: tags.clone(),
                managed_tags: input.managed_tags == Some(true),
                execute_command: input.enable_execute_command == Some(true),
                client_token: input.client_token.clone(),
            };
            let task = place::place(cx, new)?;
            tasks.push(shapes::task(cx.tx, cx.config, Arc::new(task), true));
        }
        Ok(Output { tasks, failures: Vec::new() })
    }
}
