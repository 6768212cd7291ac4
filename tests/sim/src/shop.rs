//! The reference application, as a user deploys it (repositories, images, the stack) and deletes it.

use crate::{client::Client, simulation::Simulation};
use anyhow::{Context, Result, anyhow, bail};
use escale_base::AwsError;
use escale_blueprint::{Manifest, Purpose, Template, registry_template, template};
use escale_containers::Behaviour;
use escale_registry::{Digest, Registry};
use futures_util::StreamExt;
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

const MANIFEST: &str = include_str!("../../../examples/shop/escale.yaml");
/// Any valid RSA key of 2048 bits: CloudFront checks it.
const PUBLIC_KEY: &str = include_str!("public_key.pem");

/// The interval and number of a user's polls: in all far longer than CloudFormation's longest timeout.
const POLL: Duration = Duration::from_secs(2);
const POLLS: usize = 20_000;

pub(crate) struct Shop {
    pub(crate) stack: String,
    pub(crate) registry_stack: String,
    registry_template: String,
    template: Template,
    repositories: BTreeMap<String, String>,
}

impl Shop {
    pub(crate) fn new() -> Result<Shop> {
        let manifest = Manifest::parse(MANIFEST, "escale.yaml")
            .and_then(|m| m.for_environment("local"))
            .map_err(|problems| anyhow!("{}", problems[0]))?;
        let template = template(&manifest).map_err(|problems| anyhow!("{}", problems[0]))?;
        let registry = registry_template(&manifest).context("the shop is built from source")?;
        let repositories = template
            .images
            .iter()
            .filter_map(|needed| Some((needed.service.clone(), needed.repository.clone()?)))
            .collect();
        Ok(Shop {
            stack: manifest.stack_name(),
            registry_stack: manifest.registry_stack_name(),
            registry_template: registry.to_json_min(),
            template,
            repositories,
        })
    }

    /// Creates the stack of the repositories, unless it exists.
    pub(crate) async fn create_registry(&self, client: &Client) -> Result<()> {
        create(client, &self.registry_stack, &self.registry_template, &[]).await
    }

    /// Pushes the images that do not exist yet.
    pub(crate) async fn push(&self, client: &Client, simulation: &Simulation) -> Result<()> {
        for (service, repository) in &self.repositories {
            let (manifest, config) = image_of(service);
            let digest = Digest::of(manifest.to_string().as_bytes());
            let config_digest = Digest::of(&config);
            simulation.containers.image(
                &digest.to_string(),
                Behaviour { lines: vec!["begins".into()], ..Behaviour::default() },
            );
            let ask = json!({"repositoryName": repository, "layerDigests": [config_digest.to_string()]});
            let known = client.call("ecr", "BatchCheckLayerAvailability", ask).await?;
            if known["layers"][0]["layerAvailability"] != "AVAILABLE" {
                let upload = simulation.registry.start_upload(repository).await?;
                let body = futures_util::stream::iter([Ok(config.into())]).boxed();
                simulation.registry.append(repository, &upload, None, body).await?;
                simulation.registry.finish_upload(repository, &upload, &config_digest).await?;
            }
            let put = json!({
                "repositoryName": repository, "imageTag": TAG, "imageManifest": manifest.to_string(),
                "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json",
            });
            match client.call("ecr", "PutImage", put).await {
                // Pushed before the daemon died.
                Err(e) if e.code == "ImageAlreadyExistsException" => {}
                other => drop(other?),
            }
        }
        Ok(())
    }

    /// Creates the application's stack, unless it exists.
    pub(crate) async fn create(&self, client: &Client) -> Result<()> {
        let mut given = Vec::new();
        for parameter in &self.template.parameters {
            let value = match &parameter.purpose {
                Purpose::Environment | Purpose::Runs { .. } | Purpose::Certificate | Purpose::Zone => {
                    continue;
                }
                Purpose::Image { service } => {
                    let repository = self.repositories.get(service).context("it has one")?;
                    format!("{}/{repository}:{TAG}", client.cloud.config.endpoint)
                }
                Purpose::SiteUrl => "http://shop.localhost:8080".into(),
                Purpose::CdnPublicKey => PUBLIC_KEY.into(),
                Purpose::CdnPrivateKey => "not used in the simulation".into(),
            };
            given.push(json!({"ParameterKey": parameter.name, "ParameterValue": value}));
        }
        create(client, &self.stack, &self.template.to_json_min(), &given).await
    }
}

const TAG: &str = "one";

fn image_of(service: &str) -> (Value, Vec<u8>) {
    let config = json!({"architecture": "amd64", "os": "linux", "config": {"Labels": {"service": service}}});
    let config = config.to_string().into_bytes();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": Digest::of(&config).to_string(), "size": config.len(),
        },
        "layers": [],
    });
    (manifest, config)
}

async fn create(client: &Client, name: &str, template: &str, parameters: &[Value]) -> Result<()> {
    if status(client, name).await?.is_some() {
        return Ok(());
    }
    let input = json!({
        "StackName": name, "TemplateBody": template, "Parameters": parameters,
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
    });
    client.call("cloudformation", "CreateStack", input).await?;
    Ok(())
}

/// The status of a stack; `None` if it does not exist.
pub(crate) async fn status(client: &Client, name: &str) -> Result<Option<String>> {
    match client.call("cloudformation", "DescribeStacks", json!({"StackName": name})).await {
        Ok(found) => Ok(found["Stacks"][0]["StackStatus"].as_str().map(str::to_owned)),
        Err(AwsError { code, .. }) if code == "ValidationError" => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Waits until no operation on the stack is in progress.
pub(crate) async fn settled(client: &Client, name: &str) -> Result<Option<String>> {
    for _ in 0..POLLS {
        let status = status(client, name).await?;
        if !status.as_deref().is_some_and(|s| s.ends_with("_IN_PROGRESS")) {
            return Ok(status);
        }
        tokio::time::sleep(POLL).await;
    }
    bail!("the stack {name} never settles: {}", incomplete(client, name).await?)
}

/// Deletes a stack, or retries a deletion that failed.
pub(crate) async fn delete(client: &Client, name: &str) -> Result<()> {
    client.call("cloudformation", "DeleteStack", json!({"StackName": name})).await?;
    Ok(())
}

/// The resources that are not complete, with their reasons.
pub(crate) async fn incomplete(client: &Client, name: &str) -> Result<String> {
    let found = client.call("cloudformation", "DescribeStackResources", json!({"StackName": name})).await?;
    let line = |r: &Value| {
        let of = |name: &str| r[name].as_str().unwrap_or("").to_owned();
        format!("{} {} {}", of("LogicalResourceId"), of("ResourceStatus"), of("ResourceStatusReason"))
    };
    let all = found["StackResources"].as_array().cloned().unwrap_or_default();
    let incomplete = all.iter().map(line).filter(|l| !l.contains("_COMPLETE"));
    Ok(incomplete.collect::<Vec<_>>().join("\n"))
}

/// All failures among the stack's events, the oldest first.
pub(crate) async fn failures(client: &Client, name: &str) -> Result<String> {
    let found = client.call("cloudformation", "DescribeStackEvents", json!({"StackName": name})).await?;
    let mut lines: Vec<String> = Vec::new();
    for e in found["StackEvents"].as_array().into_iter().flatten().rev() {
        let of = |name: &str| e[name].as_str().unwrap_or("");
        if of("ResourceStatus").ends_with("_FAILED") {
            lines.push(format!("{}: {}", of("LogicalResourceId"), of("ResourceStatusReason")));
        }
    }
    Ok(lines.join("\n"))
}
