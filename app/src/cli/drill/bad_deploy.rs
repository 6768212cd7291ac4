//! A deployment that cannot work: a new revision of a task definition whose image does not exist, or whose health checks fail. The
//! circuit breaker must undo it.

use super::{
    super::{application::Application, client::Client, tasks},
    Defect,
};
use anyhow::{Context, Result};
use serde_json::{Value, json};

/// A tag that nobody gives an image.
const MISSING: &str = "escale-drill-missing";

/// Members of a described task definition that a registration does not have.
const DERIVED: [&str; 8] = [
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "registeredBy",
    "deregisteredAt",
];

pub(super) struct BadDeploy {
    client: Client,
    application: Application,
    service: String,
    good: String,
    bad: String,
}

impl BadDeploy {
    pub(super) async fn start(
        client: &Client,
        application: &Application,
        service: &str,
        defect: Defect,
    ) -> Result<BadDeploy> {
        let found = tasks::service(client, application, service).await?;
        let good = found["taskDefinition"].as_str().context("the service has no task definition")?.to_owned();
        let described = client.json("ecs", "DescribeTaskDefinition", json!({"taskDefinition": good})).await?;
        let mut definition = described["taskDefinition"].clone();
        if let Some(members) = definition.as_object_mut() {
            members.retain(|name, value| !DERIVED.contains(&name.as_str()) && is_set(value));
        }
        for container in definition["containerDefinitions"].as_array_mut().into_iter().flatten() {
            if let Some(members) = container.as_object_mut() {
                members.retain(|_, value| is_set(value));
            }
            match defect {
                Defect::MissingImage => {
                    let image = container["image"].as_str().unwrap_or_default();
                    container["image"] = Value::String(missing(image));
                }
                Defect::Unhealthy => container["healthCheck"] = failing(),
            }
        }
        let registered = client.json("ecs", "RegisterTaskDefinition", definition).await?;
        let bad = registered["taskDefinition"]["taskDefinitionArn"].as_str().context("no ARN")?.to_owned();
        let update = json!({"cluster": application.stack, "service": service, "taskDefinition": bad});
        client.json("ecs", "UpdateService", update).await?;
        let (client, application) = (client.clone(), application.clone());
        Ok(BadDeploy { client, application, service: service.to_owned(), good, bad })
    }

    /// Whether the service is back at the revision before.
    pub(super) async fn is_undone(&self) -> Result<bool> {
        let found = tasks::service(&self.client, &self.application, &self.service).await?;
        let deployments = found["deployments"].as_array().map_or(0, Vec::len);
        Ok(found["taskDefinition"] == self.good.as_str()
            && deployments == 1
            && found["deployments"][0]["rolloutState"] == "COMPLETED")
    }

    /// Removes the broken revision; returns to the good one first if the circuit breaker did not.
    pub(super) async fn end(&self) -> Result<()> {
        let found = tasks::service(&self.client, &self.application, &self.service).await?;
        if found["taskDefinition"] == self.bad.as_str() {
            let update = json!({"cluster": self.application.stack, "service": self.service, "taskDefinition": self.good});
            self.client.json("ecs", "UpdateService", update).await?;
        }
        let bad = json!({"taskDefinition": self.bad});
        self.client.json("ecs", "DeregisterTaskDefinition", bad).await.map(drop)
    }
}

/// A description lists members that the registration did not have, as empty lists.
fn is_set(value: &Value) -> bool {
    !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty())
}

/// A health check that no container passes, with ECS's shortest periods. In an image without a shell its command fails as well.
fn failing() -> Value {
    json!({"command": ["CMD-SHELL", "exit 1"], "interval": 5, "timeout": 2, "retries": 1})
}

/// The same repository, with a tag that it does not have.
fn missing(image: &str) -> String {
    let repository = image.split_once('@').map_or(image, |(before, _)| before);
    // A colon before the last slash belongs to the port of the registry.
    let at = repository.rfind('/').unwrap_or(0);
    let end = repository[at..].find(':').map_or(repository.len(), |colon| at + colon);
    format!("{}:{MISSING}", &repository[..end])
}

#[cfg(test)]
mod tests {
    use super::missing;

    #[test]
    fn missing_image_is_in_the_same_repository() {
        for (image, repository) in [
            ("127.0.0.1:5000/shop/web:1", "127.0.0.1:5000/shop/web"),
            ("127.0.0.1:5000/shop/web@sha256:00", "127.0.0.1:5000/shop/web"),
            ("127.0.0.1:5000/shop/web:1@sha256:00", "127.0.0.1:5000/shop/web"),
            ("web", "web"),
        ] {
            assert_eq!(missing(image), format!("{repository}:escale-drill-missing"), "{image}");
        }
    }
}
