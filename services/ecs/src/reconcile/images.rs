//! Resolves a task's images to digests, and pulls those of other registries.

use super::{
    pull::PullError,
    start::{Problem, Starter},
};
use crate::{
    image::{self, ImageSource},
    status::Known,
};
use escale_base::Secret;
use escale_engine::StepError;
use escale_requests::secretsmanager::GetSecretValue;
use escale_service::Caller;
use escale_tables::ecs::{ContainerDefinition, Service, TaskDefinition, VersionConsistency};
use escale_upstream::Credentials;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The IAM actions of a pull. `true` if the resource is the repository, `false` if it is `*`.
const PULL: [(&str, bool); 3] =
    [("ecr:GetAuthorizationToken", false), ("ecr:BatchGetImage", true), ("ecr:GetDownloadUrlForLayer", true)];

impl Starter<'_> {
    /// The digests of the images, by container, once their blobs are on this machine.
    pub(super) async fn resolve(
        &self,
        known: &Known,
        definition: &TaskDefinition,
    ) -> Result<BTreeMap<String, String>, Problem> {
        let role = self.execution_role(known, definition)?;
        let pinned = self.pinned(known);
        let mut images = BTreeMap::new();
        for c in &definition.containers {
            let mut source = image::parse(&c.image, &self.cloud.config).map_err(Problem::Failed)?;
            let is_pinned = c.version_consistency != Some(VersionConsistency::Disabled);
            if let Some(digest) = pinned.get(c.name.as_str()).filter(|_| is_pinned) {
                source = source.at(digest).map_err(Problem::Failed)?;
            }
            let digest = self.digest(role.as_ref(), c, source).await?;
            images.insert(c.name.to_string(), digest);
        }
        Ok(images)
    }

    /// The digests that the task's deployment uses, once one of its tasks has started.
    fn pinned(&self, known: &Known) -> BTreeMap<String, String> {
        let Some(of) = &known.task.service else { return BTreeMap::new() };
        let service = self.store.read().get::<Service>(&of.key);
        let deployment = service.as_ref().and_then(|s| s.deployments.iter().find(|d| d.id == of.deployment));
        deployment.map(|d| d.images.clone()).unwrap_or_default()
    }

    async fn digest(
        &self,
        role: Option<&Caller>,
        c: &ContainerDefinition,
        source: ImageSource,
    ) -> Result<String, Problem> {
        match source {
            ImageSource::Own { repository, reference } => {
                self.may_pull(role, &repository, &c.image)?;
                let digest = self.planes.registry.resolve(&repository, &reference).await;
                let digest =
                    digest.map_err(|e| Problem::Failed(image::unresolved(&c.image, &e.to_string())))?;
                Ok(digest.to_string())
            }
            ImageSource::Upstream { repository, reference } => {
                let credentials = self.credentials(role, c).await?;
                let pulled = self.puller.pull(&repository, &reference, credentials.as_ref()).await;
                pulled.map_err(|e| match e {
                    PullError::Failed(why) => Problem::Failed(why),
                    PullError::Plane(e) => {
                        Problem::Retry(StepError::new(format!("cannot pull {}: {e}", c.image)))
                    }
                })
            }
        }
    }

    /// The login of a private registry: a secret with `username` and `password`, which the execution role reads.
    ///
    /// Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/private-auth.html>
    async fn credentials(
        &self,
        role: Option<&Caller>,
        c: &ContainerDefinition,
    ) -> Result<Option<Credentials>, Problem> {
        let Some(named) = &c.repository_credentials else { return Ok(None) };
        let failed = |why: &str| {
            Problem::Failed(format!(
                "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable \
                 to retrieve the repository credentials of container {} from {}: {why}",
                c.name, named.credentials_parameter
            ))
        };
        let role = role.ok_or_else(|| failed("the task has no execution role"))?;
        let get = GetSecretValue {
            secret_id: named.credentials_parameter.clone(),
            version_stage: None,
            version_id: None,
        };
        let answer = self.call(role, get).await.map_err(|why| failed(&why.to_string()))?;
        let text = answer.secret_string.unwrap_or_default();
        let login: Value = serde_json::from_str(text.reveal()).unwrap_or_default();
        let part = |name: &str| login[name].as_str().filter(|part| !part.is_empty()).map(str::to_owned);
        match (part("username"), part("password")) {
            (Some(user), Some(password)) => Ok(Some(Credentials { user, password: Secret::new(password) })),
            _ => Err(failed("the secret must be a JSON object with the keys username and password")),
        }
    }

    fn may_pull(&self, role: Option<&Caller>, repository: &str, name: &str) -> Result<(), Problem> {
        let Some(role) = role else {
            return Err(Problem::Failed(format!(
                "CannotPullContainerError: {name}: a task that pulls from ECR needs an execution role; set \
                 executionRoleArn in the task definition"
            )));
        };
        let (arn, all) = ([self.arn("ecr", format!("repository/{repository}"))], ["*".to_owned()]);
        let input = json!({ "repositoryName": repository });
        let image = self.store.read();
        // The same actions that AmazonECSTaskExecutionRolePolicy allows for a pull.
        let mut decisions = PULL.iter().map(|(action, on_repository)| {
            let resources = if *on_repository { &arn } else { &all };
            let operation = action.trim_start_matches("ecr:");
            self.cloud.authorize_action(&image, role, "ecr", (action, operation), &input, resources, &[])
        });
        decisions.try_for_each(|allowed| allowed).map_err(|e| {
            Problem::Failed(format!(
                "CannotPullContainerError: pull image manifest has been retried 1 time(s): {}",
                e.message
            ))
        })
    }
}
