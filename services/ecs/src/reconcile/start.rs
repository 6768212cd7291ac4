//! Starts a task: images, log streams, secrets, then the containers.

use super::{
    group::{self, Parts},
    network_path::{self, Needs},
    pull::Puller,
    service,
    task::progress_of,
};
use crate::{Planes, calls, secrets, status::Known};
use escale_base::{AwsError, ErrorKind, Secret, Wire, error::Fault};
use escale_engine::StepError;
use escale_requests::{
    logs::{CreateLogGroup, CreateLogStream},
    secretsmanager::GetSecretValue,
    ssm::GetParameters,
};
use escale_service::{Caller, Cloud, Request};
use escale_store::{Row, Store, Tx};
use escale_tables::{
    ec2::{InterfaceSeen, Vpc},
    ecs::{ContainerDefinition, Service, Task, TaskDefinition},
};
use serde_json::Value;
use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

/// Why a task did not start: permanently, with AWS's message for `stoppedReason`; or temporarily, so that the engine tries again.
pub(crate) enum Problem {
    Failed(String),
    Retry(StepError),
}

pub(crate) struct Starter<'a> {
    pub store: &'a Store,
    pub cloud: &'a Arc<Cloud>,
    pub planes: &'a Planes,
    pub puller: &'a Puller,
}

impl Starter<'_> {
    /// Starts the containers. Idempotent: containers that exist already are left alone.
    pub(crate) async fn start(&self, id: &str) -> Result<(), StepError> {
        let started_at = self.cloud.clock.now();
        let done = self.try_start(id).await;
        let now = self.cloud.clock.now();
        let done = match done {
            Ok(images) => Ok(images),
            Err(Problem::Failed(why)) => Err(why),
            Err(Problem::Retry(error)) => return Err(error),
        };
        self.store.write(|tx| {
            let mut row = progress_of(tx, id);
            // A repetition after a crash keeps the first start.
            row.pull_started.get_or_insert(started_at);
            match &done {
                Ok(images) => {
                    row.images.clone_from(images);
                    row.pull_stopped = Some(now);
                    pin(tx, id, images);
                }
                Err(why) => {
                    row.failed = Some(why.clone());
                    let service = tx.get::<Task>(id).and_then(|t| t.service.as_ref().map(|s| s.key.clone()));
                    if let Some(key) = service {
                        service::add_event(tx, now, &key, &format!("(task {id}) failed to start: {why}"));
                    }
                }
            }
            tx.put(row);
            Ok::<_, StepError>(())
        })
    }

    async fn try_start(&self, id: &str) -> Result<BTreeMap<String, String>, Problem> {
        let missing = |what: &str| Problem::Retry(StepError::new(format!("the task has no {what}")));
        let (known, definition, seen, vpc) = {
            let image = self.store.read();
            let known = Known::find(&image, id).ok_or_else(|| missing("row"))?;
            let definition = known.definition.clone().ok_or_else(|| missing("definition"))?;
            let interface = known.task.interface.as_str();
            let seen = image.get::<InterfaceSeen>(interface).ok_or_else(|| missing("interface"))?;
            let vpc = image.get::<Vpc>(known.task.vpc.as_str()).ok_or_else(|| missing("VPC"))?;
            (known, definition, seen, vpc)
        };
        let exists = self.planes.containers.observe(id).is_some();
        if !exists {
            // Not after a crash: the first attempt had this check, and a running task must not fail for a later change of routes.
            let needs = Needs::of(&definition, &self.cloud.config);
            network_path::check(&*self.planes.network, &self.cloud.config, &known.task, &needs).await?;
        }
        let images = tokio::select! {
            // In this order, so that a simulation with the same seed takes the same branch.
            biased;
            images = self.resolve(&known, &definition) => images?,
            // A large image takes minutes, and a task that is no longer wanted should not wait for it.
            () = self.until_stopping(id) => return Err(Problem::Retry(StepError::new("the task stops"))),
        };
        if exists {
            // The plane refuses another spec under the same id, and the values of secrets may have changed since the first start.
            return Ok(images);
        }
        self.log_streams(&known, &definition).await?;
        let secrets = self.secrets(&known, &definition).await?;
        let namespace: PathBuf = seen.namespace.clone();
        let dns = group::dns(&self.store.read(), &vpc);
        let (config, ca_bundle) = (&self.cloud.config, &self.planes.ca_bundle);
        let parts = Parts { config, dns, namespace, ca_bundle, images: &images, secrets };
        let spec = group::spec(&known, &definition, &parts);
        match self.planes.containers.start(spec).await {
            Ok(()) => Ok(images),
            Err(e) if e.fault == Fault::Asked => {
                Err(Problem::Failed(format!("CannotCreateContainerError: {e}")))
            }
            Err(e) => Err(Problem::Retry(e.into())),
        }
    }

    /// Waits until the task has a reason to stop, or its row is gone.
    async fn until_stopping(&self, id: &str) {
        let mut changes = self.store.subscribe(&[Task::TABLE]);
        while Known::find(&self.store.read(), id).is_some_and(|known| !known.is_stopping()) {
            changes.changed().await;
        }
    }

    pub(super) fn execution_role(
        &self,
        known: &Known,
        definition: &TaskDefinition,
    ) -> Result<Option<Caller>, Problem> {
        let Some(arn) = group::execution_role_of(&known.task, definition) else { return Ok(None) };
        let caller = calls::as_role(&self.store.read(), arn, &known.task.id).map_err(Problem::Failed)?;
        Ok(Some(caller))
    }

    pub(super) fn arn(&self, service: &str, resource: String) -> String {
        let config = &self.cloud.config;
        escale_base::Arn::new(service, &config.region, &config.account, resource).to_string()
    }

    /// Creates the log streams before the containers, so that a missing log group fails the start.
    async fn log_streams(&self, known: &Known, definition: &TaskDefinition) -> Result<(), Problem> {
        let role = self.execution_role(known, definition)?;
        for c in &definition.containers {
            let Some((group, stream)) = super::logs::stream_of(c, &known.task.id) else { continue };
            let role = role.as_ref().ok_or_else(|| {
                Problem::Failed(
                    "ResourceInitializationError: the log driver awslogs needs an execution role".into(),
                )
            })?;
            let options = c.log_configuration.as_ref().map(|l| &l.options);
            let make_group = options.and_then(|o| o.get("awslogs-create-group")).is_some_and(|v| v == "true");
            let made = self.create_stream(role, &group, &stream, make_group).await;
            made.map_err(|e| {
                Problem::Failed(format!(
                    "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 \
                     times: failed to create Cloudwatch log stream: {e}"
                ))
            })?;
        }
        Ok(())
    }

    /// The execution role must allow all that ECS does with the log, including the later PutLogEvents.
    async fn create_stream(
        &self,
        role: &Caller,
        group: &str,
        stream: &str,
        make_group: bool,
    ) -> Result<(), AwsError> {
        let ignore_existing = |result: Result<(), AwsError>| match result {
            Err(e) if e.kind == ErrorKind::AlreadyExists => Ok(()),
            other => other,
        };
        let (log_group_name, log_stream_name) = (group.to_owned(), stream.to_owned());
        if make_group {
            let make = CreateLogGroup { log_group_name: log_group_name.clone() };
            ignore_existing(self.call(role, make).await)?;
        }
        let make = CreateLogStream { log_group_name, log_stream_name };
        let input = make.write();
        ignore_existing(self.call(role, make).await)?;
        // ECS later ships the lines under its own principal. Check here, as on AWS, that the role could have written them.
        let stream = self.arn("logs", format!("log-group:{group}:log-stream:{stream}"));
        let action = ("logs:PutLogEvents", "PutLogEvents");
        self.cloud.authorize_action(&self.store.read(), role, "logs", action, &input, &[stream], &[])
    }

    async fn secrets(
        &self,
        known: &Known,
        definition: &TaskDefinition,
    ) -> Result<BTreeMap<String, BTreeMap<String, Secret<String>>>, Problem> {
        let role = self.execution_role(known, definition)?;
        let mut all = BTreeMap::new();
        for c in &definition.containers {
            let mut values = BTreeMap::new();
            for secret in c.secrets.iter().flatten() {
                let role = role.as_ref().ok_or_else(|| {
                    Problem::Failed("ResourceInitializationError: secrets need an execution role".into())
                })?;
                let value = self.secret(role, &secret.value_from).await.map_err(|why| unreadable(c, &why))?;
                values.insert(secret.name.clone(), value);
            }
            all.insert(c.name.to_string(), values);
        }
        Ok(all)
    }

    pub(super) async fn call<R: Request>(&self, role: &Caller, request: R) -> Result<R::Answer, AwsError> {
        escale_service::request(self.cloud, self.store, role, request).await
    }

    async fn secret(&self, role: &Caller, value_from: &str) -> Result<Secret<String>, String> {
        match secrets::parse(value_from)? {
            secrets::Source::Parameter(name) => {
                let get = GetParameters { names: vec![name.clone()], with_decryption: true };
                let answer = self.call(role, get).await.map_err(|e| e.to_string())?;
                let parameter = answer.parameters.into_iter().next();
                parameter.map(|p| p.value).ok_or_else(|| format!("invalid ssm parameters: {name}"))
            }
            secrets::Source::Secret { id, key, stage, version } => {
                let get = GetSecretValue { secret_id: id.clone(), version_stage: stage, version_id: version };
                let answer = self.call(role, get).await.map_err(|e| e.to_string())?;
                let whole = answer.secret_string.ok_or_else(|| format!("{id} is binary, not text"))?;
                let Some(key) = key else { return Ok(whole) };
                let object: Value = serde_json::from_str(whole.reveal())
                    .map_err(|_| format!("invalid character: the value of {id} is not JSON"))?;
                match object.get(&key) {
                    Some(Value::String(s)) => Ok(Secret::new(s.clone())),
                    // A number, boolean or object becomes its JSON text.
                    Some(other) => Ok(Secret::new(other.to_string())),
                    None => {
                        Err(format!("retrieved secret from Secrets Manager did not contain json key {key}"))
                    }
                }
            }
        }
    }
}

/// Pins the digests of a deployment's images once one of its tasks has pulled them: later tasks run the same images, even if
/// their tags were moved.
///
/// Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html#deployment-container-image-stability>
fn pin(tx: &mut Tx, id: &str, images: &BTreeMap<String, String>) {
    let Some(of) = tx.get::<Task>(id).and_then(|task| task.service.clone()) else { return };
    let is_new = |s: &Service| s.deployments.iter().any(|d| d.id == of.deployment && d.images.is_empty());
    if tx.get::<Service>(&of.key).is_some_and(|s| is_new(&s)) {
        tx.update(&of.key, |s: &mut Service| {
            for deployment in s.deployments.iter_mut().filter(|d| d.id == of.deployment) {
                deployment.images.clone_from(images);
            }
        });
    }
}

fn unreadable(c: &ContainerDefinition, why: &str) -> Problem {
    Problem::Failed(format!(
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: \
         unable to retrieve secret of container {}: {why}",
        c.name
    ))
}
